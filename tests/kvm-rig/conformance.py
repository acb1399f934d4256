# What a conformance guest says of itself, judged check by check: passed, an allowed difference, skipped, or wrong.
import collections
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "emulated"))
import reasoned_list  # noqa: E402

CONFORMANCE = os.path.join(os.path.dirname(__file__), "..", "conformance")
# isa-debug-exit turns the guest's value v into status 2v + 1.
NONE_FAILED, SOME_FAILED = 1, 3

# state: ok, FAIL or skip.
Check = collections.namedtuple("Check", "state name detail")


def guest_name(path):
    return os.path.basename(path).rsplit(".", 1)[0]


def guest_list(path=os.path.join(CONFORMANCE, "conformance.list")):
    """How many checks each guest makes."""
    with open(path, encoding="utf-8") as file:
        return {line.split()[0]: int(line.split()[1]) for line in file if not line.startswith("#") and line.strip()}


class Differences:
    """What may fail, and why: {guest: {check: reason}}. A check of `sometimes` may also pass."""

    def __init__(self):
        self.reasons = collections.defaultdict(dict)
        self.sometimes = set()

    def of(self, guest):
        return self.reasons.get(guest, {})

    def by_chance(self):
        """The same, of which none need occur."""
        other = Differences()
        other.reasons = self.reasons
        other.sometimes = {(guest, check) for guest, checks in self.reasons.items() for check in checks}
        return other

    def read_qemu(self, path, reason):
        """tests/conformance/qemu-VERSION.differences: "GUEST: NAME" or "sometimes GUEST: NAME" a line."""
        with open(path, encoding="utf-8") as file:
            for line in file:
                if match := re.match(r"(sometimes )?(\w+): (.+)", line):
                    self.reasons[match[2]][match[3].strip()] = reason
                    if match[1]:
                        self.sometimes.add((match[2], match[3].strip()))

    def read_own(self, path):
        """A file of this folder: "GUEST: NAME", "sometimes GUEST: NAME", or "not GUEST: NAME" for what another list says and
        does not hold here; the reason is the comment above, and a name may end with "*" after "not"."""
        for line, reason in reasoned_list.read(path):
            match = re.match(r"(sometimes |not )?(\w+): (.+)", line)
            if match is None:
                raise reasoned_list.wrong(path, line)
            self.add(match[1], match[2], match[3], reason)

    def add(self, how, guest, name, reason):
        if how == "not ":
            known = self.reasons[guest]
            gone = [check for check in known if check == name or (name.endswith("*") and check.startswith(name[:-1]))]
            if not gone:
                raise ValueError(f"no list has what \"not {guest}: {name}\" takes out")
            for check in gone:
                del known[check]
            return
        self.reasons[guest][name] = reason
        if how == "sometimes ":
            self.sometimes.add((guest, name))


class Verdict:
    """The checks of one guest, sorted."""

    def __init__(self):
        self.problems = []
        self.passed = []
        self.differences = []  # (Check, reason)
        self.skipped = []
        self.notes = []


def checks_of(output):
    checks = []
    for line in output.splitlines():
        if match := re.match(r"(ok|FAIL|skip) (.*?)(?: -- (.*))?$", line.rstrip()):
            checks.append(Check(match[1], match[2], match[3] or ""))
    return checks


def judge(guest, wanted, differences, status, output):
    """wanted: how many checks the list says. status: the program's."""
    verdict = Verdict()
    allowed = differences.of(guest)
    checks = checks_of(output)
    if any(check.state == "skip" and check.name == "*" for check in checks) and status == NONE_FAILED:
        verdict.skipped = [check for check in checks if check.state == "skip"]
        return verdict
    states = {}
    for check in checks:
        if check.name in states:
            verdict.problems.append(f"two checks are called \"{check.name}\"")
        states[check.name] = check.state
        if check.state == "ok":
            verdict.passed.append(check)
        elif check.state == "skip":
            verdict.skipped.append(check)
        elif check.name in allowed:
            verdict.differences.append((check, allowed[check.name]))
        else:
            verdict.problems.append(f"{check.name} -- {check.detail}")
    verdict.problems += [f"{name} -- an allowed difference that did not occur: take it off the list" for name in allowed
                         if states.get(name) != "FAIL" and (guest, name) not in differences.sometimes]
    check_end(verdict, checks, wanted, status, output)
    return verdict


def check_end(verdict, checks, wanted, status, output):
    """Whether the guest came to its end, by all that it says there."""
    failed = sum(check.state == "FAIL" for check in checks)
    skipped = sum(check.state == "skip" for check in checks)
    if len(checks) != wanted:
        verdict.problems.append(f"{len(checks)} checks, but the list says {wanted}")
    if f"checks {len(checks)} failed {failed} skipped {skipped}" not in [line.rstrip() for line in output.splitlines()]:
        verdict.problems.append("did not come to its end")
    if status != (SOME_FAILED if failed else NONE_FAILED):
        verdict.problems.append(f"exit status {status}")
