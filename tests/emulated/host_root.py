# An emulated machine in which this host's file system is the root: read by 9p, written to in the machine's own memory.
import shlex

import machine

MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
SHARE = "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"
# The clock counts instructions, one a nanosecond: to a program there time limits are what they are on a CPU, however slowly
# TCG goes. An Intel CPU, because TCG runs SYSENTER in compatibility mode, which is #UD on AMD's; one without SMAP, which TCG
# 7.2 holds against the kernel's own accesses for 32-bit code.
CPU = "Haswell-noTSX"
OPTIONS = ["-cpu", CPU, "-m", "1024", "-icount", "shift=0", "-virtfs", SHARE]
PREPARE = """
mkdir -p /lower /changes /host
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /lower || echo "@@NOTE no 9p mount"
mount -t tmpfs tmpfs /changes
mkdir /changes/upper /changes/work
mount -t overlay -o lowerdir=/lower,upperdir=/changes/upper,workdir=/changes/work overlay /host || echo "@@NOTE no overlay"
mount -t proc proc /host/proc
mount -t sysfs sysfs /host/sys
mount -t devtmpfs dev /host/dev
mkdir -p /host/dev/shm
mount -t tmpfs tmpfs /host/dev/shm
mount -t tmpfs tmpfs /host/tmp
ifconfig lo up
"""
# Seconds of this host's: a machine that has nothing to say for so long is dead. A whole era-bench takes 90 on an idle host, and its
# reader says nothing before the end.
SILENCE = 480
PATH = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def script(command, folder, environment, seconds):
    """The shell text that runs a command of the host's in a folder of the host's."""
    inside = ["/usr/bin/env", "-i", PATH, "HOME=/tmp", *environment, "timeout", "-k", "5", str(seconds), *command]
    return "exec chroot /host /bin/sh -c " + shlex.quote(f"cd {shlex.quote(folder)} && exec {shlex.join(inside)}") + "\n"


def write_initramfs(path, packages, scripts):
    machine.make_initramfs(packages, MODULES, PREPARE, scripts).write(path)


def run(kernel, initramfs, seconds, on_line=None):
    return machine.run(kernel, initramfs, OPTIONS, seconds, on_line, SILENCE)
