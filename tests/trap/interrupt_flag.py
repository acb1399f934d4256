#!/usr/bin/env python3
"""guests/lessons/interrupt_flag.cpp under an engine: POPF restores IF everywhere but under trap.

interrupt_flag.py ENGINE RINGSHIFT ELF
Under trap the table of -d sensitive must name the POPF of the critical section, with both values.
"""
import re
import subprocess
import sys

END = ["-serial", "null", "-debugcon", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-timeout", "60"]


def run(ringshift, elf, options):
    done = subprocess.run([ringshift, "run", "-kernel", elf, *options, *END], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    print(done.stdout, done.stderr)
    return done.returncode, done.stdout, done.stderr


def main():
    engine, ringshift, elf = sys.argv[1:]
    after_popf = "off" if engine == "trap" else "on"
    wanted = f"after STI: interrupts are on\nafter POPF: interrupts are {after_popf}\n"
    status, said, _ = run(ringshift, elf, ["-engine", engine])
    if (status, said) != (1, wanted):
        return f"said {said!r}, status {status}"
    if engine != "trap":
        return 0
    status, said, table = run(ringshift, elf, ["-engine", engine, "-d", "sensitive"])
    if (status, said) != (1, wanted):
        return f"with -d sensitive: said {said!r}, status {status}"
    # EIP, CPL, instruction, what POPF left, what it should have left, executions, wrong ones.
    row = re.search(r"^[0-9a-f]{8}  0  popfd +[0-9a-f]{8} IF=0 IOPL=0 +[0-9a-f]{8} IF=1 IOPL=0 +1 +1$", table, re.M)
    return 0 if row else "no row of the critical section's POPF"


sys.exit(main())
