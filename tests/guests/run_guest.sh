#!/bin/bash
# Runs one test guest: run_guest.sh RINGSHIFT GUEST.elf ENGINE-OPTIONS... Passes if the guest says that all passed.
set -uo pipefail
ringshift=$1 guest=$2
shift 2
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$ringshift" run "$@" -m 64 -kernel "$guest" -serial null -debugcon "$out" \
  -device isa-debug-exit,iobase=0xf4,iosize=4 -no-reboot -timeout 120 </dev/null
status=$?
grep -A 2 -v '^PASS' "$out"
echo "$(grep -c '^PASS' "$out") checks passed; exit status $status"
# isa-debug-exit turns value 0 into status 1.
[ "$status" -eq 1 ] && grep -q '^ALL PASS' "$out"
