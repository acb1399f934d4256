#!/usr/bin/env python3
"""A table of era-bench's rows by engine: medians of alternating runs, and bt's ratio to QEMU's TCG.

era_table.py RINGSHIFT ERA-BENCH.ELF [--runs N] [--append OPTIONS] [--engines a,b]
Engines take turns, so that what else the machine does hits all of them; a row's figure is the median over the runs
of the medians in ns that era-bench prints. Checksums must be equal everywhere.
"""
import argparse
import shutil
import statistics
import subprocess
import sys

EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
BT = ["-engine", "bt", "-bt-memory"]


def engines(ringshift):
    run = [ringshift, "run", "-m", "64"]
    found = {
        "bt": run + BT + ["auto"],
        "bt-window": run + BT + ["window"],
        "bt-soft": run + BT + ["soft"],
        "interp": run + ["-engine", "interp"],
    }
    qemu = shutil.which("qemu-system-i386")
    if qemu:
        found["qemu"] = [qemu, "-accel", "tcg", "-cpu", "n270", "-m", "64", "-display", "none", "-serial", "stdio"]
    return found


def run(command, elf, options):
    command = command + ["-kernel", elf, "-append", options] + EXIT
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("era ")]
    if done.returncode != 1 or lines[-1:] != [["era", "done"]]:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    times = {line[1]: float(line[4]) for line in lines if len(line) == 6 and line[2] == "ns"}
    sums = {line[1]: line[3] for line in lines if len(line) == 4 and line[2] == "checksum"}
    return times, sums


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ringshift")
    parser.add_argument("elf")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--append", default="ms=20 forks=1000")
    parser.add_argument("--engines", help="names, comma-separated; default all")
    wanted = parser.parse_args()
    commands = engines(wanted.ringshift)
    if wanted.engines:
        commands = {name: commands[name] for name in wanted.engines.split(",")}
    samples, sums = {name: {} for name in commands}, None
    for turn in range(wanted.runs):
        for name, command in commands.items():
            print(f"run {turn + 1} of {wanted.runs}: {name}", file=sys.stderr)
            times, found = run(command, wanted.elf, wanted.append)
            sums = sums or found
            if found != sums:
                sys.exit(f"{name}: checksums {found}, not {sums}")
            for row, value in times.items():
                samples[name].setdefault(row, []).append(value)
    ratio = "bt" in commands and "qemu" in commands
    print("| row, ns | " + " | ".join(commands) + (" | bt / qemu |" if ratio else " |"))
    print("| --- |" + " --- |" * (len(commands) + ratio))
    for row in next(iter(samples.values())):
        value = {name: statistics.median(samples[name][row]) for name in commands}
        cells = [f"{value[name]:.{0 if value[name] >= 100 else 1}f}" for name in commands]
        if ratio:
            quotient = value["bt"] / max(value["qemu"], 0.01)
            cells.append(f"**{quotient:.2f}**" if quotient > 1 else f"{quotient:.2f}")
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
