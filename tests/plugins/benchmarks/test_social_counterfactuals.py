"""SocialCounterfactuals: rows become samples, pictures stay in the shard until they are asked."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, SampleError, UserError
from harness.samples import Sample
from harness.samples.images import open_image
from harness.samples.roots import data_root
from tests import made
from tests.plugins.benchmarks.people import counterfactuals, picture, shard


def read(root: Path, split: str = "all", **options: Any) -> list[Sample]:
    return list(made.reader("social_counterfactuals", **options).samples(data_root(root), split))


def test_a_row_is_a_sample_of_its_occupation(tmp_path: Path) -> None:
    shard(tmp_path, counterfactuals("Civil Engineer", 0))
    samples = read(tmp_path)
    assert len(samples) == 12
    asian = next(sample for sample in samples if sample.id.endswith("/Middle_Eastern-female"))
    assert asian.cluster == "a_picture_of_race_gender_Civil Engineer_0_77"
    assert asian.fields["concept"] == "civil engineer"
    assert asian.fields["concept_text"] == "a civil engineer"
    assert {name: (group.value, group.source) for name, group in asian.groups.items()} == {
        "race": ("Middle Eastern", "drawn"),
        "gender": ("female", "drawn"),
    }
    assert asian.stratum == "race-gender/civil engineer"
    assert asian.target is None
    assert (
        len({sample.id for sample in samples})
        == len({sample.images[0].name for sample in samples})
        == 12
    )


def test_images_are_fetched_one_by_one_in_any_order(tmp_path: Path) -> None:
    shard(tmp_path, counterfactuals("chef", 0), 0, 2)
    shard(tmp_path, counterfactuals("judge", 0), 1, 2)
    images = [item.images[0] for item in read(tmp_path)]
    assert all(image.data is None for image in images)
    for position in (23, 0, 11, 3, 12, 2, 2, 13):
        load = images[position].load
        assert load is not None
        assert load() == picture(position % 12)
    again = pickle.loads(pickle.dumps(images[7]))  # noqa: S301  made right here
    opened = open_image(again)
    assert opened.pixels.getpixel((0, 0)) == (7, 7, 7)


def test_a_row_without_bytes_is_a_fault_of_that_sample(tmp_path: Path) -> None:
    rows = counterfactuals("chef", 0)
    rows[4]["image"] = {"bytes": None, "path": "4.jpg"}
    shard(tmp_path, rows)
    images = [item.images[0] for item in read(tmp_path)]
    with pytest.raises(SampleError, match="parquet:5 holds no image bytes"):
        open_image(images[4])
    assert open_image(images[5]).width == 2


def test_splits_deal_out_whole_sets_and_nothing_twice(tmp_path: Path) -> None:
    shard(tmp_path, [row for n in range(40) for row in counterfactuals("chef", n)])
    parts = {split: read(tmp_path, split) for split in ("train", "val", "test", "all")}
    clusters = {split: {item.cluster for item in result} for split, result in parts.items()}
    assert clusters["train"] | clusters["val"] | clusters["test"] == clusters["all"]
    assert sum(len(parts[split]) for split in ("train", "val", "test")) == len(parts["all"])
    assert all(len(result) == 12 * len(clusters[split]) for split, result in parts.items())
    assert len(clusters["train"]) > len(clusters["test"]) > 0


def test_splits_can_deal_out_whole_concepts(tmp_path: Path) -> None:
    names = [f"worker {letter}" for letter in "abcdefghijklmnop"]
    rows = [row for name in names for n in range(2) for row in counterfactuals(name, n)]
    shard(tmp_path, rows)
    parts = [
        {item.fields["concept"] for item in read(tmp_path, split, split_by="concept")}
        for split in ("train", "val", "test")
    ]
    assert sum(map(len, parts)) == len(names)


@pytest.mark.parametrize("shares", ["70/30", "a/b/c", "50/60/-10", "33.3/33.3/33.4", ""])
def test_shares_are_three_whole_percentages(shares: str) -> None:
    with pytest.raises(UserError, match="shares"):
        made.reader("social_counterfactuals", shares=shares)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a1": "Green", "caption": "A Green male chef"}, "'Green' is no race"),
        ({"a1_type": "hair"}, "'hair' is not a type of trait"),
        ({"caption": "A picture of somebody"}, "no occupation follows"),
        ({"caption": "A picture of a White male"}, "no occupation follows"),
        ({"a2": None}, "a2 should be a text"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    rows = counterfactuals("chef", 0)
    rows[0] |= change
    path = shard(tmp_path, rows)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path)
    assert caught.value.where == f"{path}: row 0"


def test_a_shard_without_a_column_is_named(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "a1_type"} for row in counterfactuals("chef", 0)]
    shard(tmp_path, rows)
    with pytest.raises(DataError, match="the column 'a1_type' is missing; there are image, cap"):
        read(tmp_path)


def test_a_broken_shard_is_named(tmp_path: Path) -> None:
    path = shard(tmp_path, counterfactuals("chef", 0))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="no parquet file that can be read") as caught:
        read(tmp_path)
    assert str(path) in str(caught.value)


def test_shards_that_are_not_there_are_told_by_their_numbers(tmp_path: Path) -> None:
    shard(tmp_path, counterfactuals("chef", 0), 1, 3)
    root = data_root(tmp_path)
    files = made.reader("social_counterfactuals").annotations(root, "test")
    assert [(name[5:25], root.is_file(name)) for name in files] == [
        ("train-00000-of-00003", False),
        ("train-00001-of-00003", True),
        ("train-00002-of-00003", False),
    ]
    (tmp_path / "none").mkdir()
    empty = made.reader("social_counterfactuals").annotations(data_root(tmp_path / "none"), "test")
    assert empty == ["data/train-00000-of-00061.parquet"]


def test_the_hash_is_of_the_labels_alone(tmp_path: Path) -> None:
    def hashed(path: Path) -> str:
        reader = made.reader("social_counterfactuals")
        return str(reader.content_hash(data_root(path.parent), path.name))

    rows = counterfactuals("chef", 0)
    first = hashed(shard(tmp_path / "a", rows))
    other = [{**row, "image": {"bytes": b"other", "path": None}} for row in rows]
    assert hashed(shard(tmp_path / "b", other)) == first
    rows[3]["a1"] = "White"
    assert hashed(shard(tmp_path / "c", rows)) != first


def test_shards_are_read_inside_a_zip(tmp_path: Path) -> None:
    path = shard(tmp_path, counterfactuals("chef", 0))
    with zipfile.ZipFile(tmp_path / "scounter.zip", "w") as archive:
        archive.write(path, f"data/{path.name}")
    plain, packed = read(tmp_path), read(tmp_path / "scounter.zip")
    assert [item.id for item in packed] == [item.id for item in plain]
    for item in (packed[8], packed[1]):
        assert open_image(item.images[0]).sha256
