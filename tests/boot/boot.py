#!/usr/bin/python3
# Boots Debian's i386 kernel and looks at what it prints.
#
# boot.py CASE RINGSHIFT INITRAMFS ENGINE-OPTIONS...; case "init" runs the self-testing /init, "shell" types
# into the installer's BusyBox, "evict" is init with a code cache of 2 MiB, "switch" is init with two engines in turn, and
# compared with a boot by one. Exit status 77: the kernel isn't installed.
import hashlib
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time

import serial_output

IMAGES = "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386"
SKIP = 77


class Machine:
    """A running guest: its serial output so far, and its standard input."""

    def __init__(self, command):
        print("+", " ".join(command), flush=True)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.output = b""

    def read_until(self, marker, seconds):
        """True once the marker is there; False at the end of output or of time."""
        end = time.monotonic() + seconds
        while marker is None or marker not in self.output:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return False
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return False
            self.output += data
        return True

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def finish(self, seconds):
        self.read_until(None, seconds)
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "still running"


def check(good, what, problems):
    if not good:
        problems.append(what)


def run_init(machine, seconds, problems):
    passed = machine.read_until(b"BOOT TEST PASSED", seconds)
    check(passed, "no 'BOOT TEST PASSED'", problems)
    check(b"FAIL" not in machine.output, "a check of /init failed", problems)
    match = re.search(rb"<<<(.*)>>>", machine.output, re.DOTALL)
    if match is None:
        problems.append("no 64 KiB block on the serial port")
    else:
        letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[:58]
        wanted = b"".join(b"%04d %s\n" % (i, letters) for i in range(1024))
        check(len(wanted) == 65536, "the test itself", problems)
        check(match[1] == wanted, f"serial block: {len(match[1])} bytes, "
              f"sha256 {hashlib.sha256(match[1]).hexdigest()}, not as sent", problems)


def run_shell(machine, seconds, problems):
    if not machine.read_until(b"BusyBox v", seconds) or not machine.read_until(b"# ", 60):
        problems.append("no BusyBox prompt")
        return
    machine.type("echo answer-$((6*7))\n")
    check(machine.read_until(b"answer-42", 60), "the shell doesn't answer", problems)
    machine.type("mount -t proc proc /proc; grep -c processor /proc/cpuinfo | sed s/^/cpus-/\n")
    check(machine.read_until(b"cpus-1", 60), "no /proc/cpuinfo", problems)
    machine.type("sha256sum /bin/busybox | cut -c1-8; ls / | wc -l; echo b > /proc/sysrq-trigger\n")


def check_evictions(stats_file, problems):
    """What the small cache made of it, and the pauses; how long they are depends on the host's other work."""
    with open(stats_file, encoding="utf-8") as file:
        stats = json.load(file)
    pauses = stats["pauses: eviction"]
    for name in ("pauses: eviction", "pauses: eviction, cpu time", "pauses: translation"):
        group = stats[name]
        print(f"{name}: {group['count']}, p99.9 {group['p99.9_us']} us, most {group['max_us']} us")
        counted = sum(value for key, value in group.items() if key.startswith("below"))
        check(counted == group["count"], f"{name}: {counted} in the histogram, not {group['count']}", problems)
        check(0 < group["p50_us"] <= group["p99.9_us"] <= group["max_us"], f"{name}: {group}", problems)
    check(pauses["count"] >= 100, f"only {pauses['count']} evictions", problems)
    check(stats["bt"]["blocks evicted"] > 10000, "hardly a block evicted", problems)
    check(stats["bt"]["cache bytes in use"] <= 2 << 20, "the cache is larger than 2 MiB", problems)


def check_switching(output, stats_file, command, seconds, problems):
    """The same boot by one engine prints the same lines, but for times."""
    with open(stats_file, encoding="utf-8") as file:
        stats = json.load(file)
    print(f"cpu {stats['time']['vcpu thread cpu_s']:.2f} s;", ", ".join(f"{k} {v:.6g}" for k, v in stats["engines"].items()))
    check(stats["engines"]["switches"] >= 50, "fewer than 50 switches", problems)
    alone = Machine(command)
    check(alone.finish(seconds) == 0, "the boot by one engine failed", problems)
    difference = serial_output.difference(alone.output, output, "one engine", "switching")
    check(not difference, "the output differs from that of one engine", problems)
    print("\n".join(difference))


def main():
    case, ringshift, initramfs, memory, kernel_options, seconds = sys.argv[1:7]
    engine = sys.argv[7:]
    seconds = int(seconds)
    if not os.path.exists(f"{IMAGES}/linux"):
        print("debian-installer-12-netboot-i386 isn't installed")
        return SKIP
    append = "console=ttyS0 panic=-1 " + kernel_options
    initrd = initramfs
    if case == "shell":
        append += " rdinit=/bin/sh"
        initrd = f"{IMAGES}/initrd.gz"
    command = [ringshift, "run"] if "qemu" not in ringshift else [ringshift, "-accel", "tcg", "-cpu", "n270"]
    scratch = tempfile.TemporaryDirectory()
    stats_file = os.path.join(scratch.name, "stats.json")
    if case == "evict":
        engine += ["-bt-cache", "2M", "-stats", "json:" + stats_file]
    switching = []
    if case == "switch":
        switching = ["-engine", "bt,interp", "-engine-switch", "every:20ms,bt,interp:2ms", "-stats", "json:" + stats_file]
    command += engine + ["-m", memory, "-kernel", f"{IMAGES}/linux", "-initrd", initrd,
                                 "-append", append, "-nographic", "-no-reboot"]
    machine = Machine(command + switching)
    start = time.monotonic()
    problems = []
    (run_shell if case == "shell" else run_init)(machine, seconds, problems)
    status = machine.finish(60) if not problems else (machine.process.kill() or "killed")
    if not problems:
        check(status == 0, f"exit status {status} after reboot", problems)
        if case == "evict":
            check_evictions(stats_file, problems)
        if case == "switch":
            check_switching(machine.output, stats_file, command, seconds, problems)
    for bad in (b"BUG:", b"Oops", b"Kernel panic", b"WARNING:", b"Call Trace"):
        check(bad not in machine.output, f"the kernel says {bad.decode()}", problems)
    if problems:
        text = re.sub(rb"<<<.*>>>", b"<<<...>>>", machine.output, flags=re.DOTALL)
        sys.stdout.buffer.write(text[-6000:])
    for line in re.findall(rb"(?:PASS|FAIL) .*", machine.output):
        print(line.decode(errors="replace").strip())
    print(f"\n{case} {kernel_options}: {time.monotonic() - start:.1f} s",
          "; ".join(problems) if problems else "ok")
    return 1 if problems else 0


sys.exit(main())
