"""Cards say what the folder holds, are valid Croissant, and run nothing of a spec's texts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_counterfactuals.cards import CROISSANT, DATASHEET, datasheet_of, write_cards
from harness_counterfactuals.contract import Score
from harness_counterfactuals.drops import drops_of
from harness_counterfactuals.folder import SetFolder
from harness_counterfactuals.reviewed import take_reviews
from harness_review.decisions import DecisionFile, Plan
from harness_review.images import digest_of
from harness_review.sets import Columns, read_material

from harness.errors import UserError
from tests.plugins.counterfactuals.folders import made


def scored(directory: Path) -> SetFolder:
    """Return a folder in which a filter dropped all thieves."""
    folder = made(directory, sets=12)
    rows = folder.rows()
    scores = [(row, Score({"face": 1.0}, "no face" if row.concept == "thief" else ""))
              for row in rows]  # fmt: skip
    folder.write_scores("one_face", "1", {}, scores)
    folder.write_manifest()
    return folder


def test_the_datasheet_names_people_words_limits_licences_and_uneven_filters(
    tmp_path: Path,
) -> None:
    folder = scored(tmp_path / "made")
    _, page = write_cards(folder, folder.manifest())
    text = page.read_text(encoding="utf-8")
    for part in (
        "Every person here was generated",
        "| race | asian | Asian |",
        "CC0-1.0",
        "| model | tiny |",
        "**These filters drop one group more than the others**",
        "| one\\_face | concept | thief | 100.0 % \\[75.",
        "INFERRED",
        "(72 kept by its filters)",
    ):
        assert part in text
    assert "A trial of &lt;sets&gt;" in text


def test_texts_of_a_spec_are_shown_and_do_nothing(tmp_path: Path) -> None:
    folder = made(tmp_path / "made")
    hostile = "[x](javascript:alert(1)) <script>|\n# head"
    text = datasheet_of(replace(folder.about, title=hostile, purpose=hostile), folder.rows(), [])
    body = text.split("---\n", 2)[2]
    assert "<script>" not in body
    assert "[x](" not in body
    assert "\n# head" not in body
    assert "No filter has scored these images" in text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, which mlcroissant calls
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_metadata_is_valid_croissant_and_its_rows_can_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mlcroissant: Any = pytest.importorskip("mlcroissant")
    folder = scored(tmp_path / "made")
    write_cards(folder, folder.manifest())
    path = tmp_path / "made" / CROISSANT
    dataset = mlcroissant.Dataset(jsonld=str(path))
    assert not dataset.metadata.ctx.issues.errors
    assert "not standard" not in caplog.text
    assert dataset.metadata.name == "A-trial-of-sets"
    records = list(dataset.records(record_set="rows"))
    assert len(records) == len(folder.rows()) == 144
    first = {key.removeprefix("rows/"): value for key, value in records[0].items()}
    assert first["race"] == b"asian"
    assert first["one_face.face"] == 1.0
    assert json.loads(path.read_text())["rai:personalSensitiveInformation"].startswith("None of")


def test_equal_folders_have_equal_cards(tmp_path: Path) -> None:
    cards = []
    for name in "ab":
        folder = scored(tmp_path / name)
        write_cards(folder, folder.manifest())
        cards.append([(tmp_path / name / card).read_bytes() for card in (CROISSANT, DATASHEET)])
    assert cards[0] == cards[1]


def test_what_people_refused_is_a_filter_named_human(tmp_path: Path) -> None:
    folder = made(tmp_path / "made")
    directory = tmp_path / "made"
    messages: list[str] = []
    assert not take_reviews(folder, messages.append)
    material = read_material(directory, Columns(), everything=True)
    sets = {group.id: group for group in material.sets}
    assert "chef-0000/man" in sets
    about = {"fingerprint": material.fingerprint, "table": "t", "sets": 8, "images": 24}
    with DecisionFile(directory / "reviews", "ann", about, Plan(("ann",), 0, 0)) as file:
        for name, verdict in (("chef-0000/man", "no"), ("chef-0000/woman", "yes"),
                              ("thief-0000/man", "skip")):  # fmt: skip
            assert verdict in {"yes", "no", "skip"}
            file.decide(name, verdict, reasons=["artefacts"] if verdict == "no" else [],  # type: ignore[arg-type]
                        images=digest_of(sets[name]))  # fmt: skip
        file.decide("thief-0000/woman", "no", reasons=["artefacts"], images="of other images")
    assert take_reviews(folder, messages.append)
    assert messages == ["ann: 1 decisions do not count: the images have changed since"]
    rows = folder.write_manifest()
    assert {row.set for row in rows if row.dropped} == {"chef-0000"}
    assert {row.dropped for row in rows if row.dropped} == {"human: artefacts"}
    report = {(each.part, each.value): each for each in drops_of(rows, folder.scores())}
    assert (report["gender", "man"].dropped, report["gender", "woman"].dropped) == (1, 0)
    again = read_material(directory, Columns(), everything=False)  # and they can be asked again
    assert (len(again.sets), again.left_out) == (8, 0)
    shutil.rmtree(directory / "reviews")
    assert not take_reviews(folder, messages.append)
    assert "the reviews are missing, and their decisions still apply" in messages[-1]


def test_reviews_of_other_images_are_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "made")
    about = {"fingerprint": "0" * 64, "table": "t", "sets": 1, "images": 1}
    with DecisionFile(tmp_path / "made" / "reviews", "ann", about, Plan(("ann",), 0, 0)):
        pass
    with pytest.raises(UserError, match="another data set"):
        take_reviews(folder, print)
