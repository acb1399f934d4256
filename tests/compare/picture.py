#!/usr/bin/env python3
"""The picture of README: picture.py PAGE.html OUT.png [GROUP [HEIGHT]]. The page's head and its modes, and one group's rows."""
import json
import pathlib
import sys

sys.dont_write_bytecode = True

from devtools import Browser, find_browser  # noqa: E402

page, out, *rest = sys.argv[1:]
group, height = rest + ["kernel boundary", "1650"][len(rest):]
with Browser(find_browser()) as browser:
    browser.size(1280, int(height))
    browser.media()
    browser.open(pathlib.Path(page).resolve().as_uri())
    browser.evaluate("(() => { const s = document.getElementById('group'); s.value = %s; s.dispatchEvent(new Event('change')); })()"
                     % json.dumps(group))
    print(f"{len(browser.screenshot(out, 1280, int(height)))} bytes")
