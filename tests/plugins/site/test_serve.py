from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness_site.serve import server

from harness.errors import UserError
from tests.plugins.site.sites import built
from tests.runs.sealed import answers, write


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def port(served: Path) -> Iterator[int]:
    folder = served
    site = built(folder / "out", [write(folder / "results", answers())])
    (folder / "secret").write_text("secret")
    with server(site, 0) as content:
        assert content.server_address[0] == "127.0.0.1"
        thread = threading.Thread(target=content.serve_forever)
        thread.start()
        yield int(content.server_address[1])
        content.shutdown()
        thread.join()


def asked(port: int, path: str, host: str = "localhost") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    results = answer.status, answer.read()
    connection.close()
    return results


def test_pages_are_served(port: int) -> None:
    status, content = asked(port, "/")
    assert status == 200
    assert b"<h1>Leaderboard</h1>" in content


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "/assets/", "/nothing"])
def test_nothing_else_is(port: int, path: str) -> None:
    status, content = asked(port, path)
    assert status == 404
    assert content != b"secret"


def test_a_nul_is_no_path(port: int) -> None:
    assert asked(port, "/%00")[0] == 400
    assert asked(port, "/index.html%00.js")[0] == 400
    assert asked(port, "/" + "n" * 5_000)[0] == 404


@pytest.mark.parametrize("path", ["/out/link", "/out/folder/secret", "/out/round"])
def test_no_link_out_of_the_site_is_followed(port: int, served: Path, path: str) -> None:
    site = served / "out"
    for name, target in (("link", "../secret"), ("folder", ".."), ("round", "round")):
        if not (site / name).is_symlink():
            (site / name).symlink_to(target)
    status, content = asked(port, path.removeprefix("/out"))
    assert status == 404
    assert b"secret" not in content
    (site / "inside").unlink(missing_ok=True)
    (site / "inside").symlink_to("index.html")
    assert asked(port, "/inside")[0] == 200


def test_another_name_of_this_machine_is_refused(port: int) -> None:
    assert asked(port, "/", host="evil.example")[0] == 403


def test_a_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no site"):
        server(tmp_path, 0)


def test_a_port_that_is_taken_is_said(tmp_path: Path, port: int) -> None:
    (tmp_path / "harness-site.json").write_text("{}")
    with pytest.raises(UserError, match="cannot be used"):
        server(tmp_path, port)
