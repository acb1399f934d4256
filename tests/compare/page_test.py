#!/usr/bin/env python3
"""Opens a page of `ringshift compare` in a browser and checks what a reader has of it.

page_test.py PAGE.html COMPARISON.json [SCREENSHOT.png]
Figures against the JSON, the controls by keyboard, contrast in light, dark and print, widths of 1280 and 390, no script,
no network, no errors. Status 77: there is no Chromium.
"""
import base64
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True

from devtools import Browser, find_browser  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BARS = """[...document.querySelectorAll('#charts figure')].map((figure) => ({
  row: figure.id.slice(4),
  bars: [...figure.querySelectorAll('tr[data-mode]')].map((line) => ({
    mode: line.dataset.mode, left: line.querySelector('.bar').style.left, width: line.querySelector('.bar').style.width,
    faster: line.querySelector('.bar').classList.contains('faster'), ratio: parseFloat(line.querySelector('.ratio').textContent)}))}))"""
OVERFLOW = """({page: document.scrollingElement.scrollWidth - innerWidth,
  wide: [...document.body.querySelectorAll('*')].filter((e) => !e.closest('.scroll, pre, .hidden-text, .ticks, .skip')
    && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + '.' + e.className).slice(0, 5)})"""
FOCUS = """(() => { const e = document.activeElement, style = getComputedStyle(e);
  return {kind: e.className, id: e.id || e.getAttribute('aria-label') || e.value || e.getAttribute('href') || e.tagName, tag: e.tagName,
    seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || e.className === 'skip' && e.getBoundingClientRect().top >= 0}; })()"""


class PageTest:
    def __init__(self, browser, url, data):
        self.browser, self.url, self.data, self.errors = browser, url, data, []
        self.cells = {(row["name"], mode["id"]): mode["cells"][row["name"]]["median_ns"]
                      for row in data["rows"] for mode in data["modes"]
                      if "median_ns" in mode["cells"].get(row["name"], {})}

    def expect(self, condition, text):
        if not condition:
            self.errors.append(text)

    def equal(self, got, wanted, text):
        self.expect(got == wanted, f"{text}: {got!r}, not {wanted!r}")

    def bars(self):
        return {(figure["row"], bar["mode"]): bar for figure in self.browser.evaluate(BARS) for bar in figure["bars"]}

    def check_figures(self):
        self.equal(set(self.bars()), set(self.cells), "bars")
        rows = {row for row, _ in self.cells}
        self.equal(self.browser.evaluate("document.querySelectorAll('#charts figure').length"), len(rows), "charts")
        count = "document.querySelectorAll('%s tbody tr').length"
        self.equal(self.browser.evaluate(count % "#figures"), len(self.data["rows"]), "lines of the table of figures")
        self.equal(self.browser.evaluate(count % "#modes"), len(self.data["modes"]), "lines of the table of modes")
        titles = {row["name"] for row in self.data["rows"]}
        papers = [row for row in self.data["paper"]["rows"] if row["row"] in titles]
        self.equal(self.browser.evaluate("document.querySelectorAll('#paper-charts figure').length"), len(papers), "paper's charts")
        self.equal(self.browser.evaluate(count % "#paper .scroll"), len(papers), "lines of the paper's table")

    def check_ratios(self, baseline):
        """Each bar says what the JSON says, and goes to the right side."""
        for (row, mode), bar in self.bars().items():
            if not self.cells.get((row, baseline)):
                continue
            ratio = max(self.cells[row, mode], 0.01) / max(self.cells[row, baseline], 0.01)
            near = abs(bar["ratio"] - ratio) <= 0.006 * max(1, ratio) or ratio < 0.01
            self.expect(near, f"{row}, {mode}, relative to {baseline}: {bar['ratio']}, not {ratio:.3f}")
            self.equal(bar["faster"], ratio < 1, f"{row}, {mode}: left of the line")

    def check_baseline(self):
        """By keyboard: the next mode of the list; the bars change, and say what they should."""
        before, was = self.bars(), self.browser.evaluate("document.getElementById('baseline').value")
        self.check_ratios(was)
        self.browser.evaluate("document.getElementById('baseline').focus()")
        last = "(() => { const s = document.getElementById('baseline'); return s.selectedIndex + 1 === s.options.length; })()"
        self.browser.press("ArrowUp" if self.browser.evaluate(last) else "ArrowDown")
        now = self.browser.evaluate("document.getElementById('baseline').value")
        self.expect(now != was, "the arrow keys don't change the baseline")
        after = self.bars()
        changed = [key for key in before if after[key]["width"] != before[key]["width"]]
        self.expect(len(changed) > len(before) / 4, f"{len(changed)} of {len(before)} bars change with the baseline")
        self.check_ratios(now)
        self.expect(now in self.browser.evaluate("document.getElementById('scale').textContent"), "the baseline isn't named")

    def check_controls(self):
        """A mode that is unticked, a group, and the paper's unit."""
        b, before = self.browser, self.bars()
        b.evaluate("document.querySelector('#shown input').focus()")
        mode = b.evaluate("document.activeElement.value")
        b.press(" ", "Space", " ")
        self.equal({m for _, m in self.bars()}, {m for _, m in before} - {mode}, "modes without the first")
        b.press(" ", "Space", " ")
        self.equal(len(self.bars()), len(before), "bars with the first mode again")
        group = self.data["rows"][-1]["group"]
        pick = "(() => { const s = document.getElementById('%s'); s.value = '%s'; s.dispatchEvent(new Event('change')); })()"
        b.evaluate(pick % ("group", group))
        wanted = {row["name"] for row in self.data["rows"] if row["group"] == group}
        self.equal({r for r, _ in self.bars()}, {r for r, _ in self.cells if r in wanted}, f"rows of {group}")
        b.evaluate(pick % ("group", ""))
        texts = "[...document.querySelectorAll('#paper-charts td.number')].map((e) => e.textContent).join()"
        cycles = b.evaluate(texts)
        b.evaluate(pick % ("unit", "own"))
        self.expect(b.evaluate(texts) != cycles, "the paper's charts don't change with their unit")

    def check_keyboard(self):
        """Tab goes everywhere there is something to do or to scroll, and is seen."""
        self.browser.open(self.url)
        reached = []
        for _ in range(400):
            self.browser.press("Tab")
            focus = self.browser.evaluate(FOCUS)
            if focus["tag"] == "BODY" or (reached and focus == reached[0]):
                break
            self.expect(focus["seen"], f"the focus isn't seen on {focus['id']}")
            reached.append(focus)
        ids = {focus["id"] for focus in reached}
        modes = {mode for _, mode in self.cells}
        wanted = {"#results", "baseline", "group", "print", "unit", "All figures", "Modes"} | modes
        self.expect(wanted <= ids, f"Tab does not reach {sorted(wanted - ids)}")
        self.equal(reached[0]["id"] if reached else "", "#results", "the first that Tab reaches (the way past the head)")
        self.browser.open(self.url)
        self.browser.press("Tab")
        self.browser.press("Enter", text="\r")
        self.equal(self.browser.evaluate("location.hash"), "#results", "where the skip link leads")
        unnamed = ("[...document.querySelectorAll('select, button, input')].filter((e) => !(e.labels && e.labels.length) "
                   "&& !e.textContent.trim()).length")
        self.equal(self.browser.evaluate(unnamed), 0, "controls without a label")

    def check_contrast(self):
        with open(os.path.join(HERE, "contrast.js"), encoding="utf-8") as file:
            script = file.read()
        for kind, scheme in (("", "light"), ("", "dark"), ("print", "light"), ("print", "dark")):
            self.browser.media(kind, scheme)
            found = self.browser.evaluate(script)
            self.expect(found["texts"] > 100 and found["bars"] > 10, f"{kind} {scheme}: nothing to look at: {found}")
            self.expect(not found["poor"], f"too little contrast, {kind} {scheme}: {found['poor'][:8]}")
        self.browser.media()

    def check_widths(self):
        for width in (1280, 390):
            self.browser.size(width)
            found = self.browser.evaluate(OVERFLOW)
            self.expect(found["page"] <= 0 and not found["wide"], f"wider than {width}: {found}")
        self.browser.size(1280)

    def check_print(self):
        self.browser.media("print")
        shown = "[...document.querySelectorAll('.controls, nav')].filter((e) => e.getClientRects().length).length"
        self.equal(self.browser.evaluate(shown), 0, "controls on paper")
        self.browser.media()
        pdf = base64.b64decode(self.browser.call("Page.printToPDF", printBackground=False)["data"])
        self.expect(pdf.startswith(b"%PDF") and len(pdf) > 20000, f"printed: {len(pdf)} bytes")

    def check_without_script(self):
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        self.browser.open(self.url)
        visible = "[...document.querySelectorAll('%s')].filter((e) => e.getClientRects().length).length"
        self.equal(self.browser.evaluate(visible % ".scripted"), 0, "controls that do nothing without script")
        self.equal(self.browser.evaluate(visible % "#figures tbody tr"), len(self.data["rows"]), "figures without script")
        self.expect(self.browser.evaluate(visible % "noscript p") == 1, "nothing says where the figures are")
        self.browser.call("Emulation.setScriptExecutionDisabled", value=False)

    def check_quiet(self):
        """Nothing was loaded but the page, nothing was reported, and no text of a guest became markup."""
        for event in self.browser.events:
            method, parameters = event["method"], event["params"]
            if method == "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                self.expect(url.split("#")[0] == self.url or url.startswith("data:"), f"a request: {url}")
            if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"):
                self.errors.append(f"{method}: {json.dumps(parameters)[:400]}")
        self.equal(self.browser.evaluate("typeof window.hacked"), "undefined", "a guest's text as script")
        self.equal(self.browser.evaluate("document.querySelectorAll('img, iframe, object, b').length"), 0, "a guest's text as markup")

    def check_picture(self, path):
        self.browser.open(self.url)
        self.browser.size(1280, 1400)
        picture = self.browser.screenshot(path, 1280, 1400)
        self.expect(picture.startswith(b"\x89PNG") and len(picture) > 20000, f"the picture has {len(picture)} bytes")


def main():
    program = find_browser()
    if not program:
        print("page_test: there is no Chromium (Debian: chromium)")
        return 77
    page, comparison, *picture = sys.argv[1:]
    with open(comparison, encoding="utf-8") as file:
        data = json.load(file)
    with Browser(program) as browser:
        test = PageTest(browser, pathlib.Path(page).resolve().as_uri(), data)
        browser.size(1280)
        browser.media()
        browser.open(test.url)
        checks = (test.check_figures, test.check_baseline, test.check_controls, test.check_keyboard, test.check_contrast,
                  test.check_widths, test.check_print, test.check_without_script)
        for check in checks:
            check()
        test.check_picture(picture[0] if picture else os.devnull)
        test.check_quiet()
    for error in test.errors:
        print("page_test:", error)
    print(f"{len(test.cells)} bars, {len(test.errors)} errors")
    return 1 if test.errors else 0


if __name__ == "__main__":
    sys.exit(main())
