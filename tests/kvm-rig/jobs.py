# What runs in the rig: the conformance guests, boots of Debian's i386 kernel; how a job is run, and how its result is judged.
import os
import re
import shlex
import sys

import conformance

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "boot"))
import serial_output  # noqa: E402

KERNEL = "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/linux"


class Job:
    """One run of the program. `files`: paths on this machine that it needs."""

    def __init__(self, name, options, files, seconds, judge):
        self.name = name
        self.options = options
        self.files = files
        self.seconds = seconds
        self.judge = judge  # (outcome, outcomes of all jobs by name) -> conformance.Verdict

    def command(self, ringshift, place):
        """place: how a file is called where the job runs."""
        words = [place.get(word, word) for word in self.options]
        return [ringshift, "run"] + words + ["-timeout", str(self.seconds)]

    def script(self, ringshift, place):
        return "exec " + shlex.join(self.command(ringshift, place)) + "\n"


def guest_job(path, engine, differences, on_tcg, kind="guest"):
    """on_tcg: the guest leaves out what QEMU's TCG, which executes it, would not survive."""
    name = conformance.guest_name(path)
    wanted = conformance.guest_list().get(name, 0)

    def judge(outcome, _):
        return conformance.judge(name, wanted, differences, outcome.status, outcome.output)

    options = engine + ["-m", "64", "-kernel", path, "-serial", "null", "-debugcon", "stdio",
                        "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot"]
    if on_tcg:
        options += ["-append", "tcg"]
    return Job(f"{kind}-{name}", options, [path], 120, judge)


def serial_output_of(output):
    """Without what the program says before the guest and after it."""
    end = output.find("reboot: Restarting system")
    lines = output[:end if end >= 0 else len(output)].split("\n")
    return "\n".join(line for line in lines if not line.startswith("ringshift: "))


def count_of(output, name):
    """From the text of -stats, "  NAME   1,234"; -1 if it isn't there."""
    match = re.search(rf"^ *{name} +([0-9,]+)$", output, re.MULTILINE)
    return int(match[1].replace(",", "")) if match else -1


def boot_job(name, initramfs, engine, kernel_options, seconds=240, switches=0, same_as=None):
    """Debian's kernel to the end of tests/boot/init.c, with so many changes of engine at least; its serial output is that of
    the job `same_as`, but for times."""
    def judge(outcome, outcomes):
        verdict = conformance.Verdict()
        output = outcome.output
        verdict.passed = re.findall(r"^PASS .*", output, re.MULTILINE)
        if "BOOT TEST PASSED" not in output:
            verdict.problems.append("no 'BOOT TEST PASSED'")
        verdict.problems += [f"check failed: {check}" for check in re.findall(r"^FAIL (.*)", output, re.MULTILINE)]
        verdict.problems += [f"the kernel says {bad}" for bad in ("BUG:", "Oops", "Kernel panic", "WARNING:", "Call Trace")
                             if bad in output]
        if outcome.status != 0:
            verdict.problems.append(f"exit status {outcome.status}")
        if switches:
            judge_switches(verdict, output)
        if same_as and same_as in outcomes:
            difference = serial_output.difference(*(serial_output_of(text).encode() for text in (
                outcomes[same_as].output, output)), same_as, "boot-" + name)
            verdict.problems += ["the serial output is another: " + line for line in difference]
        return verdict

    def judge_switches(verdict, output):
        counts = {what: count_of(output, what) for what in ("switches", "bt: entries", "kvm: entries", "dirty pages")}
        verdict.notes.append(", ".join(f"{what} {number}" for what, number in counts.items()))
        if counts["switches"] < switches:
            verdict.problems.append(f"{counts['switches']} switches, fewer than {switches}")
        if min(counts["bt: entries"], counts["kvm: entries"]) < switches // 2:
            verdict.problems.append("one of the engines hardly ran")

    options = engine + ["-m", "48", "-kernel", KERNEL, "-initrd", initramfs, "-append",
                        "console=ttyS0 panic=-1 " + kernel_options, "-nographic", "-no-reboot"]
    return Job(f"boot-{name}", options, [KERNEL, initramfs], seconds, judge)


def boot_jobs(initramfs, engine, on_tcg):
    """On TCG all takes many times longer, most of all bt: its code is translated once more, by QEMU."""
    turns = "every:100ms,kvm,bt:10ms" if on_tcg else "every:4ms,kvm,bt"
    switching = ["-engine", "bt,kvm", "-engine-switch", turns, "-stats"]
    return [boot_job("debian", initramfs, engine, "small=1"),
            # /init ends at once, so that all switches are during the boot.
            boot_job("switching-to-init", initramfs, switching, "hello=1", switches=50),
            boot_job("switching", initramfs, switching, "small=1", switches=50, same_as="boot-debian")]


# Guests that run once more while the engine changes; of the others, in which QEMU's TCG leaves a state that bt rightly takes amiss or
# loses state at VMRUN, docs/kvm.md says more.
SWITCHED_GUESTS = ("interrupts", "smc", "control", "sensitive", "x87", "sysenter", "apic", "nmi", "pic", "pit", "uart", "rtc",
                   "a20", "task_kinds")


def switched_guest_jobs(guests, differences, on_tcg):
    switching = ["-engine", "bt,kvm", "-engine-switch", "every:2ms,kvm,bt" if on_tcg else "every:200us,kvm,bt"]
    return [guest_job(path, switching, differences, on_tcg, "switched") for path in guests
            if conformance.guest_name(path) in SWITCHED_GUESTS]


def all_jobs(guests, initramfs, differences, differences_switched, engine, on_tcg):
    jobs = [guest_job(path, engine, differences, on_tcg) for path in guests]
    jobs += switched_guest_jobs(guests, differences_switched, on_tcg)
    if initramfs and os.path.exists(KERNEL):
        jobs += boot_jobs(initramfs, engine, on_tcg)
    return jobs


def select(jobs, pattern):
    return [job for job in jobs if re.search(pattern, job.name)]
