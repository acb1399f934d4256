#!/usr/bin/python3
# Writes a copy of a source file with one fault in it: seed_fault.py SOURCE COPY RIGHT WRONG. RIGHT must stand there once.
import sys

source, copy, right, wrong = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = file.read()
if text.count(right) != 1:
    sys.exit(f"{source}: {right!r} stands there {text.count(right)} times: say anew what fault is to be seeded")
with open(copy, "w", encoding="utf-8") as file:
    file.write(text.replace(right, wrong))
