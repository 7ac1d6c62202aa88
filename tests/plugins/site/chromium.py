"""A page in the system's Chromium, driven over its debugging pipe: no driver and no port."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

DEADLINE = 60.0
# The browser reads what it is asked from descriptor 3 and answers on 4.
_AS_3_AND_4 = """
import fcntl, os, sys
held = [fcntl.fcntl(int(name), fcntl.F_DUPFD, 10) for name in sys.argv[1:3]]
for number, place in zip(held, (3, 4)):
    os.dup2(number, place)
os.execv(sys.argv[3], sys.argv[3:])
"""


class GoneError(Exception):
    """The page went elsewhere while it was asked."""


class Page:
    """One page; what its console says is kept in ``complaints``."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._held = b""
        self._last = 0
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def _ask(self, method: str, **params: Any) -> Any:
        self._last += 1
        number = self._last
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            printed = self._next()
            if printed.get("id") == number:
                if "error" in printed:
                    raise GoneError(printed["error"]["message"])
                return printed["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            more = os.read(self._back, 1 << 16)
            assert more, "the browser is gone"
            self._held += more
        line, _, self._held = self._held.partition(b"\0")
        content: dict[str, Any] = json.loads(line)
        if content.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(content["params"]["exceptionDetails"]))
        elif content.get("method") == "Log.entryAdded":
            self.complaints.append(content["params"]["entry"]["text"])
        elif content.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(content["params"]["args"]))
        return content

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file and wait until its scripts ran."""
        self.visit(path.resolve().as_uri(), fragment)

    def visit(self, address: str, fragment: str = "") -> None:
        """Open an address and wait until its scripts ran."""
        self._ask("Page.navigate", url="about:blank")
        self._ask("Page.navigate", url=address + fragment)
        self.until(f"location.href.startsWith({address!r})")
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return the value of an expression; a promise is waited for."""
        result = self._ask(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press one of the keys that move about a page."""
        code, text = _KEYS[key]
        for kind in ("keyDown", "keyUp"):
            entries = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            if text and kind == "keyDown":
                entries["text"] = text
            self._ask("Input.dispatchKeyEvent", type=kind, **entries)

    def until(self, script: str) -> None:
        """Wait until an expression holds."""
        end = time.monotonic() + DEADLINE
        while not self._holds(script):
            assert time.monotonic() < end, f"never held: {script}"
            time.sleep(0.05)

    def _holds(self, script: str) -> bool:
        try:
            return bool(self.run(script))
        except GoneError:
            return False

    def look(self, *, width: int, dark: bool, out: Path) -> None:
        """Take a picture as a reader of this width and light sees the page."""
        import base64

        light = "dark" if dark else "light"
        self._ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": light}],
        )
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        time.sleep(0.5)
        shot = self._ask("Page.captureScreenshot", captureBeyondViewport=True)
        out.write_bytes(base64.b64decode(shot["data"]))


_KEYS = {
    "Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""), "ArrowRight": (39, ""), "ArrowDown": (40, ""),
}  # fmt: skip


@contextmanager
def browser(home: Path) -> Iterator[Page]:
    """Start Chromium; the test is skipped where it is not installed."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    down, to = os.pipe()
    back, up = os.pipe()
    command = [
        sys.executable,
        "-c",
        _AS_3_AND_4,
        str(down),
        str(up),
        program,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--remote-debugging-pipe",
        f"--user-data-dir={home}",
    ]
    running = subprocess.Popen(
        command, pass_fds=(down, up), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(down)
    os.close(up)
    try:
        yield Page(to, back)
    finally:
        os.close(to)
        os.close(back)
        running.terminate()
        running.wait(timeout=30)
