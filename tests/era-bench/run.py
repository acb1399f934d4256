#!/usr/bin/env python3
"""Runs era-bench on one engine and checks what it prints.

run.py [--xen] ROWS OPTIONS ELF COMMAND...
ROWS lists the rows in order, "NAME", "NAME checksum HEX" or "NAME skip" a line: each must be there once, in cycles and
in ns, minimum not above median, with a sample at least; and checksums are the same on every engine. The guest must
end with "era done" and status 1 of isa-debug-exit; the paravirtual build (--xen) by a power-off. No time is judged: the
machine may be busy.
"""
import subprocess
import sys

EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]


def read_rows(path):
    """NAME: what must be printed of it: {unit or word: text or None}."""
    rows = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split()
            if not words:
                continue
            rows[words[0]] = {"skip": None} if words[1:] == ["skip"] else {"cycles": None, "ns": None}
            if words[1:2] == ["checksum"]:
                rows[words[0]]["checksum"] = words[2]
    return rows


def bad_times(words):
    if len(words) != 3:
        return "not MINIMUM MEDIAN COUNT"
    minimum, median, count = float(words[0]), float(words[1]), int(words[2])
    if not 0 <= minimum <= median:
        return "minimum above median"
    return None if count >= 1 else "no sample"


def judge(rows, lines):
    errors, seen = [], set()
    if lines[-1:] != [["era", "done"]]:
        errors.append("the last line isn't 'era done'")
    for _, name, kind, *rest in (line for line in lines if len(line) > 2):
        if kind == "total":
            continue
        if kind not in rows.get(name, {}):
            errors.append(f"{name}: an unexpected line: {kind} {' '.join(rest)}")
            continue
        if (name, kind) in seen:
            errors.append(f"{name}: {kind} twice")
        seen.add((name, kind))
        if kind in ("cycles", "ns"):
            reason = bad_times(rest)
            if reason:
                errors.append(f"{name}: {kind}: {reason}")
        elif kind == "checksum" and rest != [rows[name][kind]]:
            errors.append(f"{name}: checksum {rest[0]}, not {rows[name][kind]}")
    errors += [f"{name}: no {kind}" for name, kinds in rows.items() for kind in kinds if (name, kind) not in seen]
    return errors


def main():
    arguments = sys.argv[1:]
    xen = arguments[0] == "--xen"
    rows, options, elf, *command = arguments[1:] if xen else arguments
    command += ["-kernel", elf, "-append", options] + ([] if xen else EXIT)
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("era ")]
    errors = judge(read_rows(rows), lines)
    good = 0 if xen else 1
    if done.returncode != good:
        errors.append(f"status {done.returncode}, not {good}")
    if errors:
        print(done.stdout, done.stderr, *errors, sep="\n")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
