# The L1: a machine with AMD-V and nested paging, emulated by QEMU's TCG, in which KVM is real.
import os
import re
import subprocess
import time

from initramfs import Initramfs

COMMAND = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "EPYC,+svm,+npt", "-m", "1024", "-nographic", "-no-reboot"]
APPEND = "console=ttyS0 panic=-1 quiet"


class Outcome:
    """What became of one job."""

    def __init__(self, name):
        self.name = name
        self.output = ""
        self.status = None
        self.seconds = 0.0


def write_initramfs(path, packages, jobs, files, program):
    image = Initramfs()
    for folder in ("proc", "sys", "tmp", "rig/jobs", "sbin"):
        image.folder(folder)
    image.device("dev/console", 5, 1)
    image.file(packages.busybox, "bin/busybox")
    image.file(os.path.join(os.path.dirname(__file__), "init.sh"), "init")
    modules = packages.modules("kvm-amd")
    for module in modules:
        image.file(module, "rig/" + os.path.basename(module))
    image.text("rig/modules", "".join(f"/rig/{os.path.basename(module)}\n" for module in modules))
    image.program(program, "rig/ringshift")
    for host_path, name in files.items():
        image.file(host_path, name)
    for number, job in enumerate(jobs):
        image.text(f"rig/jobs/{number:03}-{job.name}", job.script("/rig/ringshift", files))
    image.write(path)


class Reader:
    """Takes the serial console's lines apart."""

    def __init__(self):
        self.outcomes = {}
        self.notes = []
        self.current = None
        self.done = False

    def line(self, text):
        text = text.rstrip("\r\n")
        if match := re.match(r"@@BEGIN \d+-(\S+)", text):
            self.current = self.outcomes[match[1]] = Outcome(match[1])
        elif match := re.match(r"@@END \d+-\S+ (\d+) (\S+) (\S+)", text):
            self.current.status = int(match[1])
            self.current.seconds = float(match[3]) - float(match[2])
            self.current = None
        elif text.startswith("@@DONE"):
            self.done = True
        elif text.startswith("@@NOTE"):
            self.notes.append(text[7:])
        elif self.current is not None:
            self.current.output += text + "\n"
        elif text:
            self.notes.append(text)


def run(kernel, initramfs, seconds, on_line=None):
    """Boots the L1 and reads to its end. The outcomes by name, notes, and whether it came to its end."""
    command = COMMAND + ["-kernel", kernel, "-initrd", initramfs, "-append", APPEND]
    print("+", " ".join(command), flush=True)
    reader = Reader()
    # QEMU would take what is typed; its monitor is on the same channel.
    with subprocess.Popen(["timeout", str(seconds)] + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        begun = time.monotonic()
        for raw in process.stdout:
            text = raw.decode(errors="replace")
            if on_line:
                on_line(time.monotonic() - begun, text)
            reader.line(text)
    return reader
