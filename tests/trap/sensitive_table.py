#!/usr/bin/env python3
"""The table of -d sensitive for guests/conformance/sensitive.cpp, which executes the whole list at CPL 3.

sensitive_table.py RINGSHIFT ELF
Values that depend on the host's descriptor tables aren't compared; what the guest should have seen is.
"""
import re
import subprocess
import sys

# Instruction, what it should have seen. Each must be there, and be wrong, at CPL 3.
WRONG = {
    "pushfd": r"[0-9a-f]{8} IF=0 IOPL=0",
    "popfd": r"[0-9a-f]{8} IF=0 IOPL=3",
    "sgdt": r"base [0-9a-f]{8} limit 01ff",
    "sidt": r"base [0-9a-f]{8} limit 07ff",
    "sldt": "0040",
    "str": "0028",
    "lar": "ZF=1 00c0f300",
    "push cs": "001b",
    "push ss": "0023",
    "push ds": "0023",
    "mov eax, cs": "0000001b",
}
COLUMNS = re.compile(r"^([0-9a-f]{8})  (\d)  (.{28}) (.{36}) (.{36}) +(\d+) +(\d+)$")


def main():
    ringshift, elf = sys.argv[1:]
    done = subprocess.run([ringshift, "run", "-engine", "trap", "-kernel", elf, "-d", "sensitive", "-serial", "null",
                           "-debugcon", "null", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-timeout", "60"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    print(done.stderr)
    rows = [match.groups() for match in map(COLUMNS.match, done.stderr.splitlines()) if match]
    if done.returncode != 3:
        return f"status {done.returncode}"
    for name, should in WRONG.items():
        found = [row for row in rows if row[1] == "3" and row[2].startswith(name) and int(row[6]) > 0
                 and re.fullmatch(should, row[4].strip())]
        if not found:
            return f"no row of {name} that should have seen {should}"
        if any(row[3].strip() == row[4].strip() for row in found):
            return f"{name}: called wrong, with the same value on both sides"
    total = re.search(r"^(\d+) executions at (\d+) places, (\d+) with a wrong result$", done.stderr, re.M)
    sums = (sum(int(row[5]) for row in rows), len(rows), sum(int(row[6]) for row in rows))
    if not total or sums != tuple(map(int, total.groups())):
        return f"the total is not that of the rows: {sums}"
    return 0


sys.exit(main())
