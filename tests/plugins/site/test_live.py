"""A site that follows a run: built anew when something is finished, with a line of progress."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path
from typing import Any

import pytest
from harness_site.live import Live, live_server

import harness
from harness.api.runs import NullReporter
from harness.errors import UserError
from tests.plugins.site.chromium import browser


def asked(port: int, path: str, host: str = "localhost") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    content = answer.status, answer.read().decode()
    connection.close()
    return content


class Serving:
    """A server of a site that is built of a folder; ``built`` counts."""

    def __init__(self, tmp_path: Path) -> None:
        self.results, self.out = tmp_path / "results", tmp_path / "site"
        self.live = Live(self.results, self.build)
        self.server = live_server(self.out, 0, self.live)
        self.port = int(self.server.server_address[1])
        self.thread = threading.Thread(target=self.server.serve_forever)

    def build(self) -> None:
        harness.build_site(self.out, self.results, duplicates="newest", figures=False, images=0)

    def __enter__(self) -> Serving:
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def run(results: Path, model: str = "random") -> None:
    harness.run(model, "raf_db", results=results, profile="demo", limit=3)


def test_pages_come_as_evaluations_are_finished(tmp_path: Path) -> None:
    with Serving(tmp_path) as serving:
        serving.live.look()
        status, page = asked(serving.port, "/index.html")
        assert status == 200
        assert "No evaluation is finished yet" in page
        run(serving.results)
        serving.live.look()
        serving.live.look()  # nothing changed
        assert serving.live.state()["built"] == 1
        page = asked(serving.port, "/index.html")[1]
        assert "random" in page
        assert '<script src="/live.js" defer>' in page
        assert "liveState" in asked(serving.port, "/live.js")[1]
        assert '"built": 1' in asked(serving.port, "/live-state.js?3")[1]
        assert asked(serving.port, "/assets/site.css")[0] == 200
        assert asked(serving.port, "/live-state.js", "evil.example")[0] == 403
        assert asked(serving.port, "/../results/runs/")[0] == 404


def test_what_is_being_evaluated_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = Serving(tmp_path)
    lines: list[str] = []

    class Looks(NullReporter):
        def progress(self, samples: int) -> None:  # noqa: ARG002
            lines.append(serving.live.state()["line"])

    harness.run(
        "null", "raf_db", results=serving.results, profile="demo", limit=70, reporter=Looks()
    )
    serving.server.server_close()
    assert any("raf_db/null-" in line and "64 of 70" in line for line in lines)
    assert serving.live.state()["line"] == "nothing is being evaluated"


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UserError, match="not a site"):
        live_server(tmp_path, 0, Live(tmp_path, lambda: None))


@pytest.mark.slow
def test_an_open_page_follows_a_run(tmp_path: Path) -> None:
    serving = Serving(tmp_path)
    ended = threading.Event()
    follower = threading.Thread(target=serving.live.follow, args=(ended, print))
    with serving, browser(tmp_path / "profile") as page:
        follower.start()
        try:
            run(serving.results)
            page.visit(f"http://127.0.0.1:{serving.port}/index.html")
            page.until("document.body?.innerText.includes('random')")
            page.until("document.getElementById('live') !== null")
            run(serving.results, "null")
            page.until("document.body?.innerText.includes('null')")
            assert page.complaints == []
        finally:
            ended.set()
            follower.join()
