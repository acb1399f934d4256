"""Suite: the in-guest suite of bench/guest-suite: built, run natively or by a guest, and its lines read."""

import errno
import os
import re
import subprocess

_LISTED = re.compile(rb"^([a-z0-9-]+) ([a-z0-9]+)\r?$", re.M)
_LINE = re.compile(rb"^row (\S+) +(\S+) +(?:([\d.]+) ([0-9a-f]{8})|failed: (.*?))\r?$", re.M)


class Figure:
    """What one run of a row gave."""

    def __init__(self, group, nanoseconds, checksum):
        self.group, self.nanoseconds, self.checksum = group, nanoseconds, checksum


def build_suite(target, bits=32):
    """Builds the suite into `target`, unless it is newer than its sources; its path."""
    sources = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "guest-suite")
    files = [os.path.join(sources, name) for name in os.listdir(sources)]
    if not os.path.exists(target) or os.path.getmtime(target) < max(map(os.path.getmtime, files)):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        subprocess.run([os.path.join(sources, "build"), target, str(bits)], check=True)
    return target


def _run_here(command, **options):
    """What the suite prints on this host: nothing where that runs no 32-bit programs."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, **options).stdout
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            return b""
        raise


def list_rows(suite):
    """(name, group) of each row, in order; none where the host runs no 32-bit programs."""
    return parse_list(_run_here([suite, "list"], check=True))


def parse_list(output):
    """(name, group) of each row, of what "list" printed."""
    return [(name.decode(), group.decode()) for name, group in _LISTED.findall(output)]


def parse_figures(output):
    """{row: Figure} from the suite's output; rows that failed are left out."""
    figures = {}
    for name, group, nanoseconds, checksum, _ in _LINE.findall(output):
        if nanoseconds:
            figures[name.decode()] = Figure(group.decode(), float(nanoseconds), checksum.decode())
    return figures


class Native:
    """The suite on this host: the guest's own program, or where no 32-bit program runs a 64-bit build of what in it computes."""

    # Of a 64-bit program the rest measures something else: another set of system calls, wider operands of a division.
    _COMPUTES = ("integer", "indirect", "x87", "sse", "memory")

    def __init__(self, suite, suite_rows):
        runs = bool(list_rows(suite))
        self.name = "native" if runs else "native64"
        self.program = suite if runs else build_suite(suite + "64", 64)
        # The serial port is the guest's own.
        self.rows = {row for row, group in suite_rows if row != "serial-1k" and (runs or group in self._COMPUTES)}

    def run(self, rows, milliseconds):
        """The figures of those of the rows that can be had."""
        wanted = [row for row in rows if row in self.rows]
        return parse_figures(_run_here([self.program, "-t", str(milliseconds), *wanted], check=False, timeout=600))
