#!/usr/bin/python3
# Golden text of `ringshift explain` for isPrime and for sensitive instructions, under each way to memory.
#
# Usage: is_prime.py RINGSHIFT GUEST GOLDEN. RINGSHIFT_UPDATE_GOLDEN=1 in the environment rewrites the file.
import difflib
import os
import re
import subprocess
import sys

ringshift, guest, golden = sys.argv[1:]


# Where the monitor's own data stands decides how its addresses are encoded, and so the offsets behind them. The
# rest of the guest is its compiler's, which the numbers of blocks and the totals depend on; host-tsc is the host's.
def normalised(text):
    text = re.sub(r"(?m)^[\d,]+ instructions executed in translated code.*\n", "", text)
    text = re.sub(r"of [\d,]+ instructions executed \([\d.]+ %\)", "instructions executed", text)
    text = re.sub(r"became \d+, and \d+ of cold code", "became N, and N of cold code", text)
    text = re.sub(r"(?m)\| +[0-9a-f]+  ", "| ", text)
    text = re.sub(r"\+[0-9a-f]+(?= |$)", "+N", text, flags=re.M)
    text = re.sub(r"isPrime\+N", "isPrime+", text)
    text = text.replace("movabs", "mov").replace(" host-tsc", "")
    text = re.sub(r"#\d+", "#N", text)
    text = re.sub(r"(?m)\| (.*?) {2,}", r"| \1  ", text)
    return re.sub(r"(?m) +$", "", text)


def explain(memory, function):
    command = [ringshift, "explain", "-kernel", guest, "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-bt-memory", memory, "--function", function, "--cold", "--top", "4"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"status {done.returncode}: {' '.join(command)}")
    return done.stdout


text = ""
for memory in "window", "soft":
    for function in "isPrime", "sensitive":
        text += f"#### {function}, -bt-memory {memory}\n{normalised(explain(memory, function))}\n"
if os.environ.get("RINGSHIFT_UPDATE_GOLDEN"):
    with open(golden, "w") as file:
        file.write(text)
with open(golden) as file:
    wanted = file.read()
if text != wanted:
    sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), text.splitlines(True), "golden", "now"))
    sys.exit("if the change is meant, run with RINGSHIFT_UPDATE_GOLDEN=1")
# What the golden text rests on, said once more so that a rewritten one can't lose it.
for what in ("idiv esi", "no short form", "linked to block", "side exit", "rare flags", "take EFLAGS", "lookup",
             "save flags", "jump table", "taken 697 times", "from here on executed 279,108 times"):
    if what not in text:
        sys.exit(f"'{what}' is missing")
print("equal")
