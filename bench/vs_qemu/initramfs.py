"""Initramfs: the smallest one that starts a program: /init and /dev/console, as a newc archive."""

import stat


def _entry(name, mode, data=b"", inode=0, device=(0, 0)):
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    entry = header + name.encode() + b"\0"
    entry += b"\0" * (-len(entry) % 4) + data
    return entry + b"\0" * (-len(entry) % 4)


def make_initramfs(init):
    """The archive's bytes, for the bytes of a static program."""
    archive = _entry("dev", stat.S_IFDIR | 0o755, inode=1)
    archive += _entry("dev/console", stat.S_IFCHR | 0o600, inode=2, device=(5, 1))
    archive += _entry("proc", stat.S_IFDIR | 0o755, inode=3)
    archive += _entry("sys", stat.S_IFDIR | 0o755, inode=4)
    archive += _entry("init", stat.S_IFREG | 0o755, init, inode=5)
    archive += _entry("TRAILER!!!", 0)
    return archive + b"\0" * (-len(archive) % 512)
