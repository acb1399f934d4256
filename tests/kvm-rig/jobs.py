# What runs in the rig: the test guests, boots of Debian's i386 kernel; how a job is run, and how its result is judged.
import os
import re

KERNEL = "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/linux"


class Job:
    """One run of the program. `files`: paths on this machine that it needs."""

    def __init__(self, name, options, files, seconds, judge):
        self.name = name
        self.options = options
        self.files = files
        self.seconds = seconds
        self.judge = judge  # (status, output) -> list of problems

    def command(self, ringshift, place):
        """place: how a file is called where the job runs."""
        words = [place.get(word, word) for word in self.options]
        return [ringshift, "run"] + words + ["-timeout", str(self.seconds)]

    def script(self, ringshift, place):
        quoted = ["'" + word.replace("'", "'\\''") + "'" for word in self.command(ringshift, place)]
        return "exec " + " ".join(quoted) + "\n"


def failures(output):
    """The checks that failed, by name; a name that comes again has its number behind it."""
    seen, failed = {}, set()
    for line in output.splitlines():
        if line.startswith(("PASS ", "FAIL ")):
            check = line[5:].rstrip()
            seen[check] = seen.get(check, 0) + 1
            if line.startswith("FAIL "):
                failed.add(check if seen[check] == 1 else f"{check} ({seen[check]})")
    return failed


def passes(output):
    return sum(line.startswith("PASS ") for line in output.splitlines())


def guest_job(path, engine, allowed):
    """allowed: checks that fail for a reason that is not ours, by name, with the reason."""
    name = os.path.basename(path).rsplit(".", 1)[0]

    def judge(status, output):
        failed = failures(output)
        problems = [f"check failed: {check}" for check in sorted(failed - set(allowed))]
        if status not in (1, 3) or passes(output) == 0:
            problems.append(f"exit status {status} after {passes(output)} passed checks")
        elif status == 3 and not failed:
            problems.append("the guest says that a check failed, and names none")
        return problems

    options = engine + ["-m", "64", "-kernel", path, "-serial", "null", "-debugcon", "stdio",
                        "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot"]
    return Job(f"guest-{name}", options, [path], 120, judge)


def boot_job(name, initramfs, engine, kernel_options="", seconds=240):
    """Debian's kernel to the end of tests/boot/init.c. Lives change of engines takes its options in `engine`."""
    def judge(status, output):
        problems = [] if "BOOT TEST PASSED" in output else ["no 'BOOT TEST PASSED'"]
        problems += [f"check failed: {check}" for check in sorted(failures(output))]
        problems += [f"the kernel says {bad}" for bad in ("BUG:", "Oops", "Kernel panic", "WARNING:", "Call Trace")
                     if bad in output]
        if status != 0:
            problems.append(f"exit status {status}")
        return problems

    append = "console=ttyS0 panic=-1 small=1 " + kernel_options
    options = engine + ["-m", "48", "-kernel", KERNEL, "-initrd", initramfs, "-append", append, "-nographic", "-no-reboot"]
    return Job(f"boot-{name}", options, [KERNEL, initramfs], seconds, judge)


def all_jobs(guests, initramfs, allowed, engine):
    """allowed: guest's name -> {check: reason}."""
    jobs = [guest_job(path, engine, allowed.get(os.path.basename(path).rsplit(".", 1)[0], {})) for path in guests]
    if initramfs and os.path.exists(KERNEL):
        jobs.append(boot_job("debian", initramfs, engine))
        # The place of the switching test: boot_job("switching", initramfs, ["-engine", "bt,kvm", "-engine-switch",
        # "every:100ms"]).
    return jobs


def select(jobs, pattern):
    return [job for job in jobs if re.search(pattern, job.name)]
