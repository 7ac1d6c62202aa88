"""The page of one review, served on this machine, to those who have its key.

Only this machine is listened to, and only under its own name (DNS rebinding). The printed address
holds a key, so that other users of the machine see nothing; it becomes a cookie that no other site
can send. What changes a decision is JSON with a header that another site cannot send either, from
the page's own origin. Images are named by numbers: no path comes from the browser.
"""

from __future__ import annotations

import hmac
import json
import secrets
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from harness.errors import SampleError, UserError
from harness.jsonfiles import as_object, parse_json
from harness_site.serve import LOOPBACK, Pages, bound

from harness_review.images import shown_image
from harness_review.session import Session, Stale

_FOLDER = Path(__file__).parent / "page"
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_COOKIE = "review"
_MOST_BODY = 1 << 16


class _Review(Pages):
    """Answers of the review's server; see the module."""

    server_version, sys_version = "review", ""
    timeout = 60  # of a connection that sends nothing

    def __init__(self, session: Session, key: str, *arguments: Any, **named: Any) -> None:
        self._session, self._key = session, key
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:  # noqa: N802  http.server's name
        """Serve the page, its state, or an image."""
        path, _, query = self.path.partition("?")
        if not self._may_see(query):
            return
        if path in _FILES:
            name, media_type = _FILES[path]
            self._send((_FOLDER / name).read_bytes(), media_type)
        elif path == "/state":
            self._answer(self._session.state)
        elif path.startswith("/image/"):
            self._send_image(path.removeprefix("/image/").split("/"))
        elif path == "/favicon.ico":  # browsers ask for it, and complain
            self._send(b"", "image/x-icon")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")

    def do_HEAD(self) -> None:  # noqa: N802  http.server's name
        """Refuse: nothing asks for it."""
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)

    def do_POST(self) -> None:  # noqa: N802  http.server's name
        """Keep a decision or undo one."""
        self.close_connection = True  # a body that is refused is not read
        if not self._may_see("") or not self._may_change():
            return
        doing = {"/decide": self._session.decide, "/undo": self._session.undo}.get(self.path)
        if doing is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")
            return
        size = self.headers.get("Content-Length") or ""
        if not size.isdecimal() or int(size) > _MOST_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
            return
        body = self.rfile.read(int(size))
        self._answer(lambda: doing(as_object(parse_json(body, "the request"), "the request")))

    def _may_see(self, query: str) -> bool:
        """Whether a request has the key; with the key in its address it gets the cookie."""
        if not self.is_for_this_machine():
            self._refuse(HTTPStatus.FORBIDDEN, "another name than this machine's")
            return False
        key = parse_qs(query).get("key", [""])[0]
        if key and self._is_key(key):
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", "/")
            self.send_header(
                "Set-Cookie", f"{self._cookie}={self._key}; Path=/; HttpOnly; SameSite=Strict"
            )
            self.send_header("Content-Length", "0")
            self._end_headers()
            return False
        try:
            cookies = SimpleCookie(self.headers.get("Cookie") or "")
        except CookieError:
            cookies = SimpleCookie()
        if self._cookie in cookies and self._is_key(cookies[self._cookie].value):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "open the address that `harness review` printed")
        return False

    def _may_change(self) -> bool:
        """Whether a request comes from the page itself, and from no other site."""
        origin, host = self.headers.get("Origin"), self.headers.get("Host")
        site = self.headers.get("Sec-Fetch-Site", "same-origin")
        kind = (self.headers.get("Content-Type") or "").partition(";")[0].strip()
        if (
            site != "same-origin"
            or origin not in {None, f"http://{host}"}
            or self.headers.get("X-Review") != "1"
            or kind != "application/json"
        ):
            self._refuse(HTTPStatus.FORBIDDEN, "sent by another page")
            return False
        return True

    @property
    def _cookie(self) -> str:
        # Cookies have no ports; two reviews on one machine must not take each other's.
        return f"{_COOKIE}-{hmac.new(self._key.encode(), b'name', 'sha256').hexdigest()[:8]}"

    def _is_key(self, key: str) -> bool:
        return hmac.compare_digest(key.encode(), self._key.encode())

    def _answer(self, doing: Any) -> None:
        try:
            self._send_json(doing(), HTTPStatus.OK)
        except Stale:
            self._refuse(HTTPStatus.CONFLICT, "the page was out of date; it shows what is next now")
        except UserError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    def _send_image(self, numbers: list[str]) -> None:
        short = all(number.isascii() and number.isdecimal() for number in numbers)
        if not short or len(numbers) != 2 or max(map(len, numbers)) > 9:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such image")
            return
        item = self._session.item(int(numbers[0]), int(numbers[1]))
        if item is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such image")
            return
        try:
            image = shown_image(item)
        except SampleError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, error.message)
            return
        self._send(image.content, image.media_type)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._send_json({"error": reason}, status)

    def _send_json(self, value: Any, status: HTTPStatus) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, content: bytes, media_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        text = media_type.startswith("text/")
        self.send_header("Content-Type", f"{media_type}; charset=utf-8" if text else media_type)
        self.send_header("Content-Length", str(len(content)))
        self._end_headers()
        with suppress(ConnectionError):  # the browser went on to the next set
            self.wfile.write(content)

    def _end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()


def review_server(session: Session, port: int) -> tuple[ThreadingHTTPServer, str]:
    """Return a server of a review on the loopback address, and the address of its page.

    The caller runs and closes it.

    Args:
        session: The reviewer at work.
        port: 0 takes a free one.

    Raises:
        UserError: the port is taken.
    """
    key = secrets.token_urlsafe(24)
    http = bound(port, partial(_Review, session, key))
    return http, f"http://{LOOPBACK}:{http.server_address[1]}/?key={key}"
