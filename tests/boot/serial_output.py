# What two boots of one kernel print, compared.
import difflib
import re

# What depends on the time of day or on how long something took, in what the kernel and /init print. (The kernel measures the PM
# timer by the PIT, and gives it up if a pause of the host's comes in between. Quirks that took more than 10 ms are told of.)
TIMES = [rb"^\[ *[0-9.]+\] ", rb"\(at [0-9.]+ s\)", rb"[0-9.]+ (?:MHz|BogoMIPS)", rb"lpj=[0-9]+", rb"max_(?:cycles|idle_ns): \w+",
         rb"audit\([0-9.:]+\)", rb"to [0-9T:-]+ UTC \([0-9]+\)", rb"Marking stable .*", rb"(?:at|sp) b[0-9a-f]{7}",
         rb"^(?:clocksource|tsc): .*\n", rb"^APIC (?:calibration|delta) .*\n", rb"^PM-Timer running at invalid rate: .*\n",
         rb"^pci .* took [0-9]+ usecs\n"]


def without_times(output):
    text = output.replace(b"\r", b"")
    for pattern in TIMES:
        text = re.sub(pattern, b"", text, flags=re.MULTILINE)
    return text.decode(errors="replace").split("\n")


def difference(one, other, name_of_one, name_of_other):
    """Lines that one boot has printed and not the other, but for times. Kernel threads print some of them, and when depends on
    time too: that order and bytes are the same is for virtual time (equal_runs.py)."""
    lines = sorted(without_times(one)), sorted(without_times(other))
    return list(difflib.unified_diff(*lines, name_of_one, name_of_other, lineterm="", n=0))
