"""Prompts and images, read again for an evaluation of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_site.files import Site
from harness_site.questions import THUMB, Questions, Sources
from PIL import Image

import harness
from harness.config.settings import Settings
from harness.plugins import plugins
from harness.runs.read import survey
from harness.specs.catalog import load_catalog

FACES = 8


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RAF-DB folder with a few faces, the first of them missing, and an evaluation of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "raf"
    images, labels = root / "basic/Image/aligned", root / "basic/EmoLabel"
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    rows = [f"test_{index:04}.jpg {index % 7 + 1}\n" for index in range(FACES)]
    (labels / "list_patition_label.txt").write_text("".join(rows))
    for index in range(1, FACES):
        Image.new("RGB", (400, 200), (30 * index, 9, 9)).save(
            images / f"test_{index:04}_aligned.jpg"
        )
    harness.run("null", "raf_db", data={"raf_db": root}, results="results")
    return root


def questions(
    root: Path, out: Path, *, results: str = "results", with_images: bool = True
) -> Questions:
    sources = Sources(
        catalog=load_catalog(plugins().spec_folders()),
        settings=Settings(profile="full", results=out, cache=out, data={"raf_db": root}),
        images=99,
        with_images=with_images,
        figures=False,
        say=lambda _: None,
    )
    record = max(survey(Path(results))[0], key=lambda item: item.variant)
    return Questions.of(record, sources, Site(out, []), "samples/raf")


def test_a_sample_is_shown_as_it_was_asked(root: Path, tmp_path: Path) -> None:
    questionnaire = questions(root, tmp_path / "out")
    results = [questionnaire.asked(sample, with_images=True) for _, sample in questionnaire.each()]
    assert questionnaire.problem == ""
    assert len(results) == FACES
    assert results[1].turns == (("user", "Which expression does this face show?"),)
    assert results[1].options[:2] == ("surprise", "fear")
    (name,) = results[1].images
    with Image.open(tmp_path / "out" / name) as thumb:
        assert thumb.size == (THUMB, THUMB // 2)


def test_a_picture_that_is_gone_is_said(root: Path, tmp_path: Path) -> None:
    questionnaire = questions(root, tmp_path / "out")
    first = next(
        questionnaire.asked(sample, with_images=True) for _, sample in questionnaire.each()
    )
    assert first.images == ()
    assert "no such file" in first.note
    assert first.turns


def test_images_are_those_asked_for(root: Path, tmp_path: Path) -> None:
    questionnaire = questions(root, tmp_path / "out")
    images = [
        bool(questionnaire.asked(sample, with_images=index in {1, 5}).images)
        for index, (_, sample) in enumerate(questionnaire.each())
    ]
    assert [index for index, there in enumerate(images) if there] == [1, 5]
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 4  # with the larger copies


def test_a_click_opens_a_larger_copy_with_the_terms_of_the_data_beside(
    root: Path, tmp_path: Path
) -> None:
    questionnaire = questions(root, tmp_path / "out")
    images = [questionnaire.asked(sample, with_images=True) for _, sample in questionnaire.each()]
    with Image.open(tmp_path / "out" / images[1].large[0]) as large:
        assert large.size == (400, 200)
    assert "research" in questionnaire.licence


def test_images_of_people_are_left_out_unless_they_are_asked_for(
    root: Path, tmp_path: Path
) -> None:
    questionnaire = questions(root, tmp_path / "out", with_images=False)
    assert (questionnaire.withheld, questionnaire.wanted, questionnaire.licence) == (True, 0, "")
    messages: list[str] = []
    args: dict[str, Any] = {"data": {"raf_db": root}, "figures": False, "on_note": messages.append}
    harness.build_site("site", "results", **args)
    assert messages == ["images of raf_db left out, as they may show people: --with-images"]
    assert not list(Path("site").rglob("*.jpg"))
    harness.build_site("site", "results", with_images=True, **args)
    assert list(Path("site").rglob("*.jpg"))


def test_a_variant_is_shown_in_its_own_words(root: Path, tmp_path: Path) -> None:
    harness.run("null", "raf_db", data={"raf_db": root}, results="other", variants="paraphrases=1")
    questionnaire = questions(root, tmp_path / "out", results="other")
    assert questionnaire.problem == ""
    displayed = next(
        questionnaire.asked(sample, with_images=False) for _, sample in questionnaire.each()
    )
    assert displayed.turns[0][1] != "Which expression does this face show?"


def test_other_data_than_those_asked_are_not_shown(root: Path, tmp_path: Path) -> None:
    labels = root / "basic/EmoLabel/list_patition_label.txt"
    labels.write_text(labels.read_text().replace("0001.jpg 2", "0001.jpg 3"))
    questionnaire = questions(root, tmp_path / "out")
    assert questionnaire.problem == "here they differ from those asked: data"
    assert list(questionnaire.each()) == []


def test_data_that_are_gone_are_said(root: Path, tmp_path: Path) -> None:
    questionnaire = questions(tmp_path / "nowhere", tmp_path / "out")
    assert "is missing" in questionnaire.problem
