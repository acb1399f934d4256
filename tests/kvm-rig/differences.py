# Which differences are allowed where: KVM's own everywhere, and those of QEMU's TCG where it is the CPU.
import os
import re
import shutil
import subprocess

from conformance import CONFORMANCE, Differences

QEMU = "qemu-system-x86_64"
HERE = os.path.dirname(__file__)


class Unknown(Exception):
    """Nobody has looked up what this QEMU does otherwise, or there is none."""


def qemu_list():
    if shutil.which(QEMU) is None:
        raise Unknown(f"{QEMU} isn't installed (qemu-system-x86)")
    said = subprocess.run([QEMU, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    version = re.search(r"version (\d+\.\d+)", said)[1]
    path = os.path.join(CONFORMANCE, f"qemu-{version}.differences")
    if not os.path.exists(path):
        raise Unknown(f"QEMU {version} is the CPU in the L1, and there is no list of its differences ({os.path.basename(path)})")
    return path


def of_kvm():
    """On real hardware."""
    known = Differences()
    known.read_own(os.path.join(HERE, "kvm.differences"))
    return known


def in_pvm():
    """On a KVM that is software."""
    known = of_kvm()
    known.read_own(os.path.join(HERE, "pvm.differences"))
    return known


def in_l1():
    """There the CPU is QEMU's TCG: what it does otherwise by itself it does under KVM too, but for what KVM or this program
    handles."""
    known = Differences()
    known.read_qemu(qemu_list(), "QEMU's TCG, docs/qemu-differences.md")
    known.read_own(os.path.join(HERE, "l1.differences"))
    known.read_own(os.path.join(HERE, "kvm.differences"))
    return known


def switched(where, known):
    """While the engine changes: which one makes a check is chance, so that nothing need differ."""
    if where == "l1":
        known = in_l1()
        known.read_own(os.path.join(HERE, "l1_switched.differences"))
    return known.by_chance()
