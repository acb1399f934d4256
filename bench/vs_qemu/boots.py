"""Boots: what is timed from a monitor's start, and the runs that give it."""

from vs_qemu import first_instruction
from vs_qemu.guest_run import GuestRun
from vs_qemu.suite import parse_figures, parse_list

PROMPT = rb"BusyBox v[\s\S]*\n\S+ # "

# Row: its unit, and what it is.
BOOT_ROWS = {
    "first-instruction": ("s", "start to the kernel's first instruction, 30 MB initrd"),
    "linux-version": ("s", 'start to "Linux version" by earlyprintk, 30 MB initrd'),
    "init": ("s", "start to /init, small initramfs"),
    "overhead": ("MiB", "memory of the monitor beyond the guest's RAM, at /init"),
    "busybox": ("s", "start to the BusyBox prompt, 30 MB initrd"),
    "sleep": ("s", '"sleep 5" in that shell, by the host\'s clock'),
}


class Guests:
    """The guest files that all runs share, and how long a run may take."""

    def __init__(self, kernel, probe, initrd, small_initrd, memory, timeout):
        self.kernel, self.probe, self.initrd, self.small_initrd = kernel, probe, initrd, small_initrd
        self.memory, self.timeout = memory, timeout

    def start(self, contender, initrd, append, kernel=None):
        return GuestRun(contender.command(kernel or self.kernel, initrd, append, self.memory))


def run_probe(guests, contender, wanted):
    """Firmware and loading only: the kernel is one that stops at once."""
    with guests.start(contender, guests.initrd, "console=ttyS0", guests.probe) as run:
        return {"first-instruction": run.wait_for(first_instruction.MARKER, guests.timeout)}


def run_early(guests, contender, wanted):
    """The kernel's first line. earlyprintk costs time, so that nothing later is measured in this run."""
    with guests.start(contender, guests.initrd, "console=ttyS0 earlyprintk=ttyS0 rdinit=/bin/sh") as run:
        return {"linux-version": run.wait_for(rb"Linux version", guests.timeout)}


def run_init(guests, contender, wanted):
    with guests.start(contender, guests.small_initrd, "console=ttyS0 suite.run=wait") as run:
        figures = {"init": run.wait_for(rb"suite: init", guests.timeout)}
        if "overhead" in wanted:
            figures["overhead"] = run.overhead_mib(guests.memory)
    return figures


def run_busybox(guests, contender, wanted):
    with guests.start(contender, guests.initrd, "console=ttyS0 rdinit=/bin/sh") as run:
        figures = {"busybox": run.wait_for(PROMPT, guests.timeout)}
        if "sleep" in wanted:
            # Marks that the shell computes, so that the echo of the command doesn't hold them. What starting
            # a process costs isn't the clock's fault, and is taken off.
            run.send(b"echo $((40+2))nd; sleep 0; echo $((41+2))rd; sleep 5; echo $((42+2))th\n")
            begin = run.wait_for(rb"\n42nd", guests.timeout)
            middle = run.wait_for(rb"\n43rd", guests.timeout)
            figures["sleep"] = run.wait_for(rb"\n44th", guests.timeout) - middle - (middle - begin)
    return figures


def list_suite(guests, contender):
    """(name, group) of the suite's rows, of a guest that lists them: for a host that can't run the suite."""
    with guests.start(contender, guests.small_initrd, "console=ttyS0 quiet suite.run=list") as run:
        run.wait_for(rb"suite: done", guests.timeout)
        return parse_list(run.output)


def run_suite(guests, contender, rows, milliseconds):
    """{row: Figure} of the suite inside the guest."""
    append = f"console=ttyS0 quiet suite.run={','.join(rows)} suite.ms={milliseconds}"
    with guests.start(contender, guests.small_initrd, append) as run:
        run.wait_for(rb"suite: done", guests.timeout + len(rows) * (2 + milliseconds / 100))
        return parse_figures(run.output)


BOOTS = (
    (run_probe, ("first-instruction",)),
    (run_early, ("linux-version",)),
    (run_init, ("init", "overhead")),
    (run_busybox, ("busybox", "sleep")),
)
