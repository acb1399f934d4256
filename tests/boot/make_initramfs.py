#!/usr/bin/python3
# Writes an initramfs (cpio "newc", gzip) with one program as /init: make_initramfs.py OUTPUT INIT
import gzip
import sys


def entry(number, name, mode, data=b"", device=(0, 0)):
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    out = header + name.encode() + b"\0"
    out += b"\0" * (-len(out) % 4) + data
    return out + b"\0" * (-len(out) % 4)


def archive(entries):
    data = b"".join(entries) + entry(0, "TRAILER!!!", 0)
    return data + b"\0" * (-len(data) % 512)


def main():
    output, init = sys.argv[1:]
    with open(init, "rb") as file:
        program = file.read()
    entries = [
        entry(1, "dev", 0o040755),
        entry(2, "dev/console", 0o020600, device=(5, 1)),
        entry(3, "proc", 0o040755),
        entry(4, "init", 0o100755, program),
    ]
    with gzip.GzipFile(output, "wb", mtime=0) as file:
        file.write(archive(entries))


if __name__ == "__main__":
    main()
