#!/usr/bin/python3
"""Runs era-bench's two builds under bt and trap in an emulated machine whose CPU runs 32-bit code, and compares the two engines there.

era_bench.py --build FOLDER --work FOLDER [--packages FOLDER] [--append OPTIONS]

Each run must print what tests/era-bench lists. bt must be faster than trap on each row of a kernel's boundary: the machine's clock counts
instructions, so that the figures are what each engine and Linux execute, and nothing else that the host does is in them. Leaves
WORK/logs/MODE.log, which `ringshift compare` shows beside its own. Exit status: 0 good, 1 not, 77 there is no such machine here.
"""
import argparse
import datetime
import os
import sys

import debian_packages
import host_root
import machine

ERA_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "era-bench")
sys.path.insert(0, ERA_TESTS)
import run as era_run  # noqa: E402

SKIP = 77
SECONDS = 600
# Not: what is the CPU's alone under trap (call-ret, smc, computing; a store to a table on bare hardware, a flag in memory under Xen), and
# waiting (timer, hlt-wake).
BOTH = ["cr3", "cr0-ts", "tpr", "mmio-write", "invlpg", "in", "out", "syscall", "int80", "pgfault", "divzero", "int-iret",
            "hypercall", "remap", "switch-0", "switch-64k", "forkwait", "mixed"]
BOUNDARY = ["cli-sti"] + BOTH
BOUNDARY_OF_XEN = BOTH + ["ptemod-unmap", "ptemod-map", "ptemod-protect"]
NOTE = ("in a machine that QEMU's TCG emulates ({}, {}); a nanosecond there is an instruction, of Ringshift's, Linux's or the guest's: "
        "compare tcg columns with each other alone")


class Run:
    """era-bench's build for an interface, under an engine."""

    def __init__(self, engine, xen):
        self.engine, self.xen = engine, xen
        self.mode = engine + ("+xen-pv" if xen else "")
        self.rows = era_run.read_rows(os.path.join(ERA_TESTS, "rows-xen.list" if xen else "rows.list"))
        self.good_status = 0 if xen else 1

    def script(self, build, append):
        guest = os.path.join(build, "guests", "era-bench-xen.elf" if self.xen else "era-bench.elf")
        command = [os.path.join(build, "ringshift"), "run", "-engine", self.engine, "-m", "64", "-no-reboot", "-kernel", guest,
                   "-append", append]
        command += ["-guest-abi", "xen-pv"] if self.xen else era_run.EXIT
        return host_root.script(command, "/tmp", [], SECONDS)

    def errors(self, outcome):
        """What is wrong with what it printed."""
        found = era_run.judge(self.rows, era_lines(outcome))
        if outcome.status != self.good_status:
            found.append(f"status {outcome.status}, not {self.good_status}")
        return [f"{self.mode}: {error}" for error in found]

    def write_log(self, folder, outcome):
        note = NOTE.format(host_root.CPU, datetime.date.today())
        with open(os.path.join(folder, self.mode + ".log"), "w", encoding="utf-8") as file:
            file.write(f"# note {note}\n{outcome.output}")


def era_lines(outcome):
    return [line.split() for line in outcome.output.splitlines() if line.startswith("era ")]


def medians(outcome):
    """{row: ns}."""
    return {line[1]: float(line[4]) for line in era_lines(outcome) if line[2:3] == ["ns"]}


def slower(boundary, bt, trap):
    """A line for each row of a boundary that both have and that bt isn't faster on."""
    return [f"{row}: bt {bt[row]:.1f}, trap {trap[row]:.1f}" for row in boundary
            if row in bt and row in trap and not bt[row] < trap[row]]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="the build folder")
    parser.add_argument("--work", required=True, help="a folder for packages, the image and logs")
    parser.add_argument("--packages", help="where packages are unpacked, if not in the work folder")
    parser.add_argument("--append", default="ms=1 forks=20 jobs=4", help="era-bench's options")
    parser.add_argument("--verbose", action="store_true", help="show the machine's console as it comes")
    return parser.parse_args()


def measure(options, runs):
    """{mode: outcome}, or why there is none."""
    try:
        packages = machine.packages(options.packages or os.path.join(options.work, "packages"))
    except debian_packages.Unavailable as error:
        return f"SKIP: {error}"
    image = os.path.join(options.work, "machine.gz")
    host_root.write_initramfs(image, packages, [(run.mode, run.script(os.path.abspath(options.build), options.append)) for run in runs])
    reader = host_root.run(packages.kernel, image, SECONDS * len(runs), machine.shown(options.verbose))
    if not reader.outcomes:
        return "\n".join(["FAIL: the machine did not come to its first run", *reader.notes])
    return {run.mode: reader.outcomes.get(run.mode) or machine.Outcome(run.mode) for run in runs}


def compare(boundary, bt, trap):
    """Prints both columns; the lines in which bt isn't faster."""
    for row in bt:
        if row in trap:
            print(f"{row:16}{bt[row]:16.1f}{trap[row]:16.1f}{bt[row] / trap[row] if trap[row] else 0:9.3f}"
                  f"{'' if row in boundary else '  not of the boundary'}")
    return slower(boundary, bt, trap)


def main():
    options = arguments()
    logs = os.path.join(options.work, "logs")
    os.makedirs(logs, exist_ok=True)
    runs = [Run(engine, xen) for xen in (False, True) for engine in ("bt", "trap")]
    outcomes = measure(options, runs)
    if isinstance(outcomes, str):
        print(outcomes)
        return SKIP if outcomes.startswith("SKIP") else 1
    errors = []
    for run in runs:
        outcome = outcomes[run.mode]
        wrong = run.errors(outcome)
        if wrong:
            print("  | " + "\n  | ".join(outcome.output.splitlines()[-60:]))
        else:
            run.write_log(logs, outcome)
        errors += wrong
    for suffix, boundary in (("", BOUNDARY), ("+xen-pv", BOUNDARY_OF_XEN)):
        print(f"\n{'instructions':16}{'bt' + suffix:>16}{'trap' + suffix:>16}{'bt/trap':>9}")
        errors += compare(boundary, medians(outcomes["bt" + suffix]), medians(outcomes["trap" + suffix]))
    print("\n".join(["", *errors, f"{len(errors)} errors"]))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
