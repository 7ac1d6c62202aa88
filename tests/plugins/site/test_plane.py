"""Bias against ability: which pairs there are, who is on the front, and the page in a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from harness_site.files import Site
from harness_site.plane import Plane, planes_of, write_planes

import harness
from harness.runs.record import EvaluationRecord
from harness.tables.build import TableOptions
from tests.plugins.site.chromium import browser
from tests.plugins.site.sites import HOSTILE, built
from tests.tables.records import metric, record

MODELS = {"fair": (0.2, 0.1), "able": (0.8, -0.4), "worse": (0.2, 0.3), HOSTILE: (0.9, -0.5)}


def records() -> list[EvaluationRecord]:
    made = []
    for model, (ability, bias) in MODELS.items():
        skews = [
            metric(0.0, name="max_skew", column="MaxSkew@C", direction="zero", scale=1.0),
            metric(bias, name="matched_max_skew", column="Matched max", direction="zero",
                   scale=1.0, main=False),
            metric(0.5, name="yes_rate", column="Yes", direction="none", main=False),
        ]  # fmt: skip
        made += [record(model, "vqav2", metric(ability)), record(model, "scounter", *skews)]
    return made


def planes() -> list[Plane]:
    return planes_of(records(), TableOptions())


def test_a_plane_is_an_ability_against_the_matched_skew_of_a_bias() -> None:
    (plane,) = planes()
    assert (plane.ability, plane.bias, plane.metric) == ("vqav2", "scounter", "matched_max_skew")
    assert plane.models()["able"][0].value == pytest.approx(80)
    assert plane.models()["able"][1].value == pytest.approx(-0.4)


def test_the_front_is_who_none_equals_and_beats_by_comparing_every_pair() -> None:
    beaten = {
        name
        for name, (ability, bias) in MODELS.items()
        for other, (able, biased) in MODELS.items()
        if other != name
        and able >= ability
        and abs(biased) <= abs(bias)
        and (able, abs(biased)) != (ability, abs(bias))
    }
    assert planes()[0].front() == MODELS.keys() - beaten == {"fair", "able", HOSTILE}


def test_there_is_no_plane_without_two_models_a_bias_or_an_ability() -> None:
    every = records()
    assert planes_of(every[:2], TableOptions()) == []
    for task in ("vqav2", "scounter"):
        assert planes_of([item for item in every if item.task == task], TableOptions()) == []
    varied = [
        replace(item, variant="paraphrase 1") if item.model != "fair" else item for item in every
    ]
    assert planes_of(varied, TableOptions()) == []


def test_the_page_has_both_intervals_and_escapes_names(tmp_path: Path) -> None:
    site = Site(tmp_path, (), planes=True)
    write_planes(site, planes(), records(), TableOptions(), drawn=False)
    page = (tmp_path / "plane.html").read_text(encoding="utf-8")
    assert "80.0 [70.0, 90.0]" in page.replace("\u2009", " ")
    assert "-0.400 [-0.500, -0.300]" in page
    assert "<img" not in page
    assert '<a href="plane.html" aria-current="page">' in page
    assert page.count('<td class="text">yes</td>') == 3


@pytest.mark.slow
def test_the_plane_is_seen_in_a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        harness.run("random", "vqav2,scounter", profile="demo", limit=120, seed=seed)
    site = built(tmp_path / "site", [tmp_path / "results"], figures=True)
    with browser(tmp_path / "profile") as page:
        page.open(site / "index.html")
        link = (
            "[...document.querySelectorAll('nav a')].find(a => a.textContent.includes('ability'))"
        )
        assert page.run(f"{link}.getAttribute('href')") == "plane.html"
        page.open(site / "plane.html")
        page.until("document.querySelector('figure img').complete")
        assert page.run("document.querySelector('figure img').naturalWidth") > 100
        names = "[...document.querySelectorAll('tbody th')].map(e => e.textContent)"
        assert set(page.run(names)) == {"random, limit=120 (seed=0)", "random, limit=120 (seed=1)"}
        fits = "document.documentElement.scrollWidth <= window.innerWidth"
        assert page.run(fits)
        assert page.complaints == []
