"""MIAP, PHASE and PATA: their layouts, who is left out, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness_people_benchmarks.readers import miap, pata, phase

from harness.errors import DataError
from harness.resources import data_folder
from harness.samples import Box, Sample
from harness.samples.roots import data_root
from harness.specs.loader import load_task
from tests import made

SPECS = data_folder("task_specs") / "bias"
MIAP = (
    "ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,"
    "IsDepictionOf,IsInsideOf,GenderPresentation,AgePresentation"
)
MAN, WOMAN = "Predominantly Masculine", "Predominantly Feminine"


def row(
    image: str, gender: str = MAN, age: str = "Middle", box: str = "0.25,0.75,0.125,0.5"
) -> str:
    return f"{image},/m/01g317,1,{box},0,0,0,0,0,{gender},{age}"


def boxes(root: Path, *rows: str, header: str = MIAP, split: str = "test") -> Path:
    text = "\n".join([header, *rows]) + "\n"
    (root / f"open_images_extended_miap_boxes_{split}.csv").write_text(text)
    return root


def people(
    reader: str, root: Path, split: str, **options: str
) -> tuple[list[Sample], dict[str, int]]:
    its = made.reader(reader, **options)
    samples = list(its.samples(data_root(root), split))
    passed = its.passed_over(data_root(root), split)
    return samples, {why: count for why, count in passed.items() if count}


def groups(sample: Sample) -> dict[str, str]:
    return {name: group.value for name, group in sample.groups.items()}


def test_the_questions_are_those_about_fairface() -> None:
    plain = yaml.safe_load((SPECS / "vla_gender_bias.yaml").read_text())
    for name in ("miap", "phase", "pata"):
        other = yaml.safe_load((SPECS / f"vla_gender_bias_{name}.yaml").read_text())
        assert other["data"]["each"] == plain["data"]["each"]
        assert {**other["prompt"], "view": None} == {**plain["prompt"], "view": None}
        assert other["ask"] == plain["ask"]
        assert other["options"]["values"] == plain["options"]["values"]
        reads, requested = other["metrics"][0]["options"], plain["metrics"][0]["options"]
        assert {**reads, "first": 0, "second": 0} == {**requested, "first": 0, "second": 0}
        assert load_task(SPECS / f"vla_gender_bias_{name}.yaml", {}).labels == ("yes", "no")


def test_miap_asks_of_every_person_with_a_gender_presentation(tmp_path: Path) -> None:
    root = boxes(
        tmp_path, row("a", WOMAN), row("a", "Unknown", box="0,1,0,1"),
        row("a", MAN, "Unknown", box="0.9,0.1,0.2,0.4"), row("b", WOMAN, "Young"),
        row("b", "", box="0,1,0,0.9"), row("b", box=",,,"),
    )  # fmt: skip
    samples, passed = people("miap", root, "test")
    assert [(sample.id, sample.cluster) for sample in samples] == [
        ("a#1", "a"), ("a#3", "a"), ("b#1", "b"),
    ]  # fmt: skip
    assert samples[0].images[0].name == "test/a.jpg"
    assert samples[0].boxes == (Box("person", 0.25, 0.125, 0.75, 0.5, unit="relative"),)
    assert [groups(sample) for sample in samples] == [
        {"gender": WOMAN, "age": "Middle"}, {"gender": MAN}, {"gender": WOMAN, "age": "Young"},
    ]  # fmt: skip
    assert samples[0].groups is not samples[1].groups
    assert passed == {miap.NO_GENDER: 2, miap.NO_BOX: 1}
    grown, passed = people("miap", root, "test", people="adults")
    assert [sample.id for sample in grown] == ["a#1", "a#3"]
    assert passed[miap.YOUNG] == 1


def test_miap_leaves_out_two_rows_of_one_person(tmp_path: Path) -> None:
    root = boxes(
        tmp_path, row("a"), row("a"), row("a", WOMAN, box="0,1,0,1"), row("b"), row("b", WOMAN)
    )
    samples, passed = people("miap", root, "test")
    assert [sample.id for sample in samples] == ["a#1", "a#3"]
    assert passed == {miap.AGAIN: 1, miap.TWO_LABELS: 1}


def test_miap_takes_either_name_of_the_validation_folder(tmp_path: Path) -> None:
    root = boxes(tmp_path, row("a"), split="val")
    assert people("miap", root, "val")[0][0].images[0].name == "val/a.jpg"
    (root / "validation").mkdir()
    assert people("miap", root, "val")[0][0].images[0].name == "validation/a.jpg"


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        (row("a")[:30], "columns, not 14", ""),
        (row("a")[:-2], "'Midd' is no age presentation", "Middle"),
        (row("a", "Predominantly Femenine"), "is no gender presentation", WOMAN),
        (row("a", box="0.1,,0.2,0.4"), "holds '', not a finite number", ""),
        (row("a", box="0.1,nan,0.2,0.4"), "not a finite number", ""),
        (row("a", box="0_1,0.3,0.2,0.4"), "holds '0_1', not a finite number", ""),
        (row("a", box="0.1,0.\u0663,0.2,0.4"), "not a finite number", ""),
        (row("a", box="10,120,30,40"), "XMin is 10, not a share from 0 to 1", "shares"),
        (row(""), "the row has no ImageID", ""),
        (row("b") + "\n" + row("z"), "the image 'z' stands apart", "sort the rows"),
        (row('"a'), "not valid CSV", ""),
    ],
)
def test_a_wrong_row_of_miap_is_named(tmp_path: Path, line: str, message: str, fix: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        people("miap", boxes(tmp_path, row("z"), line), "test")
    assert "_test.csv:" in str(raised.value.where)
    assert fix in str(raised.value.fix or "")


def test_miap_without_a_column_is_refused(tmp_path: Path) -> None:
    header = MIAP.replace("GenderPresentation", "Gender")
    with pytest.raises(DataError, match="the column 'GenderPresentation' is missing"):
        people("miap", boxes(tmp_path, header=header), "test")


def said(**values: Any) -> dict[str, Any]:
    return {"worker": 1, "gender": "female", "age": "adult", "ethnicity": "Asian",
            "activity": "eating", **values}  # fmt: skip


def person(*annotations: dict[str, Any], region: Any = (4, 5, 60, 70)) -> dict[str, Any]:
    return {"region": list(region), "annotations": list(annotations)}


def described(root: Path, **images: Any) -> Path:
    (root / "phase_gcc_val_all_20221101.json").write_text(json.dumps(images))
    return root


def test_phase_takes_what_most_annotators_say(tmp_path: Path) -> None:
    root = described(
        tmp_path,
        one={
            "caption": "people",
            "p0": person(said(), said(age="senior"), said(gender="male")),
            "p1": person(said(gender="male", age="unsure"), region=(60, 5, 4, 70)),
        },
        two={
            "tie": person(said(), said(gender="male")),
            "unsure": person(said(ethnicity="unsure")),
            "child": person(said(age="child")),
            "sports": person(said(activity="sports")),
            "no region": {"annotations": [said()]},
            "none": person(),
        },
    )
    samples, passed = people("phase", root, "val")
    assert [sample.id for sample in samples] == ["one#p0", "one#p1"]
    assert groups(samples[0]) == {"gender": "female", "age": "adult", "ethnicity": "asian"}
    assert groups(samples[1]) == {"gender": "male", "ethnicity": "asian"}
    assert samples[0].boxes == (Box("person", 4, 5, 60, 70),)
    assert samples[0].images[0].name == "val/one"
    assert passed == dict.fromkeys(
        (phase.NO_GENDER, phase.NO_ETHNICITY, phase.NO_ADULT, phase.ACTIVE, phase.NO_REGION,
         phase.NO_ANNOTATIONS), 1,
    )  # fmt: skip
    everybody, passed = people("phase", root, "val", people="all")
    assert [sample.id for sample in everybody[2:]] == ["two#unsure", "two#child", "two#sports"]
    assert set(passed) == {phase.NO_GENDER, phase.NO_REGION, phase.NO_ANNOTATIONS}


def test_phase_is_found_in_its_folders(tmp_path: Path) -> None:
    folder = tmp_path / "phase_annotations"
    folder.mkdir()
    (tmp_path / "images" / "val").mkdir(parents=True)
    described(folder, one={"p0": person(said())})
    (sample,) = people("phase", tmp_path, "val")[0]
    assert sample.images[0].name == "images/val/one"


@pytest.mark.parametrize(
    ("entry", "message", "fix"),
    [
        ({"p": person(said(gender="femal"))}, "'femal' is no gender", "female"),
        ({"p": person(said(age="adlut"))}, "'adlut' is no age", "adult"),
        ({"p": person(said(), region=(1, 2, 3))}, "the region should hold 4 numbers", ""),
        ({"p": person(said(), region=(1, 2, 3, "x"))}, "holds 'x'", ""),
        ({"p": "someone"}, "a person should be an object", ""),
        ({"p": {"region": [1, 2, 3, 4], "annotations": "x"}}, "should be a list", ""),
        ({"p": person(said(ethnicity=7))}, "ethnicity should be a text", ""),
        ([], "an image should be an object", ""),
    ],
)
def test_a_wrong_person_of_phase_is_named(
    tmp_path: Path, entry: Any, message: str, fix: str
) -> None:
    with pytest.raises(DataError, match=message) as raised:
        people("phase", described(tmp_path, one=entry), "val")
    assert "'one'" in str(raised.value.where)
    assert fix in str(raised.value.fix or "")


def test_phase_cut_short_or_with_an_image_twice_is_refused(tmp_path: Path) -> None:
    file = described(tmp_path, one={"p": person(said())}) / "phase_gcc_val_all_20221101.json"
    text = file.read_text()
    file.write_text(text[:-20])
    with pytest.raises(DataError, match="the file ends too early"):
        people("phase", tmp_path, "val")
    file.write_text(f'{text[:-1]}, "one": {{}}}}')
    with pytest.raises(DataError, match="the image occurs twice"):
        people("phase", tmp_path, "val")


def listed(root: Path, *lines: str, fetched: tuple[str, ...] = ()) -> Path:
    (root / pata.LIST).write_text("\n".join(lines) + "\n")
    for name in fetched:
        (root / pata.FETCHED).mkdir(exist_ok=True)
        (root / pata.FETCHED / name).write_bytes(b"")
    return root


FIRST = "gun_range_eastasian_male_young"
SECOND = "forest_indian_female_old"


def test_pata_asks_about_fetched_images_and_lists_the_others(tmp_path: Path) -> None:
    root = listed(
        tmp_path, f"{FIRST}|u1", "", f"{SECOND}|u2", f"{SECOND}|u1", f"{SECOND}|u3",
        f"{SECOND}|u2", f"{FIRST}|u4",
        fetched=(f"{SECOND}_1.jpg", f"{SECOND}_3.png"),
    )  # fmt: skip
    samples, passed = people("pata", root, "test")
    assert [sample.images[0].name for sample in samples] == [
        f"images_tmp/{SECOND}_1.jpg", f"images_tmp/{SECOND}_3.png",
    ]  # fmt: skip
    assert groups(samples[0]) == {
        "gender": "female", "ethnicity": "indian", "age": "old", "scene": "forest",
    }  # fmt: skip
    assert passed == {pata.TWO_LABELS: 2, pata.AGAIN: 1}
    reader = made.reader("pata")
    assert reader.left_out(data_root(root), "test") == [f"{FIRST}_5 (u4)"]
    every, _ = people("pata", root, "test", missing="error")
    assert every[-1].images[0].name == f"images_tmp/{FIRST}_5.png"
    assert groups(every[-1])["scene"] == "gun_range"
    assert groups(every[-1])["ethnicity"] == "east_asian"


def test_pata_says_how_long_its_list_is_and_whether_it_is_cut(tmp_path: Path) -> None:
    root, reader = listed(tmp_path, f"{FIRST}|u1", "", f"{SECOND}|u2"), made.reader("pata")
    (length,) = reader.notes(data_root(root), "test")
    assert f"{pata.LIST} has 2 lines" in length
    text = (root / pata.LIST).read_text()
    (root / pata.LIST).write_text(text[:-2])  # a line whose address is cut still is one
    _, cut = reader.notes(data_root(root), "test")
    assert "ends without a line break" in cut


def test_pata_reads_the_table_that_the_authors_write(tmp_path: Path) -> None:
    text = "name,gender,ethnicity,age\npata-male-black-old-0.png,male,black,old\n"
    (tmp_path / pata.TABLE).write_text(text)
    ((sample,), _) = people("pata", tmp_path, "test")
    assert sample.images[0].name == "images/pata-male-black-old-0.png"
    (note,) = made.reader("pata").notes(data_root(tmp_path), "test")
    assert "images that were fetched" in note
    (tmp_path / pata.TABLE).write_text(text + "pata-fem")
    with pytest.raises(DataError, match="1 columns, not 4"):
        people("pata", tmp_path, "test")
    (tmp_path / pata.TABLE).write_text(text.replace("ethnicity", "race"))
    with pytest.raises(DataError, match="the column 'ethnicity' is missing"):
        people("pata", tmp_path, "test")


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("forest_indian_female_old", "is not scene_ethnicity_gender_age|address", "again"),
        ("forest_indian_female_old|", "is not scene_ethnicity_gender_age|address", "again"),
        ("indian_female_old|u", "is not scene_ethnicity_gender_age|address", "again"),
        ("forest_indain_female_old|u", "'indain' is no ethnicity", "indian"),
        ("forest_indian_woman_old|u", "'woman' is no gender", "male"),
        ("forest_indian_female_odl|u", "'odl' is no age", "old"),
    ],
)
def test_a_wrong_line_of_pata_is_named(tmp_path: Path, line: str, message: str, fix: str) -> None:
    with pytest.raises(DataError, match=message.replace("|", r"\|")) as raised:
        people("pata", listed(tmp_path, f"{FIRST}|u", line), "test")
    assert str(raised.value.where).endswith(":2")
    assert fix in str(raised.value.fix)


def test_pata_without_any_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 1 images .* is there"):
        people("pata", listed(tmp_path, f"{FIRST}|u", fetched=(f"{FIRST}.png",)), "test")


@pytest.mark.parametrize(("name", "split"), [("miap", "test"), ("phase", "val"), ("pata", "test")])
def test_a_release_in_an_archive_reads_the_same(tmp_path: Path, name: str, split: str) -> None:
    import shutil

    folder = tmp_path / "release"
    folder.mkdir()
    boxes(folder, row("a"), row("a", WOMAN, box="0,1,0,1"))
    described(folder, one={"p0": person(said())})
    listed(folder, f"{FIRST}|u", fetched=(f"{FIRST}_0.png",))
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
    packed, plain = people(name, archive, split)[0], people(name, folder, split)[0]
    assert packed
    assert [sample.id for sample in packed] == [sample.id for sample in plain]
