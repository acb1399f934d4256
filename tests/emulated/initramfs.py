# An initramfs with the files that are added to it, and the folders that they need.
import gzip
import os
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "boot"))
from make_initramfs import archive, entry  # noqa: E402


class Initramfs:
    def __init__(self):
        self.entries = []
        self.names = set()
        self.console = False

    def add(self, name, mode, data=b"", device=(0, 0)):
        name = name.lstrip("/")
        if name in self.names:
            return
        if os.path.dirname(name):
            self.add(os.path.dirname(name), stat.S_IFDIR | 0o755)
        self.names.add(name)
        self.entries.append(entry(len(self.entries) + 1, name, mode, data, device))

    def folder(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def device(self, name, major, minor):
        self.add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def text(self, name, text, executable=False):
        self.add(name, stat.S_IFREG | (0o755 if executable else 0o644), text.encode())

    def file(self, path, name=None):
        """A file of the host's, at the same place unless told otherwise."""
        with open(path, "rb") as file:
            executable = os.access(path, os.X_OK)
            self.add(name or path, stat.S_IFREG | (0o755 if executable else 0o644), file.read())

    def program(self, path, name):
        """A program with the shared libraries that it needs, where it looks for them."""
        self.file(path, name)
        listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        for line in listed.stdout.splitlines():
            words = line.replace("=>", " ").split()
            for word in words[::-1]:
                if word.startswith("/"):
                    self.file(os.path.realpath(word), words[0] if words[0].startswith("/") else word)
                    break

    def write(self, path):
        # Level 1: it is read once, by an emulated CPU, and written at each run.
        with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
            file.write(archive(self.entries))
