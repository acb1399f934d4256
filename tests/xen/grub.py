#!/usr/bin/python3
# grub.py GRUB-I386-XEN.BIN RINGSHIFT run -guest-abi xen-pv ...: Debian's GRUB, unmodified, on a disk made here.
#
# It must come to its prompt, list the disk, print files from it through its xenstore client and block front end,
# and end the domain. The files' contents are new each time.
import os
import re
import secrets
import select
import subprocess
import sys
import tempfile
import time

PROMPT = b"grub> "


class Terminal:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.output = b""

    # What comes until `text` is in it.
    def until(self, text, seconds=100):
        end = time.monotonic() + seconds
        start = len(self.output)
        while text not in self.output[start:]:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                sys.exit(f"{text!r} did not come; the terminal:\n{self.output.decode(errors='replace')}")
            self.output += data
        return self.output[start:]

    def type(self, line):
        self.process.stdin.write(line + b"\r")
        self.process.stdin.flush()

    # A command's output, without escape sequences, GRUB's progress indicator, and padding.
    def command(self, line):
        self.type(line)
        text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", self.until(PROMPT))
        text = re.sub(rb" *\[ \S+ +\S+ +\d+% +\S+ \]", b"", text)
        return re.sub(rb"[ \r]+", b" ", text).decode(errors="replace")


def make_disk(folder, files):
    tree = os.path.join(folder, "tree")
    os.mkdir(tree)
    for name, content in files.items():
        with open(os.path.join(tree, name), "w", encoding="ascii") as file:
            file.write(content)
    disk = os.path.join(folder, "disk.img")
    with open(disk, "wb") as file:
        file.truncate(4 << 20)
    mke2fs = "/sbin/mke2fs"  # not in every user's PATH
    subprocess.run([mke2fs, "-q", "-F", "-d", tree, disk], check=True)
    return disk


def main():
    grub, command = sys.argv[1], sys.argv[2:]
    hello = f"hello {secrets.token_hex(16)}"
    lines = [f"{number} {secrets.token_hex(20)}" for number in range(500)]  # some requests' worth
    with tempfile.TemporaryDirectory() as folder:
        disk = make_disk(folder, {"hello": hello + "\n", "lines": "\n".join(lines) + "\n"})
        before = open(disk, "rb").read()
        terminal = Terminal(command + ["-kernel", grub, "-serial", "stdio", "-drive",
                                       f"file={disk},if=xen"])
        terminal.until(PROMPT)
        listed = terminal.command(b"ls")
        assert "(xen/xvda)" in listed, listed
        names = terminal.command(b"ls (xen/xvda)/")
        assert "hello" in names and "lines" in names, names
        shown = terminal.command(b"cat (xen/xvda)/hello")
        assert hello in shown, shown
        terminal.command(b"set pager=0")
        shown = terminal.command(b"cat (xen/xvda)/lines")
        missing = [line for line in lines if line not in shown]
        assert not missing, f"{len(missing)} lines are missing, the first: {missing[0]}, in\n{shown}"
        terminal.type(b"halt")
        status = terminal.process.wait(60)
        assert status == 0, f"status {status} after halt"
        assert open(disk, "rb").read() == before, "the disk has changed"
    print(f"GRUB printed {len(lines) + 1} lines from its disk")


main()
