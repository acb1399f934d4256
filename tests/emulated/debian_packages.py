# Debian's amd64 kernel with its KVM modules, and a static BusyBox, unpacked in the build folder without being installed.
import fcntl
import glob
import os
import re
import subprocess

KERNEL = "linux-image-amd64"
BUSYBOX = "busybox-static"


class Unavailable(Exception):
    """A package can be neither found nor fetched."""


def run(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def current_kernel_package():
    """The package that the metapackage stands for."""
    match = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", KERNEL))
    if match is None:
        raise Unavailable(f"apt knows no {KERNEL}: this is not Debian, or its package lists are empty (apt-get update)")
    return match[1]


def unpack(package, folder):
    scratch = os.path.join(folder, "download")
    os.makedirs(scratch, exist_ok=True)
    run("apt-get", "download", package, cwd=scratch)
    for file in glob.glob(os.path.join(scratch, package + "_*.deb")):
        run("dpkg", "-x", file, folder)
        os.remove(file)


class Packages:
    """Paths into what was unpacked."""

    def __init__(self, folder):
        self.folder = folder
        self.kernel = self.first("boot/vmlinuz-*-amd64")
        self.busybox = self.first("bin/busybox") or self.first("usr/bin/busybox")

    def first(self, pattern):
        found = sorted(glob.glob(os.path.join(self.folder, pattern)))
        return found[-1] if found else None

    def complete(self):
        return self.kernel is not None and self.busybox is not None

    def module(self, name):
        """The file of a kernel module, or None: then it is built in."""
        wanted = name.replace("_", "-")
        for directory, _, files in os.walk(os.path.join(self.folder, "lib/modules")):
            for file in files:
                if file.split(".ko")[0].replace("_", "-") == wanted and ".ko" in file:
                    return os.path.join(directory, file)
        return None

    def modules(self, name, known=None):
        """Files of the module and of all that it depends on, those first."""
        known = [] if known is None else known
        path = self.module(name)
        if path is None or path in known:
            return known
        with open(path, "rb") as file:
            depends = re.search(rb"\0depends=([^\0]*)\0", file.read())
        for other in (depends[1].decode().split(",") if depends else []):
            if other:
                self.modules(other, known)
        known.append(path)
        return known


def fetch(folder):
    """What is needed, unpacked in the folder; several tests may ask at once."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _fetch(folder)


def _fetch(folder):
    packages = Packages(folder)
    if packages.complete():
        return packages
    try:
        try:
            unpack(current_kernel_package(), folder)
            unpack(BUSYBOX, folder)
        except subprocess.CalledProcessError:
            run("apt-get", "update", "-qq")  # the lists are old: what they name is gone
            unpack(current_kernel_package(), folder)
            unpack(BUSYBOX, folder)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        said = getattr(error, "stdout", None) or str(error)
        raise Unavailable(f"cannot get Debian's {KERNEL} and {BUSYBOX}: {said.strip()}") from error
    packages = Packages(folder)
    if not packages.complete():
        raise Unavailable(f"no kernel or BusyBox in {folder} after unpacking")
    return packages
