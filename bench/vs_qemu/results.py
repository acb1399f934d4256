"""Results: every figure of a comparison, and its medians and ratios."""

import math
import statistics

# Groups whose mean against native the project has set itself: 1.5 for integer code, 1.3 for the others.
NATIVE_LIMITS = {"integer": 1.5, "x87": 1.3, "sse": 1.3}
# What must never be slower than QEMU.
NEVER_SLOWER = ("integer", "memory", "syscall", "page", "process")


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values)) if values else None


class Results:
    def __init__(self, typical=statistics.median):
        self.typical = typical  # of several runs
        self.values = {}  # row -> contender -> [value]
        self.units = {}  # row -> unit
        self.groups = {}  # suite row -> group
        self.checksums = {}  # row -> contender -> set of checksums
        self.failures = []
        self.native = "native"  # what the host's own figures are called

    def add(self, row, contender, value, unit):
        self.units[row] = unit
        self.values.setdefault(row, {}).setdefault(contender, []).append(value)

    def add_figures(self, contender, figures):
        for row, figure in figures.items():
            self.add(row, contender, figure.nanoseconds, "ns")
            self.groups[row] = figure.group
            self.checksums.setdefault(row, {}).setdefault(contender, set()).add(figure.checksum)

    def typical_of(self, row, contender):
        values = self.values.get(row, {}).get(contender)
        return self.typical(values) if values else None

    def ratio(self, row, contender, reference):
        value, base = self.typical_of(row, contender), self.typical_of(row, reference)
        return value / base if value is not None and base else None

    def group_mean(self, group, contender, reference):
        rows = [row for row, of in self.groups.items() if of == group]
        ratios = [self.ratio(row, contender, reference) for row in rows]
        return geometric_mean([ratio for ratio in ratios if ratio])

    def since_first_instruction(self, row, contender):
        """A boot's time less that to the kernel's first instruction: without firmware and loading."""
        value, first = self.typical_of(row, contender), self.typical_of("first-instruction", contender)
        return value - first if value is not None and first is not None else None

    def wrong_checksums(self):
        """(row, {contender: checksums}) where not all agree."""
        return [
            (row, by) for row, by in self.checksums.items() if len(set().union(*by.values())) > 1
        ]

    def verdicts(self, contender="ringshift"):
        """(text, True or False) for each of the project's own conditions that was measured."""
        found = []
        for row in ("busybox", "init"):
            ratio = self.ratio(row, contender, "qemu")
            if ratio:
                found.append((f"{row}: {ratio:.2f} of QEMU's time (at most 0.50)", ratio <= 0.5))
        for group, limit in NATIVE_LIMITS.items():
            mean = self.group_mean(group, contender, self.native)
            if mean:
                found.append((f"{group}: {mean:.2f} x {self.native} (at most {limit})", mean <= limit))
        compared = [row for row in self.groups if self.ratio(row, contender, "qemu")]
        slower = {row: self.ratio(row, contender, "qemu") for row in compared}
        slower = {row: ratio for row, ratio in slower.items() if ratio > 1}
        if compared:
            fine = len(slower) <= 2 and all(
                ratio <= 1.3 and self.groups[row] not in NEVER_SLOWER for row, ratio in slower.items()
            )
            names = ", ".join(f"{row} {ratio:.2f}" for row, ratio in slower.items()) or "none"
            found.append((f"rows slower than QEMU: {names}", fine))
        memory = self.typical_of("overhead", contender)
        if memory is not None:
            found.append((f"memory beyond the guest's RAM: {memory:.1f} MiB (at most 48)", memory <= 48))
        slept = self.typical_of("sleep", contender)
        if slept is not None:
            found.append((f"sleep 5 took {slept:.3f} s (within 1 %)", abs(slept - 5) <= 0.05))
        return found
