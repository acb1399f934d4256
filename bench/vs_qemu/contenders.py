"""Contenders: the monitors that are compared, and the command that each is started by."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contender:
    name: str
    program: str
    options: tuple = field(default=())

    def command(self, kernel, initrd, append, memory):
        guest = ["-m", str(memory), "-kernel", kernel, "-initrd", initrd, "-append", append]
        return [self.program, *self.options, *guest]


def qemu(program):
    # Nothing that Ringshift's machine lacks: devices that the guest has to probe would be counted against QEMU.
    options = "-accel tcg -cpu n270 -nodefaults -display none -vga none -nic none -serial stdio -no-reboot"
    return Contender("qemu", program, tuple(options.split()))


def ringshift(program, memory=None):
    options = ("run", "-nographic", "-no-reboot")
    if memory is None:
        return Contender("ringshift", program, options)
    return Contender(f"rs-{memory}", program, (*options, "-bt-memory", memory))
