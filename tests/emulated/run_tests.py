#!/usr/bin/python3
"""Runs tests of a build in an emulated machine whose CPU has what this host's may lack (32-bit code, for the trap engine).

run_tests.py --build FOLDER --work FOLDER [--test NAME]... [--known FILE] [--only REGEX]

Those that tests/trap/where_it_runs would skip here, and those that are named. What they run ctest says. FILE lists what the emulator itself gets wrong: "GUEST: CHECK" for a
conformance guest, "TEST: SUITE.NAME" for a GoogleTest, "leave out TEST". Exit status: 0 all passed, 1 not, 77 there is no such machine here.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

import debian_packages
import host_root
import machine
import reasoned_list

SKIP = 77


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="the build folder")
    parser.add_argument("--work", required=True, help="a folder for packages and images")
    parser.add_argument("--packages", help="where packages are unpacked, if not in the work folder")
    parser.add_argument("--test", action="append", default=[], help="this one of ctest's too")
    parser.add_argument("--known", help="what the emulator gets wrong")
    parser.add_argument("--only", default="", help="of these tests those whose name matches")
    parser.add_argument("--seconds", type=int, default=1600, help="limit for all of it")
    parser.add_argument("--verbose", action="store_true", help="show the machine's console as it comes")
    return parser.parse_args()


class Test:
    """One of ctest's: what it runs, where, and for how long it may."""

    def __init__(self, described):
        properties = {entry["name"]: entry["value"] for entry in described.get("properties", [])}
        self.name = described["name"]
        self.command = described.get("command", [])
        self.needs_trap = bool(self.command) and os.path.basename(self.command[0]) == "where_it_runs"
        if self.needs_trap:
            del self.command[:3]  # it runs there
        self.folder = properties.get("WORKING_DIRECTORY", "/")
        self.environment = list(properties.get("ENVIRONMENT", []))
        self.seconds = int(properties.get("TIMEOUT", 600))


def tests_of(build):
    listed = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], stdout=subprocess.PIPE, check=True)
    return [Test(described) for described in json.loads(listed.stdout)["tests"]]


def known_of(path):
    """{test: [names]} of the list, and {test: reason} of those to leave out."""
    known, left_out = {}, {}
    for line, reason in reasoned_list.read(path) if path else ():
        if match := re.match(r"leave out (\S+)$", line):
            left_out[match[1]] = reason
        elif match := re.match(r"(?:sometimes )?([\w-]+): (.+)", line):
            known.setdefault(match[1], []).append(match[2])
        else:
            raise reasoned_list.wrong(path, line)
    return known, left_out


def let(test, known, path):
    """Tells the test what it need not pass."""
    if "--differences" in test.command:
        at = test.command.index("--differences")
        test.command[at:at] = ["--differences", path]
    elif test.name in known:
        test.environment.append("GTEST_FILTER=-" + ":".join(known[test.name]))


def chosen_tests(options):
    known, left_out = known_of(options.known)
    chosen = [test for test in tests_of(options.build)
              if (test.needs_trap or test.name in options.test) and re.search(options.only, test.name)]
    for test in chosen:
        let(test, known, os.path.abspath(options.known or os.devnull))
        if test.name in left_out:
            print(f"left out: {test.name} ({left_out[test.name]})")
    return [test for test in chosen if test.name not in left_out]


def run(options, chosen):
    """{test: outcome}, or why there is none."""
    try:
        packages = machine.packages(options.packages or os.path.join(options.work, "packages"))
    except debian_packages.Unavailable as error:
        return f"SKIP: {error}"
    image = os.path.join(options.work, "machine.gz")
    outcomes, rest, ends = {}, list(chosen), time.monotonic() + options.seconds
    # A test that takes the machine with it costs the others a new one.
    while rest and time.monotonic() < ends:
        scripts = [(test.name, host_root.script(test.command, test.folder, test.environment, test.seconds)) for test in rest]
        host_root.write_initramfs(image, packages, scripts)
        reader = host_root.run(packages.kernel, image, int(ends - time.monotonic()) + 1, machine.shown(options.verbose))
        outcomes.update(reader.outcomes)
        begun = [test for test in rest if test.name in reader.outcomes]
        if not begun:
            print("\n".join(reader.notes))
            return "FAIL: the machine did not come to its first test"
        rest = rest[len(begun):]
    return outcomes


def report(outcomes, chosen):
    """A line for each test, and all that a bad one said; the number of bad ones."""
    bad = 0
    for test in chosen:
        outcome = outcomes.get(test.name) or machine.Outcome(test.name)
        # What is skipped there too was not tested at all.
        good = outcome.status == 0
        how = "did not end" if outcome.status is None else f"status {outcome.status}"
        print("PASS" if good else f"FAIL ({how})", f"{test.name}: {outcome.seconds:.1f} s of its clock")
        if not good:
            print("  | " + "\n  | ".join(outcome.output.splitlines()[-60:]))
        bad += not good
    return bad


def main():
    options = arguments()
    os.makedirs(options.work, exist_ok=True)
    chosen = chosen_tests(options)
    outcomes = run(options, chosen)
    if isinstance(outcomes, str):
        print(outcomes)
        return SKIP if outcomes.startswith("SKIP") else 1
    bad = report(outcomes, chosen)
    print(f"{len(chosen)} tests in an emulated machine, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
