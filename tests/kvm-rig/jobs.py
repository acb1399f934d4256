# What runs in the rig: the conformance guests, boots of Debian's i386 kernel; how a job is run, and how its result is judged.
import os
import re

import conformance

KERNEL = "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/linux"


class Job:
    """One run of the program. `files`: paths on this machine that it needs."""

    def __init__(self, name, options, files, seconds, judge):
        self.name = name
        self.options = options
        self.files = files
        self.seconds = seconds
        self.judge = judge  # (status, output) -> conformance.Verdict

    def command(self, ringshift, place):
        """place: how a file is called where the job runs."""
        words = [place.get(word, word) for word in self.options]
        return [ringshift, "run"] + words + ["-timeout", str(self.seconds)]

    def script(self, ringshift, place):
        quoted = ["'" + word.replace("'", "'\\''") + "'" for word in self.command(ringshift, place)]
        return "exec " + " ".join(quoted) + "\n"


def guest_job(path, engine, differences, on_tcg):
    """on_tcg: the guest leaves out what QEMU's TCG, which executes it, would not survive."""
    name = conformance.guest_name(path)
    wanted = conformance.guest_list().get(name, 0)

    def judge(status, output):
        return conformance.judge(name, wanted, differences, status, output)

    options = engine + ["-m", "64", "-kernel", path, "-serial", "null", "-debugcon", "stdio",
                        "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot"]
    if on_tcg:
        options += ["-append", "tcg"]
    return Job(f"guest-{name}", options, [path], 120, judge)


def boot_job(name, initramfs, engine, kernel_options="", seconds=240):
    """Debian's kernel to the end of tests/boot/init.c."""
    def judge(status, output):
        verdict = conformance.Verdict()
        verdict.passed = re.findall(r"^PASS .*", output, re.MULTILINE)
        if "BOOT TEST PASSED" not in output:
            verdict.problems.append("no 'BOOT TEST PASSED'")
        verdict.problems += [f"check failed: {check}" for check in re.findall(r"^FAIL (.*)", output, re.MULTILINE)]
        verdict.problems += [f"the kernel says {bad}" for bad in ("BUG:", "Oops", "Kernel panic", "WARNING:", "Call Trace")
                             if bad in output]
        if status != 0:
            verdict.problems.append(f"exit status {status}")
        return verdict

    append = "console=ttyS0 panic=-1 small=1 " + kernel_options
    options = engine + ["-m", "48", "-kernel", KERNEL, "-initrd", initramfs, "-append", append, "-nographic", "-no-reboot"]
    return Job(f"boot-{name}", options, [KERNEL, initramfs], seconds, judge)


def all_jobs(guests, initramfs, differences, engine, on_tcg):
    jobs = [guest_job(path, engine, differences, on_tcg) for path in guests]
    if initramfs and os.path.exists(KERNEL):
        jobs.append(boot_job("debian", initramfs, engine))
    return jobs


def select(jobs, pattern):
    return [job for job in jobs if re.search(pattern, job.name)]
