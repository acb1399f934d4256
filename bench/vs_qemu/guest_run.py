"""GuestRun: one monitor with its guest, its serial output read as it comes, with times at markers."""

import os
import re
import select
import subprocess
import time


class GuestFailed(Exception):
    """The guest didn't get to where it should."""


class GuestRun:
    """A child process; use as a context, which ends the child (and nothing else)."""

    def __init__(self, command):
        self.output = b""
        self._searched = 0
        self.started = time.monotonic()
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        child = self._child
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(3)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        child.stdin.close()
        child.stdout.close()

    @property
    def pid(self):
        return self._child.pid

    def wait_for(self, marker, timeout):
        """Seconds from the start to the first match of the bytes pattern after the last marker."""
        pattern = re.compile(marker)
        deadline = time.monotonic() + timeout
        now = time.monotonic()
        while True:
            found = pattern.search(self.output, self._searched)
            if found:
                self._searched = found.end()
                return now - self.started
            ready, _, _ = select.select([self._child.stdout], [], [], max(0, deadline - time.monotonic()))
            now = time.monotonic()
            chunk = os.read(self._child.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                why = "ended" if ready else f"gave no {marker!r} in {timeout:.0f} s"
                raise GuestFailed(f"the guest {why}; its last lines:\n{self.tail()}")
            self.output += chunk

    def send(self, text):
        self._child.stdin.write(text)

    def tail(self):
        return "\n".join("    " + line for line in self.output.decode("latin-1").splitlines()[-8:])

    def overhead_mib(self, guest_mib):
        """The monitor's memory beyond the guest's RAM: Pss but for the RAM's mappings, and page tables."""
        with open(f"/proc/{self.pid}/smaps", encoding="latin-1") as file:
            text = file.read()
        total = 0
        for mapping in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M)[1:]:
            # Ringshift's RAM is a memfd of this name; QEMU's an anonymous mapping of just that size.
            size = int(re.search(r"^Size: +(\d+)", mapping, re.M).group(1))
            if "memfd:guest-ram" in mapping or size == guest_mib * 1024:
                continue
            total += int(re.search(r"^Pss: +(\d+)", mapping, re.M).group(1))
        with open(f"/proc/{self.pid}/status", encoding="latin-1") as file:
            total += int(re.search(r"^VmPTE:\s+(\d+)", file.read(), re.M).group(1))
        return total / 1024
