"""The site as a reader meets it, opened from files in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.site.chromium import Page, browser
from tests.plugins.site.sites import HOSTILE, built, evaluations, many
from tests.runs.sealed import FACES

pytestmark = pytest.mark.slow

ROWS = "[...document.querySelectorAll('tr[data-row]')].filter(r => !r.hidden)"
NAMES = f"{ROWS}.map(r => r.cells[0].textContent)"
STATUS = "document.getElementById('status').textContent"
READY = f"{STATUS} !== ''"
LISTED = "[...document.querySelectorAll('#list tbody tr')].map(r => r.cells[0].textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_complaint(page: Page) -> Iterator[None]:
    page.complaints.clear()
    yield
    assert page.complaints == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    return built(folder / "out", [evaluations(folder / "results")], figures=True)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    return built(folder / "out", [many(folder / "results", 2000)])


def set_value(name: str, value: str) -> str:
    return (
        f"(() => {{ const e = document.getElementById('{name}'); e.value = {value!r};"
        "e.dispatchEvent(new Event('input', {bubbles: true}));"
        "e.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def test_rows_are_sorted_best_first_and_said_so(page: Page, site: Path) -> None:
    page.open(site / "index.html")
    page.until(READY)
    first = page.run(NAMES)
    button = "document.querySelector('th[data-column] button')"
    page.run(f"{button}.click()")
    head = "document.querySelector('th[data-column]').getAttribute('aria-sort')"
    assert page.run(head) == "descending"
    assert page.run(NAMES)[:2] == ["plain", "other"]
    assert "best first by Accuracy" in page.run(STATUS)
    page.run(f"{button}.click()")
    assert page.run(head) == "ascending"
    assert page.run(NAMES)[:2] == ["other", "plain"]
    assert sorted(page.run(NAMES)) == sorted(first)


def test_rows_of_other_samples_stay_apart_when_sorted(page: Page, site: Path) -> None:
    page.open(site / "index.html")
    page.until(READY)
    page.run("document.querySelector('th[data-column] button').click()")
    sections = "[...document.querySelectorAll('tbody[data-section]')]"
    rows = f"{sections}.map(b => b.querySelectorAll('tr[data-row]').length)"
    assert page.run(rows) == [2, 1]


def test_rows_are_filtered_and_grouped(page: Page, site: Path) -> None:
    page.open(site / "index.html")
    page.until(READY)
    page.run(set_value("filter", "PLA"))
    assert page.run(NAMES) == ["plain"]
    assert page.run(STATUS) == "1 of 3 rows"
    page.run(set_value("filter", ""))
    page.run(set_value("group", "marks"))
    bands = "[...document.querySelectorAll('tr.grouped')].map(r => r.textContent)"
    assert page.run(bands) == ["demo", "no marks", "errored, limited"]
    page.run(set_value("group", ""))
    assert page.run(bands) == []


def test_another_baseline_is_another_page(page: Page, site: Path) -> None:
    page.open(site / "index.html")
    page.until(READY)
    page.run(set_value("baseline", "board-0-1.html"))
    page.until("location.href.endsWith('board-0-1.html')")
    page.until(f"document.body.textContent.includes('(-33.3)') && {READY}")


def test_latex_is_copied_as_the_harness_writes_it(page: Page, site: Path) -> None:
    page.open(site / "index.html")
    page.until(READY)
    page.run("document.getElementById('tex').open = true")
    # The clipboard of a headless browser may be closed: what would be put there is kept instead.
    page.run(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (t) => {"
        "window.taken = t; }}, configurable: true})"
    )
    page.run("document.getElementById('copy').click()")
    page.until("document.getElementById('copied').textContent === 'Copied.'")
    taken = page.run("window.taken")
    assert taken.startswith("% \\usepackage{booktabs")
    assert "\\end{table}\n" in taken
    assert "\\textless{}/script\\textgreater{}" in taken


def test_samples_are_opened_and_closed_with_the_keyboard_in_mind(page: Page, site: Path) -> None:
    path = next(p for p in site.glob("samples/*.html") if "other" in p.read_text())
    page.open(path, "#a=1")
    page.until(READY)
    assert page.run("document.getElementById('a').value") == "1"
    assert page.run(LISTED) == ["0", "1", "2", "3", "4", "5"]
    page.run(set_value("outcome", "w"))
    page.until(f"{STATUS} === '2 of 6 samples'")
    assert page.run(LISTED) == ["1", "3"]
    page.run("document.querySelector('#list button').click()")
    page.until("document.activeElement.id === 'sample'")
    text = page.run("document.getElementById('sample').textContent")
    assert "Sample 1" in text
    assert "anger" in text
    assert page.run("document.querySelectorAll('#sample meter').length") == 7
    page.run("[...document.querySelectorAll('#sample button')].at(0).click()")
    assert page.run("document.activeElement.textContent") == "1"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element that fits has the focus."""
    for _ in range(60):
        page.press("Tab")
        if page.run(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_the_keyboard_alone_sorts_a_table_and_opens_a_sample(page: Page, site: Path) -> None:
    page.open(site / "index.html")
    page.until(READY)
    tab_to(page, "th[data-column] button")
    page.press("Enter")
    head = "document.querySelector('th[data-column]').getAttribute('aria-sort')"
    assert page.run(head) == "descending"
    page.open(next(p for p in site.glob("samples/*.html") if "other" in p.read_text()))
    page.until(READY)
    tab_to(page, "#list button")
    page.press("Tab")
    page.press("Enter")
    page.until("document.activeElement.id === 'sample'")
    page.press("Escape")
    assert page.run("document.getElementById('sample').hidden")
    assert page.run("document.activeElement.textContent") == "1"


def test_samples_of_a_slice_and_an_outcome(page: Page, site: Path) -> None:
    page.open(next(p for p in site.glob("samples/*.html") if "other" in p.read_text()), "#a=1")
    page.until(READY)
    page.run(set_value("slice", "0:1"))
    page.until(f"{STATUS} === '3 of 6 samples'")
    assert page.run(LISTED) == ["3", "4", "5"]
    page.run(set_value("outcome", "w"))
    page.until(f"{STATUS} === '1 of 6 samples'")
    assert page.run(LISTED) == ["3"]


def test_two_models_disagree_on_some_samples(page: Page, large: Path) -> None:
    page.open(next(large.glob("samples/*.html")))
    page.until(READY)
    page.run(set_value("b", "1"))
    page.until("!document.getElementById('head-b').hidden")
    page.run("document.getElementById('differ').click()")
    page.until(f"{STATUS} === '1 of 2000 samples'")
    assert page.run(LISTED) == ["00003"]


def test_pages_of_samples_hold_few_rows(page: Page, large: Path) -> None:
    right = sum(FACES[index % 6] == FACES[(index + index // 7) % 6] for index in range(2000))
    right -= 1  # the first model is the one that differs on a sample
    page.open(next(large.glob("samples/*.html")))
    page.until(READY)
    assert len(page.run(LISTED)) == 25
    page.run(set_value("page", "41"))
    page.until(f"{LISTED}[0] === '01000'")
    assert page.run("document.getElementById('of').textContent") == "of 80"
    page.run("document.getElementById('after').click()")
    page.until(f"{LISTED}[0] === '01025'")
    page.run(set_value("outcome", "r"))
    page.until(f"{STATUS} === '{right} of 2000 samples'")
    assert page.run("document.getElementById('page').value") == "1"


def test_hostile_texts_are_shown_and_do_nothing(page: Page, site: Path) -> None:
    path = next(p for p in site.glob("samples/*.html") if "onerror" in p.read_text())
    page.open(path)
    page.until(READY)
    page.run("document.querySelector('#list button').click()")
    page.until("document.activeElement.id === 'sample'")
    assert HOSTILE in page.run("document.getElementById('sample').textContent")
    assert page.run("document.title") != "1"
    assert page.run("document.querySelectorAll('#sample img').length") == 0


def test_pages_open_on_a_phone_without_complaint(page: Page, site: Path, tmp_path: Path) -> None:
    for path in [site / "index.html", site / "evaluations.html", *site.glob("*/*.html")]:
        page.open(path)
        page.look(width=390, dark=False, out=tmp_path / "page.png")
        page.run("document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; })")
        page.until("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.run(wide) <= 0, path


def test_axe_finds_nothing(page: Page, site: Path, tmp_path: Path) -> None:
    axe = os.environ.get("AXE_CORE")
    if axe is None:
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed, and AXE_CORE names no axe.min.js")
        command = [npm, "install", "--silent", "--prefer-offline", "axe-core@4"]
        if subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode:
            pytest.skip("npm could not install axe-core")
        axe = str(tmp_path / "node_modules" / "axe-core" / "axe.min.js")
    script = Path(axe).read_text(encoding="utf-8")
    item = next(site.glob("evaluations/raf-db-other-*.html"))
    samples = next(p for p in site.glob("samples/*.html") if "other" in p.read_text())
    for path in (site / "index.html", site / "evaluations.html", item, samples):
        for dark in (False, True):
            page.open(path)
            page.look(width=390 if dark else 1200, dark=dark, out=tmp_path / "page.png")
            if path == samples:
                page.until(READY)
                page.run("document.querySelector('#list button').click()")
                page.until("document.activeElement.id === 'sample'")
            page.run(f"{script}; true")
            message = "r.violations.map(v => [v.id, v.nodes.map(n => n.html)])"
            outcome = page.run(f"axe.run({{preload: false}}).then(r => {message})")
            assert outcome == [], path


TILES = "[...document.querySelectorAll('#gallery button')]"
TILE_NAMES = f"{TILES}.map(t => t.querySelector('strong').textContent)"


def samples_page(site: Path) -> Path:
    return next(p for p in site.glob("samples/*.html") if "other" in p.read_text())


def test_the_gallery_is_walked_with_arrow_keys_and_says_right_and_wrong(
    page: Page, site: Path
) -> None:
    page.open(samples_page(site), "#a=1&view=gallery")
    page.until(f"{STATUS} === '6 of 6 samples'")
    assert page.run(TILE_NAMES) == ["0", "1", "2", "3", "4", "5"]
    wrong = page.run(f"{TILES}.map(t => t.textContent.includes(': wrong'))")
    assert wrong == [False, True, False, True, False, False]
    page.run(f"{TILES}[0].focus()")
    page.press("ArrowRight")
    assert page.run("document.activeElement.querySelector('strong').textContent") == "1"
    page.press("Enter")
    page.until("document.activeElement.id === 'sample'")
    page.press("ArrowRight")
    page.until("document.getElementById('sample-title').textContent === 'Sample 2'")
    page.press("Escape")
    page.until("document.getElementById('sample').hidden")


def test_an_address_opens_the_same_view_again(page: Page, site: Path) -> None:
    path = samples_page(site)
    page.open(path)
    page.until(f"{STATUS} === '6 of 6 samples'")
    page.run(set_value("a", "1"))
    page.run(set_value("view", "gallery"))
    page.run(set_value("outcome", "w"))
    page.until(f"{STATUS} === '2 of 6 samples'")
    page.run(f"{TILES}[1].click()")
    page.until("location.hash.includes('sample=3')")
    address = page.run("location.hash")
    page.open(path, address)
    page.until("document.getElementById('sample-title')?.textContent === 'Sample 3'")
    assert page.run(TILE_NAMES) == ["1", "3"]


def test_a_link_followed_on_its_own_page_is_shown(page: Page, site: Path) -> None:
    path = samples_page(site)
    page.open(path, "#a=1&view=gallery&outcome=w&sample=3")
    page.until("document.getElementById('sample-title')?.textContent === 'Sample 3'")
    assert page.run(STATUS) == "2 of 6 samples"
    page.run("location.hash = '#outcome=w'")
    page.until("document.getElementById('sample').hidden")
    page.until("!document.getElementById('list').hidden")
    assert page.run("document.getElementById('view').value") == ""
    assert page.run("document.getElementById('a').value") == "0"
    page.run("location.hash = '#sample=1'")
    page.until("document.getElementById('sample-title')?.textContent === 'Sample 1'")
    assert page.run(STATUS) == "6 of 6 samples"


def test_a_number_of_the_confusion_table_opens_its_samples(page: Page, site: Path) -> None:
    path = next(p for p in site.glob("evaluations/*other*.html"))
    page.open(path)
    link = "document.querySelector('.confusion td a')"
    count = int(page.run(f"{link}.textContent"))
    page.run(f"{link}.click()")
    page.until("location.href.includes('/samples/') && document.readyState === 'complete'")
    page.until(f"{STATUS} === '{count} of 6 samples'")
    assert "Right answer:" in page.run("document.getElementById('cell').textContent")
    page.run("document.querySelector('#cell button').click()")
    page.until(f"{STATUS} === '6 of 6 samples'")


def test_the_surest_answers_come_first(page: Page, large: Path) -> None:
    path = next(iter(large.glob("samples/*.html")))
    page.open(path, "#sort=unsure&view=gallery")
    page.until(f"{STATUS} === '2000 of 2000 samples'")
    assert len(page.run(TILE_NAMES)) == 60
