#!/usr/bin/python3
# Runs the conformance guests and boots with -engine kvm where KVM is real: on this host, or in an emulated machine (the L1).
#
# rig.py [--where l1|host|pvm] --ringshift PROGRAM --build FOLDER --initramfs FILE GUEST.elf... "pvm": what a software KVM can run. Exit status: 0 all passed, 1 not, 77 skipped.
import argparse
import collections
import contextlib
import io
import os
import shlex
import subprocess
import sys
import time

import differences
import host
import jobs
import l1
import lockstep_jobs

SKIP = 77


def arguments():
    parser = argparse.ArgumentParser(description="The KVM rig (docs/kvm.md).")
    parser.add_argument("--ringshift", required=True, help="the program under test")
    parser.add_argument("--build", required=True, help="a folder for packages and images")
    parser.add_argument("--initramfs", help="tests/initramfs.gz of the build, for the boots")
    parser.add_argument("--where", choices=("l1", "host", "pvm"), default="l1")
    parser.add_argument("--engine", default="-engine kvm", help="options of all jobs")
    parser.add_argument("--faulty", help="a program whose bt has a seeded fault: PROGRAM,GUEST,LABEL of the instruction in the guest")
    parser.add_argument("--only", default="", help="run jobs whose name matches")
    parser.add_argument("--seconds", type=int, default=1100, help="limit for all of it")
    parser.add_argument("--verbose", action="store_true", help="show the L1's console as it comes")
    parser.add_argument("guests", nargs="*", help="conformance guests")
    return parser.parse_args()


def run_in_l1(options, chosen):
    try:
        packages = l1.packages(os.path.join(options.build, "packages"))
    except l1.Unavailable as error:
        return f"SKIP: {error}"
    files = {path: "/rig/files/" + os.path.basename(path) for job in chosen for path in job.files}
    image = os.path.join(options.build, "l1.gz")
    l1.write_initramfs(image, packages, chosen, files, options.ringshift)
    return l1.run(packages.kernel, image, options.seconds, l1.machine.shown(options.verbose))


def run_on_host(options, jobs_there):
    """The outcomes, and which jobs they are of."""
    chosen, reasons = host.choose(host.verdict(options.ringshift), options.where, jobs_there)
    for reason in reasons:
        print(reason)
    return (host.run(options.ringshift, chosen) if chosen else "SKIP: nothing can run"), chosen


def report(reader, chosen):
    """One line a job with what came of its checks; the number of bad jobs."""
    total, bad = collections.Counter(), 0
    for note in reader.notes:
        print("note:", note)
    for job in chosen:
        outcome = reader.outcomes.get(job.name) or l1.Outcome(job.name)
        verdict = job.judge(outcome, reader.outcomes)
        if outcome.status is None:
            verdict.problems = ["did not end" if job.name in reader.outcomes else "did not run"]
        counts = {"passed": len(verdict.passed), "allowed differences": len(verdict.differences),
                  "skipped": len(verdict.skipped), "wrong": len(verdict.problems)}
        total.update(counts)
        print(f"{'FAIL' if verdict.problems else 'PASS'} {job.name}:",
              ", ".join(f"{number} {what}" for what, number in counts.items()) + f", {outcome.seconds:.1f} s")
        for note in verdict.notes:
            print("  " + note)
        for check, reason in verdict.differences:
            print(f"  differs: {check.name} -- {check.detail} ({reason})")
        for check in verdict.skipped:
            print(f"  skipped: {check.name} -- {check.detail}")
        for problem in verdict.problems:
            print("  WRONG: " + problem)
        if verdict.problems:
            print("  | " + "\n  | ".join(outcome.output.splitlines()[-40:]))
        bad += bool(verdict.problems)
    print(f"{sum(total.values())} checks:", ", ".join(f"{number} {what}" for what, number in total.items()))
    return bad


def allowed_differences(where):
    return {"l1": differences.in_l1, "host": differences.of_kvm, "pvm": differences.in_pvm}[where]()


def main():
    options = arguments()
    begun = time.monotonic()
    os.makedirs(options.build, exist_ok=True)
    in_l1 = options.where == "l1"
    guests = options.guests
    try:
        known = allowed_differences(options.where)
        switched = differences.switched(options.where, known)
    except differences.Unknown as reason:
        print("SKIP the conformance guests:", reason)
        guests, known, switched = [], None, None
    all_jobs = jobs.all_jobs(guests, options.initramfs, known, switched, shlex.split(options.engine), in_l1)
    if options.where != "pvm":
        all_jobs += lockstep_jobs.all_jobs(guests, options.faulty, in_l1)
    chosen = jobs.select(all_jobs, options.only)
    if in_l1:
        result = run_in_l1(options, chosen)
    else:
        result, chosen = run_on_host(options, chosen)
    if isinstance(result, str):
        print(result)
        return SKIP
    with contextlib.redirect_stdout(io.StringIO()) as text:
        bad = report(result, chosen)
    print(text.getvalue(), end="")
    # For the pages of `ringshift compare`.
    with open(os.path.join(options.build, f"report-{options.where}.txt"), "w", encoding="utf-8") as file:
        file.write(text.getvalue())
    if in_l1:
        print("Everything here ran on an emulated CPU: results are right or wrong, times say nothing of KVM's speed.")
    print(f"{len(chosen)} jobs, {bad} failed, {time.monotonic() - begun:.1f} s")
    return 1 if bad or not result.done else 0


sys.exit(main())
