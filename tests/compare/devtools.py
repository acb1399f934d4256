"""DevTools: a headless Chromium driven through its debugging pipe; nothing but Python's own library is needed."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")


class BrowserFailed(Exception):
    """The browser did not answer, or answered with an error."""


def find_browser():
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One tab; use as a context. Events are kept in `events`."""

    def __init__(self, program):
        self._folder = tempfile.mkdtemp(prefix="ringshift-page-test-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        self._text, self._number, self.events, self._session = b"", 0, [], None
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
                   f"--user-data-dir={self._folder}", "--remote-debugging-pipe", "about:blank"]

        def pipes_at_3_and_4():  # where the browser looks for them
            high = os.dup(from_browser)
            os.dup2(to_browser, 3)
            os.dup2(high, 4)

        # Numbers of 5 and above, so that no dup2 closes what is still needed.
        to_browser, from_browser = self._high(to_browser), self._high(from_browser)
        self._write, self._read = self._high(self._write), self._high(self._read)
        with open(os.path.join(self._folder, "log"), "wb") as log:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False,
                                           preexec_fn=pipes_at_3_and_4)
        os.close(to_browser)
        os.close(from_browser)

    @staticmethod
    def _high(descriptor):
        import fcntl

        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
        os.close(descriptor)
        return high

    def __enter__(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self._child.terminate()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._folder, ignore_errors=True)

    def call(self, method, seconds=60, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserFailed(f"{method}: {answer['error']}")
                return answer["result"]

    def _receive(self, deadline):
        while b"\0" not in self._text:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self._read, 1 << 20) if ready else b""
            if not chunk:
                with open(os.path.join(self._folder, "log"), encoding="utf-8", errors="replace") as log:
                    raise BrowserFailed("the browser does not answer:\n" + log.read()[-2000:])
            self._text += chunk
        text, self._text = self._text.split(b"\0", 1)
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url, seconds=60):
        before = len(self.events)
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + seconds
        while not any(event["method"] == "Page.loadEventFired" for event in self.events[before:]):
            self._receive(deadline)

    def evaluate(self, expression):
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise BrowserFailed(f"{expression[:100]}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def press(self, key, code=None, text=None):
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40, "ArrowUp": 38}
        common = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes[key]}
        if text:
            common["text"] = text
        self.call("Input.dispatchKeyEvent", type="keyDown", **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def size(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, kind="", scheme="light"):
        self.call("Emulation.setEmulatedMedia", media=kind,
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path, width, height, scale=1):
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": scale}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        data = base64.b64decode(shot["data"])
        with open(path, "wb") as file:
            file.write(data)
        return data
