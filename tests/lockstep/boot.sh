#!/bin/bash
# A boot in lockstep: boot.sh RINGSHIFT KERNEL OPTIONS... Exit status 77: the kernel isn't installed.
ringshift=$1 kernel=$2
shift 2
[ -e "$kernel" ] || exit 77
exec "$ringshift" lockstep -kernel "$kernel" "$@" </dev/null
