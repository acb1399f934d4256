#!/usr/bin/env python3
"""Runs `ringshift compare` on a short era-bench, and checks its table, JSON, CSV and what it says of modes that can't run.

compare_test.py RINGSHIFT ROWS.list FOLDER
Leaves FOLDER/page.html and FOLDER/comparison.json, which page_test.py opens. No time is judged.
"""
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = ["interp", "trap", "bt", "trap+xen-pv", "bt+xen-pv", "kvm"]
ALL = OWN + ["qemu-tcg", "qemu-kvm", "bochs", "native"]
SHORT = ["--append", "ms=1 forks=20 jobs=4"]


class Failures(list):
    def expect(self, condition, text):
        if not condition:
            self.append(text)


def read_rows(path):
    """Name and what else the list says: a checksum, a skip."""
    with open(path, encoding="utf-8") as file:
        lines = [line.split("#")[0].split() for line in file]
    return {words[0]: words[1:] for words in lines if words}


def compare(ringshift, *options, timeout=500):
    return subprocess.run([ringshift, "compare", *options], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False)


def write_emulated_logs(folder):
    """As tests/emulated/era_bench.py leaves them."""
    os.makedirs(folder, exist_ok=True)
    for engine, ns in (("bt", 700), ("trap", 30000)):
        with open(os.path.join(folder, engine + ".log"), "w", encoding="utf-8") as file:
            file.write(f"# note in another machine\nera in ns {ns} {ns} 9\nera mixed checksum 1\nera done\n")


def check_emulated(failures, data, done):
    """The other machine's logs are there exactly if this one can't run the trap engine."""
    modes = {mode["id"]: mode for mode in data["modes"]}
    wanted = ["tcg.bt", "tcg.trap"] if modes["trap"]["state"] == "unavailable" else []
    failures.expect([name for name in modes if name.startswith("tcg.")] == wanted, f"of the emulated machine: {list(modes)}")
    for name in wanted:
        cell = modes[name]["cells"]["in"]["median_ns"]
        failures.expect(cell == (700 if name == "tcg.bt" else 30000), f"{name}: IN of {cell} ns")
    failures.expect(not wanted or "tcg.bt, tcg.trap: in another machine\n" in done.stdout, "no note under the table")


def check_modes(failures, data, rows):
    modes = {mode["id"]: mode for mode in data["modes"]}
    failures.expect([name for name in modes if not name.startswith("tcg.")] == ALL + ["hostile"], f"modes: {list(modes)}")
    # A host without 32-bit programs says so of its native rows.
    native = modes["native"]["state"] == "complete" or "32-bit" not in modes["native"]["reason"]
    sure = ["interp", "bt"] + (["native"] if native else []) + (["qemu-tcg"] if shutil.which("qemu-system-i386") else [])
    for name in sure:
        mode = modes[name]
        failures.expect(mode["state"] == "complete" and mode["runs"] == 2, f"{name}: {mode['state']}: {mode['reason']}")
        if name == "native":
            continue
        for row, words in rows.items():
            cell = mode["cells"].get(row, {})
            if words == ["skip"]:
                failures.expect(cell.get("skipped"), f"{name}, {row}: not skipped: {cell}")
                continue
            runs = cell.get("runs_ns", [])
            failures.expect(len(runs) == 2 and min(runs) <= cell["median_ns"] <= max(runs), f"{name}, {row}: {cell}")
            if words[:1] == ["checksum"]:
                failures.expect(cell.get("checksum") == words[1], f"{name}, {row}: checksum {cell.get('checksum')}")
    computes = [row for row in rows if row.startswith("compute-")]
    for row in computes if native else []:
        failures.expect(modes["native"]["cells"][row]["checksum"] == rows[row][1], f"native, {row}: checksum")
    for name, mode in modes.items():
        if mode["state"] != "complete":
            failures.expect(len(mode["reason"]) > 10, f"{name} is {mode['state']}, and nothing says why")
        failures.expect(name == "hostile" or name.startswith("tcg.") or mode["command"], f"{name}: no command")


# That what the program itself says decides whether a mode runs: an engine is refused exactly if its mode is.
def check_honesty(failures, data, ringshift):
    kernel = data["guest"]["kernel"]
    for mode in data["modes"]:
        if mode["id"] not in ("interp", "trap", "bt"):
            continue
        run = [ringshift, "run", "-engine", mode["id"], "-m", "64", "-kernel", kernel, "-append", "rows=none", "-timeout", "60",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        done = subprocess.run(run, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode in (2, 6):
            failures.expect(mode["state"] == "unavailable", f"{mode['id']}: {mode['state']}, but the program refuses it")
    doctor = json.loads(subprocess.run([ringshift, "doctor", "--json"], capture_output=True, check=True).stdout)
    kvm = next(engine for engine in doctor["engines"] if engine["name"] == "kvm")
    mode = next(mode for mode in data["modes"] if mode["id"] == "kvm")
    if not kvm["works"]:
        failures.expect(mode["state"] == "unavailable" and kvm["why"] in mode["reason"], f"kvm: {mode['reason']}")
    failures.expect(data["doctor"]["kvm"]["verdict"] == doctor["kvm"]["verdict"], "the doctor's verdict")


def check_profiles(failures, data):
    bt = next(mode for mode in data["modes"] if mode["id"] == "bt")["profile"]
    exits = {exit["reason"]: exit for exit in bt["exits"]}
    port = exits.get("port access", {})
    failures.expect(port.get("count", 0) > 1000 and port.get("each_ns_at_most", 0) > 0, f"bt's port accesses: {port}")
    each = [bt["exits_of_an_operation"].get(row, {}).get("port access", 0) for row in ("in", "out")]
    failures.expect(any(0.3 < number < 3 for number in each), f"bt: {each} port accesses for one IN, one OUT")
    parts = sum(part["seconds"] for part in bt["time_parts"])
    failures.expect(abs(parts - bt["vcpu_s"]) < 0.01 * bt["vcpu_s"] + 1e-6, f"bt: parts of {parts} s, not {bt['vcpu_s']}")


def check_files(failures, done, data, folder):
    failures.expect("run 2 of 2: bt" in done.stderr, f"progress: {done.stderr[-300:]}")
    failures.expect("forkwait" in done.stdout and "kvm" in done.stdout, f"the table: {done.stdout[:300]}")
    with open(os.path.join(folder, "comparison.csv"), encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    failures.expect(len(lines) == len(data["rows"]) * len(data["modes"]), f"{len(lines)} lines of CSV")
    for line in lines:
        cell = next(m for m in data["modes"] if m["id"] == line["mode"])["cells"].get(line["row"], {})
        same = ("median_ns" not in cell) if not line["median_ns"] else abs(float(line["median_ns"]) - cell["median_ns"]) < 0.001
        failures.expect(same and None not in line, f"CSV: {line}")
        failures.expect(not any((text or "").startswith(("=", "+", "@")) for text in line.values()), f"a formula: {line}")


def check_hostile(failures, data):
    hostile = next(mode for mode in data["modes"] if mode["id"] == "hostile")
    failures.expect(hostile["state"] == "partial" and "window.hacked=3" in hostile["reason"], f"hostile: {hostile}")
    failures.expect(set(hostile["cells"]) == {"loop", "call-ret", "smc", "in", "out", "syscall"}, f"{set(hostile['cells'])}")
    failures.expect(hostile["malformed_lines"] == 3, f"{hostile['malformed_lines']} malformed lines")
    failures.expect("checksum" not in hostile["cells"]["loop"], "a checksum that is none")


def check_usage(failures, ringshift):
    for options, text in ((["--modes", "nonsense"], "there is no mode"), (["--import", "<b>=x"], "--import takes"),
                          (["--runs", "0"], "--runs"), (["--import", "a=/nonexistent"], "cannot read"),
                          (["--nonsense"], "--help"), (["--mark", "a=b"], "--kernel")):
        done = compare(ringshift, *options)
        failures.expect(done.returncode in (2, 4) and text in done.stderr, f"{options}: {done.returncode} {done.stderr}")


def check_timeout_and_interrupt(failures, ringshift, folder):
    """A run that takes too long is a reason; SIGINT ends the children, and writes what there is."""
    done = compare(ringshift, "--modes", "bt", "--runs", "1", "--append", "ms=10000", "--timeout", "1", "--no-profiles")
    failures.expect("no end after 1 s" in done.stdout, f"timeout: {done.stdout}")
    path = os.path.join(folder, "interrupted.json")
    child = subprocess.Popen([ringshift, "compare", "--modes", "bt", "--append", "ms=10000", "--json", path],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    time.sleep(2)
    child.send_signal(signal.SIGINT)
    failures.expect(child.wait(20) == 130 and os.path.exists(path), f"interrupted: status {child.returncode}")


def main():
    ringshift, rows, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    files = [word for kind in ("json", "csv", "html") for word in
             (f"--{kind}", os.path.join(folder, "page.html" if kind == "html" else f"comparison.{kind}"))]
    hostile = os.path.join(HERE, "hostile.log")
    emulated = os.path.join(folder, "emulated")
    write_emulated_logs(emulated)
    done = compare(ringshift, "--runs", "2", *SHORT, "--import", f"hostile={hostile}", "--rig", hostile, "--emulated", emulated,
                   *files)
    failures = Failures()
    failures.expect(done.returncode == 0, f"status {done.returncode}: {done.stderr[-2000:]}")
    with open(os.path.join(folder, "comparison.json"), encoding="utf-8") as file:
        data = json.load(file)
    check_modes(failures, data, read_rows(rows))
    check_honesty(failures, data, ringshift)
    check_profiles(failures, data)
    check_files(failures, done, data, folder)
    check_hostile(failures, data)
    check_emulated(failures, data, done)
    check_usage(failures, ringshift)
    check_timeout_and_interrupt(failures, ringshift, folder)
    for failure in failures:
        print("compare_test:", failure)
    print(f"{len(data['modes'])} modes, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
