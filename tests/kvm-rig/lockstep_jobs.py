# Lockstep of kvm with another engine in the rig: guests that must agree to their end, differences that are known, and a translator
# with a seeded fault that must be named.
import os
import re
import sys

import conformance
from jobs import Job

for folder in ("lockstep", "emulated"):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", folder))
import find_fault  # noqa: E402
import reasoned_list  # noqa: E402

HERE = os.path.dirname(__file__)
AGREE, DIFFER = 0, 12


def known_differences(path=os.path.join(HERE, "lockstep.differences")):
    """{guest: (pattern of the first difference, reason)}: lines "GUEST: PATTERN", the reason is the comment above; and {guest:
    reason} of "skip GUEST"."""
    differences, skipped = {}, {}
    for line, reason in reasoned_list.read(path):
        if match := re.match(r"skip (\w+)$", line):
            skipped[match[1]] = reason
        elif match := re.match(r"(\w+): (.+)", line):
            differences[match[1]] = (match[2], reason)
        else:
            raise reasoned_list.wrong(path, line)
    return differences, skipped


def first_difference(output):
    match = re.search(r"^lockstep: (\S+ and \S+ differ after instruction .*)$", output, re.MULTILINE)
    return match[1] if match else ""


def judge_agreement(outcome, known):
    """known: the pattern and the reason of the guest's difference, or None."""
    verdict = conformance.Verdict()
    said = first_difference(outcome.output)
    if outcome.status == AGREE and "the engines agree" in outcome.output:
        if known:
            verdict.problems.append("they agree: take the guest off lockstep.differences")
        else:
            verdict.passed.append(conformance.Check("ok", "the engines agree", ""))
        verdict.notes += re.findall(r"^lockstep: (the engines agree.*)$", outcome.output, re.MULTILINE)
    elif outcome.status == DIFFER and known and re.search(known[0], said):
        verdict.differences.append((conformance.Check("FAIL", "lockstep", said), known[1]))
    else:
        verdict.problems.append(said or f"exit status {outcome.status}")
    verdict.notes += re.findall(r"^kvm: .*", outcome.output, re.MULTILINE)
    return verdict


def judge_seeded(outcome, address):
    verdict = conformance.Verdict()
    said = re.search(r"the instruction is at EIP ([0-9a-f]{8})", outcome.output)
    if outcome.status == DIFFER and said and int(said[1], 16) == address:
        verdict.passed.append(conformance.Check("ok", f"the seeded fault is named, at {address:08x}", ""))
    else:
        verdict.problems.append(f"exit status {outcome.status}, named {said and said[1]}, not {address:08x}")
    return verdict


class LockstepJob(Job):
    def command(self, ringshift, place):
        program = place.get(self.program, ringshift) if self.program else ringshift
        return ["timeout", str(self.seconds), program, "lockstep"] + [place.get(word, word) for word in self.options]


def lockstep_job(name, guest, engines, judge, on_tcg, program=None):
    options = ["-engine", engines, "-m", "16", "-kernel", guest, "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot"]
    if on_tcg:
        options += ["-append", "tcg"]
    job = LockstepJob(name, options, [guest] + ([program] if program else []), 90, judge)
    job.program = program
    return job


def guest_jobs(guests, on_tcg):
    """interp against kvm, in all guests but those that are skipped; the differences are TCG's, so that none is known elsewhere."""
    differences, skipped = known_differences()
    jobs = []
    for path in guests:
        name = conformance.guest_name(path)
        if name in skipped:
            continue
        known = differences.get(name) if on_tcg else None
        jobs.append(lockstep_job(f"lockstep-{name}", path, "interp,kvm", lambda outcome, _, known=known: judge_agreement(outcome, known),
                                 on_tcg))
    return jobs


def seeded_job(program, guest, address, on_tcg):
    """A translator in which CMC clears the carry."""
    return lockstep_job("lockstep-finds-flag", guest, "bt,kvm", lambda outcome, _: judge_seeded(outcome, address), on_tcg, program)


def all_jobs(guests, faulty, on_tcg):
    """faulty: "PROGRAM,GUEST,SYMBOL" of a program with a seeded fault, and the label in the guest at which it must be found."""
    jobs = guest_jobs(guests, on_tcg)
    if faulty:
        program, guest, symbol = faulty.split(",")
        jobs.append(seeded_job(program, guest, find_fault.address_of(guest, symbol), on_tcg))
    return jobs
