#!/bin/busybox sh
# Init of the L1: loads KVM, runs the jobs in order, and powers off. What it prints is read by l1.py.
export PATH=/bin:/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do
  insmod "$module" || echo "@@NOTE insmod $module: status $?"
done </rig/modules
[ -c /dev/kvm ] || echo "@@NOTE no /dev/kvm in the L1"
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
