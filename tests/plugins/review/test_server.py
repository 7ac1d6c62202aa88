"""The page's server answers its page alone: key, names of the machine, other sites, paths."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness_review.server import review_server
from harness_review.session import Session
from PIL import Image

from tests.plugins.review.made import at_work, lines_of, table, wish


@dataclass
class Asked:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Sends requests as the page does, but for what a test changes."""

    port: int
    address: str
    session: Session
    folder: Path
    cookie: str = ""

    def ask(self, path: str, body: Any = None, **headers: str) -> Asked:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = None if body is None else json.dumps(body).encode()
        sent = {"Cookie": self.cookie}
        if content is not None:
            sent |= {"Content-Type": "application/json", "X-Review": "1",
                     "Origin": f"http://127.0.0.1:{self.port}"}  # fmt: skip
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET" if content is None else "POST", path, content,
                           {name: value for name, value in sent.items() if value})  # fmt: skip
        answer = connection.getresponse()
        requested = Asked(answer.status, dict(answer.getheaders()), answer.read())
        connection.close()
        return requested


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    folder = table(tmp_path / "data")
    with at_work(folder) as (session, _):
        server, address = review_server(session, 0)
        with server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            made = Client(server.server_address[1], address, session, folder)
            opened = made.ask(address.partition(str(made.port))[2])
            assert opened.status == 303
            made.cookie = opened.headers["Set-Cookie"].partition(";")[0]
            assert "HttpOnly; SameSite=Strict" in opened.headers["Set-Cookie"]
            yield made
            server.shutdown()
            thread.join()


def test_only_the_key_opens_the_page(client: Client) -> None:
    assert client.ask("/").status == 200
    assert client.ask("/", Cookie="review-0=x").status == 403
    assert client.ask("/image/0/0", Cookie="").status == 403
    assert client.ask("/?key=wrong", Cookie="").status == 403
    assert client.ask("/state", Cookie="a;b=\x7f;=").status == 403
    assert client.ask("/decide", wish(client.session.state(), "yes"), Cookie="").status == 403


def test_another_name_of_the_machine_is_refused(client: Client) -> None:
    for host in ("evil.example", f"evil.example:{client.port}", ""):
        assert client.ask("/state", Host=host or " ").status == 403
    assert client.ask("/state", Host="localhost:1").status == 200  # a forwarded port


FOREIGN = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec_Fetch_Site": "cross-site"},
    {"X_Review": ""},
    {"Content_Type": "text/plain"},
)
PATHS = (
    "/../rows.csv", "/rows.csv", "/image/../../rows.csv", "/image/0/-1", "/image/0/99",
    "/image/99/0", "/image/0/0/0", "/image/0", "/image/%D9%A3/0", "/image/" + "9" * 5000 + "/0",
    "/image/%30/0", "//etc/passwd", "/reviews/ann.jsonl", "/page.html", "/page/page.js",
)  # fmt: skip


def test_other_sites_decide_nothing(client: Client) -> None:
    state = client.session.state()
    for headers in FOREIGN:
        assert client.ask("/decide", wish(state, "yes"), **headers).status == 403, headers
        assert client.ask("/undo", {"line": state["line"]}, **headers).status == 403, headers
    assert client.session.state() == state
    assert client.ask("/decide", wish(state, "yes")).status == 200
    assert lines_of(client.folder)[-1]["event"] == "decision"


def test_no_path_leads_to_a_file(client: Client) -> None:
    for path in PATHS:
        assert client.ask(path).status == 404, path


def test_requests_that_are_no_decision_are_refused_in_one_line(client: Client) -> None:
    state = client.session.state()
    bodies: list[Any] = [
        [],
        {"line": 1},
        {"set": "s9", "line": state["line"]},
        {"set": {}, "line": True},
    ]
    for body in bodies:
        assert client.ask("/decide", body).status in {409, 422}
    assert client.ask("/decide", {"note": "x" * 70_000}).status == 413
    assert client.ask("/forget", {}).status == 404
    assert client.session.state() == state


def test_images_come_as_images_whatever_the_file_says(client: Client) -> None:
    good = client.ask("/image/0/0")
    assert good.headers["Content-Type"] == "image/png"
    assert good.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in good.headers["Content-Security-Policy"]
    assert good.body == (client.folder / "0-A.png").read_bytes()
    Image.new("RGB", (9, 9)).save(client.folder / "0-A.png", "BMP")
    assert client.ask("/image/0/0").body.startswith(b"\x89PNG")
    for content in (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b""):
        (client.folder / "0-A.png").write_bytes(content)
        refused = client.ask("/image/0/0")
        assert refused.status == 422
        assert refused.headers["Content-Type"] == "application/json"
        assert "0-A" in refused.json["error"]
