# The L1: an emulated machine with AMD-V and nested paging, in which KVM is real.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "emulated"))
import debian_packages  # noqa: E402
import machine  # noqa: E402
from machine import Outcome, Reader  # noqa: E402,F401

OPTIONS = ["-cpu", "EPYC,+svm,+npt", "-m", "1024"]
PREPARE = '[ -c /dev/kvm ] || echo "@@NOTE no /dev/kvm in the L1"\n'
packages, Unavailable = machine.packages, debian_packages.Unavailable


def write_initramfs(path, found, jobs, files, program):
    image = machine.make_initramfs(found, ["kvm-amd"], PREPARE,
                                   [(job.name, job.script("/rig/ringshift", files)) for job in jobs])
    image.program(program, "rig/ringshift")
    for host_path, name in files.items():
        image.file(host_path, name)
    image.write(path)


def run(kernel, initramfs, seconds, on_line=None):
    """Boots the L1 and reads to its end. The outcomes by name, notes, and whether it came to its end."""
    return machine.run(kernel, initramfs, OPTIONS, seconds, on_line)
