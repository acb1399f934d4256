#!/usr/bin/python3
# Runs one guest in virtual time on several engines, and twice on the translator: every run must be the same.
#
# equal_runs.py RINGSHIFT SHIFT SECONDS OPTIONS...; the options name the guest. Compared are the serial port's and the
# debug console's output to the byte, the exit status, and the statistics: what the guest did (instructions, interrupts,
# exceptions, accesses) between engines, and all but times between two runs of one. Exit status 77: the kernel isn't
# installed.
import json
import os
import subprocess
import sys
import tempfile

SWITCHING = "bt and interp in turn"
ENGINES = {
    "interp": ["-engine", "interp"],
    "bt": ["-engine", "bt"],
    "bt again": ["-engine", "bt"],
    "bt soft, small cache": ["-engine", "bt", "-bt-memory", "soft", "-bt-cache", "1M"],
    "bt window": ["-engine", "bt", "-bt-memory", "window"],
    SWITCHING: ["-engine", "bt,interp", "-engine-switch", "every:997i,bt,interp:101i"],
}
OF_THE_GUEST = ("machine", "exceptions and interrupts delivered", "device accesses")
EXITS = ("exits: requested", "exits: halted", "services")
SKIP = 77


class Run:
    def __init__(self, command, directory):
        serial, debug, stats = (os.path.join(directory, name) for name in ("serial", "debug", "stats"))
        outputs = ["-serial", "file:" + serial, "-debugcon", debug, "-stats", "json:" + stats]
        # Output that is never given must not look like an empty one of an earlier run.
        for path in (serial, debug, stats):
            open(path, "wb").close()
        self.status = subprocess.run(command + outputs, stdin=subprocess.DEVNULL, check=False).returncode
        with open(serial, "rb") as file:
            self.serial = file.read()
        with open(debug, "rb") as file:
            self.debug = file.read()
        with open(stats, encoding="utf-8") as file:
            self.stats = json.load(file)
        self.seconds = self.stats["time"]["vcpu thread cpu_s"]
        self.guest_clock = self.stats["time"]["guest clock_s"]

    def of_guest(self):
        return {group: self.stats.get(group) for group in OF_THE_GUEST}

    def of_guest_but_exits(self):
        """Where engines switch, they leave more often."""
        machine = {name: count for name, count in self.stats["machine"].items() if name not in EXITS}
        return {**self.of_guest(), "machine": machine}

    def counts(self):
        """All but what hangs on the host."""
        return {
            name: group
            for name, group in self.stats.items()
            if name not in ("time", "host") and not name.startswith("pauses")
        }


def differences(name, first, second, what):
    """Lines that say how a run differs from another in outputs and statistics."""
    lines = []
    for attribute in ("status", "guest_clock"):
        one, other = getattr(first, attribute), getattr(second, attribute)
        if one != other:
            lines.append(f"{name}: {attribute} {other}, not {one}")
    for attribute in ("serial", "debug"):
        one, other = getattr(first, attribute).split(b"\n"), getattr(second, attribute).split(b"\n")
        for number, (wanted, got) in enumerate(zip(one + [b""], other + [b""])):
            if wanted != got:
                lines.append(f"{name}: {attribute} line {number + 1}: {got!r}, not {wanted!r}")
                break
        else:
            if len(one) != len(other):
                lines.append(f"{name}: {attribute}: {len(other)} lines, not {len(one)}")
    one, other = what(first), what(second)
    for group in one:
        if one[group] != other.get(group):
            lines.append(f"{name}: {group}: {other.get(group)}, not {one[group]}")
    return lines


def main():
    ringshift, shift, seconds = sys.argv[1:4]
    options = sys.argv[4:]
    if not os.path.exists(options[options.index("-kernel") + 1]):
        print("the kernel isn't installed")
        return SKIP
    common = [ringshift, "run", "-icount", "shift=" + shift, "-no-reboot", "-timeout", seconds] + options
    runs = {}
    with tempfile.TemporaryDirectory() as directory:
        for name, engine in ENGINES.items():
            runs[name] = Run(common + engine, directory)
            print(f"{name}: status {runs[name].status}, {runs[name].stats['machine']['instructions retired']} instructions, "
                  f"{len(runs[name].serial)} and {len(runs[name].debug)} bytes, {runs[name].seconds:.2f} s", flush=True)
    reference = runs["interp"]
    problems = []
    if reference.status not in (0, 1) or not reference.serial + reference.debug:
        problems.append(f"interp: the guest did not end well: status {reference.status}")
    for name, run in runs.items():
        problems += differences(name, reference, run, Run.of_guest_but_exits if name == SWITCHING else Run.of_guest)
    if runs[SWITCHING].stats["engines"]["switches"] < 2:
        problems.append("no switch between engines")
    problems += differences("bt again", runs["bt"], runs["bt again"], Run.counts)
    print("\n".join(problems) if problems else "all the same")
    return 1 if problems else 0


sys.exit(main())
