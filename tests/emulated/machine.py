# A machine emulated by QEMU's TCG that runs a list of jobs, one after the other, under Debian's kernel, and tells of each.
import os
import re
import select
import shutil
import subprocess
import time

import debian_packages
from initramfs import Initramfs

QEMU = "qemu-system-x86_64"
COMMAND = [QEMU, "-accel", "tcg", "-nographic", "-no-reboot"]
APPEND = "console=ttyS0 panic=-1 oops=panic quiet"


def packages(folder):
    """What such a machine is made of, unpacked into a folder; debian_packages.Unavailable says why there can be none here."""
    if not shutil.which(QEMU):
        raise debian_packages.Unavailable(f"{QEMU} isn't installed (qemu-system-x86)")
    return debian_packages.fetch(folder)


def shown(verbose):
    """What run() takes as on_line: prints the console as it comes, if so wanted."""
    return (lambda at, text: print(f"{at:7.2f} {text.rstrip()}", flush=True)) if verbose else None


class Outcome:
    """What became of one job."""

    def __init__(self, name):
        self.name = name
        self.output = ""
        self.status = None
        self.seconds = 0.0


def make_initramfs(packages, modules, prepare, scripts):
    """An image with init.sh, to which files can be added. modules: names; prepare: shell text for after they are loaded;
    scripts: pairs of a job's name and its shell text, in order."""
    image = Initramfs()
    for folder in ("proc", "sys", "tmp", "rig/jobs", "sbin"):
        image.folder(folder)
    image.device("dev/console", 5, 1)
    image.file(packages.busybox, "bin/busybox")
    image.file(os.path.join(os.path.dirname(__file__), "init.sh"), "init")
    files = []
    for module in modules:
        packages.modules(module, files)
    for file in files:
        image.file(file, "rig/" + os.path.basename(file))
    image.text("rig/modules", "".join(f"/rig/{os.path.basename(file)}\n" for file in files))
    image.text("rig/prepare", prepare)
    for number, (name, script) in enumerate(scripts):
        image.text(f"rig/jobs/{number:03}-{name}", script)
    return image


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


def lines_of(process, silence):
    """What it prints, line by line; None instead of a line when it says nothing for `silence` seconds."""
    rest = b""
    while True:
        if not select.select([process.stdout], [], [], silence)[0]:
            yield None
            return
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def run(kernel, initramfs, options, seconds, on_line=None, silence=None):
    """Boots the machine and reads to its end. options: QEMU's, beside those that all machines have; seconds: for all of it;
    silence: it is ended too when nothing came from it for so many seconds."""
    command = COMMAND + options + ["-kernel", kernel, "-initrd", initramfs, "-append", APPEND]
    print("+", " ".join(command), flush=True)
    reader = Reader()
    # QEMU would take what is typed; its monitor is on the same channel.
    with subprocess.Popen(["timeout", str(seconds)] + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        begun = time.monotonic()
        for text in lines_of(process, silence):
            if text is None:
                reader.notes.append(f"nothing came for {silence} s: ended")
                process.terminate()
                break
            if on_line:
                on_line(time.monotonic() - begun, text)
            reader.line(text)
    return reader
