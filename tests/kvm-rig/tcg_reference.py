# Which checks of the test guests fail on QEMU's TCG itself: in the L1 the CPU is TCG, so they fail there too.
import os
import shutil
import subprocess

import jobs

# Checks that fail under KVM for a reason of KVM's own, with the reason; "guest: check".
KNOWN = os.path.join(os.path.dirname(__file__), "known_differences.txt")


def run_on_tcg(path):
    command = ["qemu-system-i386", "-accel", "tcg", "-cpu", "n270", "-m", "64", "-kernel", path, "-display", "none",
               "-serial", "null", "-monitor", "none", "-debugcon", "stdio", "-no-reboot",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=60, check=False).stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace")


def known_differences():
    known = {}
    with open(KNOWN, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#") or not line.strip():
                continue
            guest, check, reason = (part.strip() for part in line.split("|"))
            known.setdefault(guest, {})[check] = reason
    return known


def allowed_failures(guests):
    allowed = known_differences()
    if shutil.which("qemu-system-i386") is None:
        return allowed
    for path in guests:
        name = os.path.basename(path).rsplit(".", 1)[0]
        for check in jobs.failures(run_on_tcg(path)):
            allowed.setdefault(name, {}).setdefault(check, "QEMU's TCG, which is the CPU here, fails it without KVM too")
    return allowed
