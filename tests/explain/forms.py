#!/usr/bin/python3
# The other forms of `ringshift explain`: JSON with all its members, the log of events, a page that stands alone.
#
# Usage: forms.py RINGSHIFT GUEST
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile

ringshift, guest = sys.argv[1:]
failures = []


def check(holds, what):
    if not holds:
        failures.append(what)


folder = tempfile.TemporaryDirectory()
files = {name: os.path.join(folder.name, "explained." + name) for name in ("html", "json", "history")}
command = [ringshift, "explain", "-kernel", guest, "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "--top", "12"]
for name, path in files.items():
    command += ["--" + name, path]
done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
check(done.returncode == 0, f"status {done.returncode}")

# --- JSON: the members that docs/explain.md lists, with their types
PART = {"reason": str, "times": int, "host": [{"offset": int, "bytes": str, "text": str}]}
SCHEMA = {
    "guest": str, "command": str, "ended": str, "selection": str, "translations": int, "left out": int,
    "places": int, "instructions": int, "reasons": dict,
    "blocks": [{
        "eip": int, "name": str, "mode": str, "relocatable": bool, "global": bool, "rounds": int,
        "guest bytes": int, "host bytes": int, "cold bytes": int, "entries": int, "passes": int,
        "instructions executed": int, "share": float, "shown": int, "head": [PART], "tail": [PART],
        "instructions": [{
            "eip": int, "bytes": str, "text": str, "treatment": str, "because": str, "executions": int,
            "identity": bool, "code": [PART], "cold": [PART], "faults": [{"what": str, "count": int}]}],
        "exits": [{"ending": str, "from": int, "target": int, "target name": str, "state": str,
                   "taken": (int, type(None))}],
        "translations": [{"number": int, "entries": int, "instructions": int, "dropped": bool, "history": [str],
                          "left out": int}],
    }],
}


def conforms(value, schema, where):
    if isinstance(schema, dict):
        if not isinstance(value, dict) or set(value) != set(schema):
            return check(False, f"{where}: members differ")
        for name, inner in schema.items():
            conforms(value[name], inner, f"{where}.{name}")
    elif isinstance(schema, list):
        check(isinstance(value, list), f"{where}: no list")
        for number, item in enumerate(value):
            conforms(item, schema[0], f"{where}[{number}]")
    else:
        kinds = (schema, int) if schema is float else schema
        check(isinstance(value, kinds), f"{where}: {type(value).__name__}")


with open(files["json"]) as file:
    document = json.load(file)
conforms(document, SCHEMA, "explanation")
blocks = document["blocks"]
check(len(blocks) == 12, f"{len(blocks)} blocks for --top 12")
executed = [block["instructions executed"] for block in blocks]
check(executed == sorted(executed, reverse=True), "the hottest block isn't first")
check(sum(executed) <= document["instructions"], "more executed than in all")
for block in blocks:
    own = sum(insn["executions"] for insn in block["instructions"])
    of_shown = [t["instructions"] for t in block["translations"] if t["number"] == block["shown"]]
    check([own] == of_shown, f"{block['eip']:x}: executions don't add up")
    for insn in block["instructions"]:
        reasons = {part["reason"] for part in insn["code"]}
        check(reasons <= set(document["reasons"]), "a reason without a sentence")
        check(insn["identity"] == (reasons <= {"identity"}), f"{insn['text']}: identity")
        if insn["identity"]:
            host = " ".join(line["bytes"] for part in insn["code"] for line in part["host"])
            check(host == insn["bytes"], f"{insn['text']}: identity in other bytes: {host}")

# --- the log: one block an event, each known before it is linked
known, kinds = set(), set()
with open(files["history"]) as file:
    for line in file:
        event = json.loads(line)
        kinds.add(event["event"])
        if event["event"] == "translated":
            known.add(event["block"])
        elif event["event"] == "linked":
            check({event["block"], event["to"]} <= known, "linked before it was translated")
check({"translated", "linked"} <= kinds, "no links in the log")
check(len(known) == document["translations"], "the log has another number of translations")


# --- the page: well formed, alone, and reachable
class Page(html.parser.HTMLParser):
    VOID = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.lang = [], [], [], [], None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.lang = attributes.get("lang", self.lang)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in "src", "href", "action", "data":
            if name in attributes:
                self.links.append(attributes[name])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        check(self.open and self.open.pop() == tag, f"</{tag}> closes nothing, at {self.getpos()}")


with open(files["html"]) as file:
    text = file.read()
page = Page()
page.feed(text)
check(not page.open, f"open at the end: {page.open}")
check(len(page.ids) == len(set(page.ids)), "an id twice")
for link in page.links:
    check(link.startswith("#") and link[1:] in page.ids, f"leads out of the page: {link}")
check(not re.search(r"https?:|//[a-z]|@import|url\(", text), "the page wants the network")
for what in ("prefers-color-scheme: dark", "@media print", ":focus-visible", "<title>", 'name="viewport"'):
    check(what in text, f"{what} is missing")


# --- its colours: a contrast of 4.5 for text (WCAG 2.1, 1.4.3), in light, dark and print
def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


roots = re.findall(r":root \{([^}]*)\}", text)
check(len(roots) == 3, f"{len(roots)} sets of colours")
for root in roots:
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", root))
    for front in "text", "faint", "guest", "reason":
        for back in "back", "row":
            low, high = sorted((luminance(colours[front]), luminance(colours[back])))
            check((high + 0.05) / (low + 0.05) >= 4.5, f"{front} on {back}: {colours[front]} on {colours[back]}")
check(page.lang == "en" and page.tags.count("main") == 1 and page.tags.count("h2") == 13, "the page's outline")
check("isPrime" in text and "idiv esi" in text, "isPrime isn't in it")

for failure in failures[:20]:
    print("FAIL", failure)
sys.exit(1 if failures else print("all forms hold"))
