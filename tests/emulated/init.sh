#!/bin/busybox sh
# Init of an emulated machine: loads the modules, prepares, runs the jobs in order, and powers off. What it prints is read by machine.py.
export PATH=/bin:/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do
  insmod "$module" || echo "@@NOTE insmod $module: status $?"
done </rig/modules
. /rig/prepare
uptime_s() { cut -d ' ' -f 1 /proc/uptime; }
echo "@@NOTE up after $(uptime_s) s"
for job in /rig/jobs/*; do
  name=$(basename "$job")
  echo "@@BEGIN $name"
  begun=$(uptime_s)
  /bin/busybox sh "$job" </dev/null 2>&1
  status=$?
  echo
  echo "@@END $name $status $begun $(uptime_s)"
done
echo "@@DONE"
poweroff -f
