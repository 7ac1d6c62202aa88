"""Serve a built site to this machine alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.errors import UserError, reason_of
from harness.jsonfiles import refuse_missing

from harness_site.build import is_site

LOOPBACK = "127.0.0.1"


class Pages(SimpleHTTPRequestHandler):
    """Files of the site; no listings, no links out, and nobody else's name for this machine."""

    def send_head(self) -> Any:
        """Refuse requests that were sent to another name (DNS rebinding)."""
        if not self.is_for_this_machine():
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        path = self.translate_path(self.path)
        if "\0" in path:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return None
        if not self.is_inside(path):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def is_for_this_machine(self) -> bool:
        """Whether a request was sent to a name that this machine has for itself."""
        name = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        return name in {LOOPBACK, "localhost"}

    def is_inside(self, path: str) -> bool:
        """Whether a path is the site's, wherever links on it lead."""
        try:
            return Path(path).resolve().is_relative_to(Path(self.directory).resolve())
        except (OSError, RuntimeError):  # too long a name, a link to itself
            return False

    def list_directory(self, path: Any) -> None:  # noqa: ARG002  http.server's signature
        """Show no folder."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: Any) -> None:
        """Say nothing for each file."""


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of the site on the loopback address; the caller runs and closes it.

    Args:
        folder: A built site.
        port: 0 takes a free one.

    Raises:
        UserError: no site there, or the port is taken.
    """
    refuse_missing(folder)
    if not is_site(folder):
        raise UserError("this folder holds no site", where=folder,
                        fix="harness site build FOLDER, an empty one or a new one")  # fmt: skip
    return bound(port, partial(Pages, directory=str(folder)))


def bound(port: int, pages: Callable[..., Pages]) -> ThreadingHTTPServer:
    """Return a server on the loopback address.

    Raises:
        UserError: the port is taken.
    """
    try:
        return ThreadingHTTPServer((LOOPBACK, port), pages)
    except OSError as error:
        raise UserError(
            f"port {port} cannot be used: {reason_of(error)}", fix="use --port 0 for a free one"
        ) from None
