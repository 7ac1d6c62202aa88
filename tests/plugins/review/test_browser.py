"""The review page as a reviewer meets it: the command, a real browser, the keyboard."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.review.made import HOSTILE, lines_of, table
from tests.plugins.site.chromium import Page, browser

pytestmark = pytest.mark.slow

TITLE = "document.getElementById('title').textContent"
MESSAGE = "document.getElementById('message').textContent"
PROGRESS = "document.getElementById('progress').textContent"
LOADED = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@contextmanager
def serving(
    folder: Path, *arguments: str, reviewer: str = "ann"
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "harness", "review", str(folder), "--reviewer", reviewer]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().strip(), running
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(timeout=60) in {0, -signal.SIGKILL}


def key(page: Page, sign: str) -> None:
    """Press a key as the page hears it."""
    event = f"new KeyboardEvent('keydown', {{key: {sign!r}, bubbles: true}})"
    page.run(f"document.activeElement.dispatchEvent({event})")


def decisions(folder: Path, reviewer: str = "ann") -> list[dict[str, Any]]:
    return [line for line in lines_of(folder, reviewer) if line["event"] == "decision"]


def test_a_set_is_decided_by_keys_and_undone(page: Page, tmp_path: Path) -> None:
    page.complaints.clear()
    folder = table(tmp_path / "data")
    with serving(folder) as (address, _):
        page.visit(address.partition("?")[0] + "page.css")  # without the key nothing is shown
        assert "open the address" in page.run("document.body.textContent")
        page.complaints.clear()
        page.visit(address.partition("?")[0], "?" + address.partition("?")[2])
        page.until(f"{TITLE}.startsWith('Set ')")
        page.until(LOADED)
        assert page.run("document.images.length") == 2
        assert page.run("location.search") == ""
        first = page.run(TITLE)
        key(page, "y")
        page.until(f"{TITLE} !== {first!r}")
        second = page.run(TITLE)
        key(page, "n")
        page.until("!document.getElementById('reasons').hidden")
        key(page, "Enter")
        page.until(f"{MESSAGE}.includes('Choose a reason')")
        assert page.run(TITLE) == second
        key(page, "2")
        key(page, "Enter")
        page.until(f"{TITLE} !== {second!r}")
        third = page.run(TITLE)
        key(page, "s")
        page.until("!document.getElementById('reasons').hidden")
        key(page, "Escape")
        key(page, "u")
        page.until(f"{MESSAGE} === 'Undone: ' + {second!r}.replace('S', 's')")
        assert page.run(TITLE) == second
        key(page, "y")
        page.until(f"{TITLE} === {third!r}")
        assert page.run(PROGRESS).startswith("ann: 2 of 4 sets decided")
    made = decisions(folder)
    assert [each["verdict"] for each in made] == ["yes", "no", "yes"]
    assert made[1]["reasons"] == ["face not to be seen"]
    assert all(len(each["images"]) == 64 for each in made)
    assert page.complaints == []


def test_hostile_texts_and_broken_images_are_shown_and_do_nothing(
    page: Page, tmp_path: Path
) -> None:
    page.complaints.clear()
    folder = table(tmp_path / "data", sets=1)
    (folder / "0-B.png").write_bytes(b"<script>document.title = 1</script>")
    with serving(folder) as (address, _):
        page.visit(address.partition("?")[0], "?" + address.partition("?")[2])
        page.until("document.querySelector('.fault') !== null")
        assert "not an image" in page.run("document.querySelector('.fault').textContent")
        assert page.run("document.getElementById('common').textContent") == f"concept{HOSTILE}"
        assert page.run("document.title") == "Set s0"
        assert page.run("document.images.length") == 1
        key(page, "y")
        page.until(f"{TITLE} === 'Every set of yours is decided'")


def test_a_killed_server_loses_no_decision_and_the_page_says_so(page: Page, tmp_path: Path) -> None:
    folder = table(tmp_path / "data")
    with serving(folder) as (address, running):
        page.visit(address.partition("?")[0], "?" + address.partition("?")[2])
        page.until(f"{TITLE}.startsWith('Set ')")
        first = page.run(TITLE)
        key(page, "y")
        page.until(f"{TITLE} !== {first!r}")
        outcome = page.run(TITLE)
        running.kill()
        running.wait(timeout=60)
        key(page, "y")
        page.until(f"{MESSAGE}.startsWith('Not kept:')")
        assert page.run(TITLE) == outcome
    assert [f"Set {each['set']}" for each in decisions(folder)] == [first]
    with serving(folder) as (address, _):
        page.visit(address.partition("?")[0], "?" + address.partition("?")[2])
        page.until(f"{TITLE} === {outcome!r}")


def test_two_reviewers_agree_on_the_sets_for_everyone(page: Page, tmp_path: Path) -> None:
    folder = table(tmp_path / "data")
    both = ("--reviewers", "ann,bob", "--overlap", "1")
    for who in ("ann", "bob"):
        with serving(folder, *both, reviewer=who) as (address, _):
            page.visit(address.partition("?")[0], "?" + address.partition("?")[2])
            for number in range(4):
                page.until(f"{PROGRESS}.startsWith('{who}: {number} of 4')")
                name = page.run(TITLE)
                if name == "Set s1":
                    key(page, "n")
                    page.until("!document.getElementById('reasons').hidden")
                    key(page, "1")
                    key(page, "Enter")
                else:
                    key(page, "y")
            page.until(f"{TITLE} === 'Every set of yours is decided'")
    outcome = page.run("document.getElementById('agreement').textContent")
    assert "alpha 1 " in outcome
    assert "over 4 sets" in outcome
    text = json.dumps(decisions(folder, "bob"))
    assert "no person, or several" in text


def test_the_page_fits_a_phone_and_reads_in_the_dark(page: Page, tmp_path: Path) -> None:
    folder = table(tmp_path / "data")
    with serving(folder) as (address, _):
        page.visit(address.partition("?")[0], "?" + address.partition("?")[2])
        page.until(f"{TITLE}.startsWith('Set ')")
        page.look(width=390, dark=True, out=tmp_path / "page.png")
        page.until(LOADED)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.run(wide) <= 0
