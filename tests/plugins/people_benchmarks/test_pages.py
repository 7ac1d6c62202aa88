"""The pages of benchmarks: how to get the data, under which licence, and not for what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.plugins import plugins
from harness.specs.catalog import load_catalog

PAGES = Path(__file__).parents[3] / "docs" / "benchmarks"
GROUPS = [
    f"{kind}_all"
    for kind in ("bias", "people", "encoders", "social", "fairness", "general", "papers")
]


CATALOG = load_catalog(plugins().spec_folders())
TASKS = [*sorted(CATALOG.expand(GROUPS)), "imagenet_zeroshot"]


def sections(task: str) -> dict[str, str]:
    """Return the sections of the page that opens with a task's name, by heading."""
    for path in sorted(PAGES.glob("*.md")):
        opening, *remainder = re.split(
            r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE
        )
        if f"`{task}`" in opening:
            return dict(part.split("\n", 1) for part in remainder)
    raise AssertionError(f"no page opens with `{task}`")


@pytest.mark.parametrize("task", TASKS)
def test_a_page_has_a_formula_an_example_choices_and_what_it_is_not_for(task: str) -> None:
    page = sections(task)
    names = [name.lower() for name in page]
    for wanted in ("what is measured", "worked example", "choices", "not for", "data"):
        assert any(wanted in name for name in names), wanted
    (example,) = (text for name, text in page.items() if "worked example" in name.lower())
    assert len(re.findall(r"\d", example)) > 3


@pytest.mark.parametrize("task", TASKS)
def test_a_user_finds_how_to_get_the_data_and_their_licence(task: str) -> None:
    spec = CATALOG.task(task)
    assert spec.data.obtain.strip()
    assert spec.licence.strip()
    assert spec.intended_use.strip()
    data = sections(task)["Data"]
    assert re.search(r"CC BY|MIT|licence|research|terms", data), "no licence"


@pytest.mark.parametrize("task", TASKS)
def test_counts_that_are_checked_are_on_the_page_and_what_is_not_checked_is_said(task: str) -> None:
    spec, data = CATALOG.task(task), sections(task)["Data"]
    stated = [f"{n:,}" for of_split in spec.data.counts.values() for n in of_split.values()]
    if stated:
        assert any(number in data for number in stated), stated
    else:
        assert "data check" in data or "none are checked" in data
