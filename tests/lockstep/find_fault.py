#!/usr/bin/python3
# Lockstep with a faulty translator must name the instruction: find_fault.py RINGSHIFT GUEST SYMBOL OPTIONS...; SYMBOL is
# the instruction's label in the guest. SYMBOL "none": the engines must agree.
import re
import subprocess
import sys

DIFFER = 12


def address_of(guest, symbol):
    for line in subprocess.run(["nm", guest], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines():
        address, _, name = line.split(maxsplit=2)
        if name == symbol:
            return int(address, 16)
    sys.exit(f"no {symbol} in {guest}")


def main():
    ringshift, guest, symbol = sys.argv[1:4]
    command = [ringshift, "lockstep", "-m", "16", "-kernel", guest, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    run = subprocess.run(command + sys.argv[4:], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, text=True)
    print(run.stderr)
    if symbol == "none":
        return run.returncode != 0 or "the engines agree" not in run.stderr
    found = re.search(r"the instruction is at EIP ([0-9a-f]{8})", run.stderr)
    wanted = address_of(guest, symbol)
    if run.returncode != DIFFER or found is None or int(found[1], 16) != wanted:
        print(f"status {run.returncode}, found {found and found[1]}; not status {DIFFER}, {wanted:08x}")
        return 1
    for part in ("guest code:", "host code of bt:", "state before:", "state after, bt:", "state after, interp:"):
        if part not in run.stderr:
            print(f"the report has no '{part}'")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
