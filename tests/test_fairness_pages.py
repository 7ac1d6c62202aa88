"""The worked examples of the fairness benchmarks' pages, counted again by the metrics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.skew_rule import Rule

from tests import made

PAGES = Path(__file__).parents[1] / "docs" / "benchmarks"
NAMES = ("scounter", "fairface", "cmsc", "visogender")


def example(name: str) -> str:
    """Return the part of a page that is the worked example."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    return re.split(r"^## ", text, flags=re.MULTILINE)[2]


def skews(asked: list[float], assigned: list[float], rule: Rule | None = None) -> list[str]:
    """Return skews of one attribute at one concept as the page prints them."""
    result = (rule or Rule()).skew(np.array(asked)[:, None], np.array(assigned)[:, None])
    return [f"{value:.3f}" for value in result[:, 0]]


def test_scounter_s_example_is_what_the_metric_says() -> None:
    page = example("scounter")
    plumbers, chefs = skews([4, 4], [3, 1]), skews([4, 4], [2, 0])
    assert (plumbers, chefs) == (["0.336", "-0.511"], ["0.511", "-1.099"])
    other = {rule: skews([4, 4], [2, 0], Rule(zero=rule)) for rule in ("one_over_k", "zero")}
    assert other == {"one_over_k": ["0.693", "0.000"], "zero": ["0.693", "0.000"]}
    for value in (*plumbers, *chefs, *other["one_over_k"]):
        assert value in page
    highest = np.log([0.7 / 0.5, 2.5 / 3 / 0.5]).mean()
    lowest = np.log([0.3 / 0.5, 0.5 / 3 / 0.5]).mean()
    assert f"= {highest:.3f} and MinSkew" in page
    assert f"/ 2 = {lowest:.3f}." in page


def test_fairface_s_example_is_what_the_metric_says() -> None:
    page = example("fairface")
    for assigned in ([2.0, 0.0], [1.5, 0.5]):
        for value in skews([2, 2], assigned):
            assert f"= {value}" in page


def test_cmsc_s_example_is_what_the_metric_says() -> None:
    page = example("cmsc")
    assert skews([4, 4], [3, 1]) == ["0.336", "-0.511"]
    combined = skews([2, 2, 2, 2], [2, 1, 1, 0])
    assert combined == ["0.588", "0.000", "0.000", "-1.609"]
    for value in ("0.336", "-0.511", "0.588", "0.000", "-1.609"):
        assert f"= {value}" in page


@pytest.mark.parametrize(
    ("people", "accuracy", "gap"),
    [("single", 0.54, 0.42), ("two", 0.5, -0.34), ("all", 0.52, 0.04)],
)
def test_visogender_s_example_is_what_the_metric_says(
    people: str, accuracy: float, gap: float
) -> None:
    # Right and all of: single masculine, single feminine, two masculine, two feminine.
    totals = np.array([3.0, 4, 1, 3, 1, 3, 2, 3])
    if people != "all":
        totals[4:] = 0 if people == "single" else totals[4:]
        totals[:4] = 0 if people == "two" else totals[:4]
    options: dict[str, Any] = {"people": people}
    assert made.metric("resolution_accuracy", **options).finalize(totals) == pytest.approx(accuracy)
    assert made.metric("gender_gap", **options).finalize(totals) == pytest.approx(gap)
    page = example("visogender")
    assert f"= {accuracy:.2f}" in page
    assert f"= {gap:.2f}" in page


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_its_task_s_options_are_and_what_it_is_not_for(name: str) -> None:
    from harness.plugins import plugins
    from harness.specs.catalog import load_catalog

    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    shared = (PAGES / "scounter.md").read_text(encoding="utf-8")
    assert "## Not for" in text
    spec = load_catalog(plugins().spec_folders()).task(name)
    for option in spec.options.values():
        choices = text.split("## Choices")[1]
        message = choices if f"`{option.name}`" in choices else shared.split("## Choices")[1]
        lines = [line for line in message.splitlines() if f"`{option.name}`" in line]
        assert lines, option.name
        rows = [line for line in lines if line.startswith("|")]
        assert not rows or any(str(option.default).removesuffix(".0") in row for row in rows)
