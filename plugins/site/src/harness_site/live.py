"""A site that follows a run: built anew when an evaluation is finished, with a line of progress."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.config.settings import load_settings
from harness.errors import FAULTS, HarnessError, UserError, error_text, flat
from harness.runs.folder import EVALUATIONS
from harness.runs.journal import FOLDER as JOURNAL
from harness.runs.journal import Journal
from harness.runs.seal import SEAL
from harness.runs.superseded import about_of

from harness_site.build import is_site, refuse_other
from harness_site.serve import Pages, bound

STATE, FOLLOWER = "/live-state.js", "/live.js"
EVERY = 2.0
"""Seconds between two looks."""
_TAG = b'<script src="%s" defer></script></head>' % FOLLOWER.encode()
_SCRIPT = """"use strict";
let built = null;
function liveState(state) {
  let line = document.getElementById("live");
  if (!line) {
    line = document.createElement("p");
    line.id = "live";
    line.setAttribute("role", "status");
    document.body.prepend(line);
  }
  line.textContent = state.line;
  if (built !== null && built !== state.built) { location.reload(); }
  built = state.built;
}
function look() {
  const script = document.createElement("script");
  script.src = "/live-state.js?" + Date.now();
  script.onload = script.onerror = () => script.remove();
  document.head.append(script);
}
look();
setInterval(look, 2000);
"""
_WAITING = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Waiting</title>
</head><body><main><h1>No evaluation is finished yet</h1></main></body></html>"""


class Live:
    """Follows a results folder.

    Args:
        results: The folder.
        build: Builds the site anew.
    """

    def __init__(self, results: Path, build: Callable[[], object]) -> None:
        self._results, self._build = results, build
        self._seals: dict[Path, int] = {}
        self._built, self._problem = 0, ""

    def look(self) -> None:
        """Build the site anew if an evaluation was finished or went since the last look."""
        seals = {
            path: path.stat().st_mtime_ns
            for path in (self._results / EVALUATIONS).glob(f"*/*/{SEAL}")
            if path.exists()
        }
        if seals == self._seals:
            return
        self._seals = seals
        if not seals:
            return
        try:
            self._build()
        except HarnessError as error:
            self._problem = f"not built anew: {error.message}"
        else:
            self._built, self._problem = self._built + 1, ""

    def state(self) -> dict[str, Any]:
        """Return how often the site was built, and a line on what is being evaluated."""
        going = []
        for folder in sorted((self._results / EVALUATIONS).glob(f"*/*/{JOURNAL}")):
            directory = folder.parent
            if (directory / SEAL).exists():
                continue
            about = about_of(directory) or {}
            try:
                done = f"{Journal(directory).samples:,}"
            except UserError:  # it is being written, or finished just now
                done = "?"
            samples = about.get("samples")
            of = f"{samples:,}" if isinstance(samples, int) else "?"
            going.append(f"{directory.parent.name}/{directory.name}: {done} of {of}")
        line = "; ".join(going) or "nothing is being evaluated"
        return {"built": self._built, "line": flat("; ".join(filter(None, (line, self._problem))))}

    def follow(self, ended: threading.Event, say: Callable[[str], None]) -> None:
        """Look again and again until the event is set."""
        while not ended.wait(EVERY):
            try:
                self.look()
            except FAULTS as error:  # the pages that are there are served on
                say(f"not looked at: {error_text(error)}")


class _LivePages(Pages):
    """Pages of the site that ask how the run goes."""

    def __init__(self, live: Live, *arguments: Any, **named: Any) -> None:
        self._live = live
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:  # noqa: N802  http.server's name
        """Serve the state, the script that asks for it, or a page with that script."""
        path = self.path.partition("?")[0]
        if not self.is_for_this_machine():
            super().do_GET()
        elif path == STATE:
            self._send(f"liveState({json.dumps(self._live.state())});", "text/javascript")
        elif path == FOLLOWER:
            self._send(_SCRIPT, "text/javascript")
        elif path == "/favicon.ico":  # browsers ask for it, and complain
            self._send("", "image/x-icon")
        elif path.endswith(("/", ".html")):
            file = Path(self.translate_path(path), "index.html" if path.endswith("/") else "")
            if self.is_inside(str(file)) and file.is_file():
                self._send(file.read_bytes(), "text/html")
            elif not is_site(Path(self.directory)):
                self._send(_WAITING, "text/html")
            else:
                super().do_GET()
        else:
            super().do_GET()

    def _send(self, content: str | bytes, kind: str) -> None:
        body = content.encode() if isinstance(content, str) else content
        if kind == "text/html":
            body = body.replace(b"</head>", _TAG, 1)
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def live_server(folder: Path, port: int, live: Live) -> ThreadingHTTPServer:
    """Return a server of a site that follows a run; the caller runs and closes it.

    Raises:
        UserError: the folder holds something else, or the port is taken.
    """
    refuse_other(folder)
    return bound(port, partial(_LivePages, live, directory=str(folder)))


def following(  # noqa: PLR0913, PLR0917  what is followed, where it is shown, and how it is reported
    out: Path,
    port: int,
    results: Path | None,
    build: Callable[[Path], object],
    ended: threading.Event,
    say: Callable[[str], None],
) -> ThreadingHTTPServer:
    """Return a server of a site that a thread builds anew while a run goes on.

    Args:
        out: The site's folder.
        port: Port on this machine alone; 0 for a free one.
        results: The results folder that is followed; the settings' by default.
        build: Builds the site of that folder.
        ended: Set when the server ends; the thread ends then.
        say: Takes one line at a time.
    """
    folder = load_settings(results=results).results
    live = Live(folder, partial(build, folder))
    http = live_server(out, port, live)
    live.look()
    threading.Thread(target=live.follow, args=(ended, say), daemon=True).start()
    return http
