"""Images perturbed: ImageNet-C's levels, seeds by sample, boxes, and questions not asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from harness_perturbations import harness_perturbations
from harness_perturbations import images as functions
from harness_perturbations.command import robustness
from harness_perturbations.images import CONTRAST, JPEG, NOISE
from harness_studies.robustness import build_robustness
from PIL import Image

import harness
from harness.errors import PluginError, SampleError, UserError
from harness.evaluation.images import open_images
from harness.runs.sample_record import read_samples
from harness.samples import Box, ImageRef, Sample
from harness.samples.images import LoadedImage
from harness.samples.perturbed import perturbed, refuse_moved
from harness.samples.roots import data_root
from harness.samples.views import View, apply_view
from harness.specs.variants import Variant, variants_of

KINDS = {one.id: one for one in harness_perturbations()}
BOX = Box("head", 8, 6, 24, 30)


def drawing(width: int = 64, height: int = 48) -> Image.Image:
    random = np.random.default_rng(0)
    values = random.integers(60, 190, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(values, "RGB")


def loaded() -> LoadedImage:
    return LoadedImage(drawing(), "sha", "key", 64, 48)


def shown(kind: str, level: int = 1, *, sample: str = "s") -> tuple[LoadedImage, tuple[Box, ...]]:
    return perturbed(loaded(), Sample(sample, (), None, "c", boxes=(BOX,)), kind, level)


def pixels(kind: str, level: int = 1, **more: Any) -> Image.Image:
    return shown(kind, level, **more)[0].pixels


def values(image: Image.Image) -> Any:
    return np.asarray(image, dtype=float)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_pixels_and_their_key(kind: str) -> None:
    image, boxes = shown(kind)
    assert image.pixels.tobytes() != drawing().tobytes()
    assert image.pixels.mode == "RGB"
    assert image.sha256 == "sha"
    assert len(image.key) == 64
    assert [box.name for box in boxes] == ["head"]


@pytest.mark.parametrize("kind", ["noise", "blur", "jpeg", "brightness", "contrast", "pixelate"])
def test_a_higher_level_changes_more(kind: str) -> None:
    changes = [
        float(np.abs(values(pixels(kind, level)) - values(drawing())).mean())
        for level in range(1, 6)
    ]
    assert changes == sorted(changes)


def test_levels_are_those_of_imagenet_c() -> None:
    before = values(drawing())
    assert np.std(values(pixels("noise")) - before) / 255 == pytest.approx(NOISE[0], rel=0.03)
    assert np.std(values(pixels("contrast", 5))) / np.std(before) == pytest.approx(
        CONTRAST[4], rel=0.2
    )
    assert JPEG == (25, 18, 15, 10, 7)
    bright = values(pixels("brightness")).max(axis=-1)
    assert (bright - before.max(axis=-1)).mean() == pytest.approx(25.5, abs=0.6)


def test_noise_is_the_samples_own_and_the_same_in_every_run() -> None:
    assert pixels("noise").tobytes() == pixels("noise").tobytes()
    other, _ = shown("noise", sample="t")
    assert other.pixels.tobytes() != pixels("noise").tobytes()
    assert other.key != shown("noise")[0].key


def test_patches_keep_every_pixel_and_a_flip_twice_is_none() -> None:
    counts = [
        np.bincount(np.asarray(one).reshape(-1), minlength=256)
        for one in (drawing(), pixels("patches", 3))
    ]
    assert (counts[0] == counts[1]).all()
    random = np.random.default_rng(0)
    once, boxes = functions.flip(drawing(), [(8, 6, 24, 30)], 1, random)
    twice, again = functions.flip(once, boxes, 1, random)
    assert (twice.tobytes(), again) == (drawing().tobytes(), [(8, 6, 24, 30)])
    small = Image.new("RGB", (3, 3))
    assert functions.patches(small, [], 5, random)[0].size == (3, 3)


@pytest.mark.parametrize("kind", ["flip", "crop"])
def test_boxes_stand_round_what_they_stood_round(kind: str) -> None:
    """What a view crops out of the perturbed image is what it cropped out of the image."""
    image, (box,) = shown(kind)
    before = apply_view(loaded(), View(crop=True, margin=0), [BOX]).pixels
    after = apply_view(image, View(crop=True, margin=0), [box]).pixels
    if kind == "flip":
        after = after.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        wide, narrow = values(before)[:, :16], values(after)[:, -16:]
        assert (wide == narrow).all()
        return
    left, top, right, bottom = (int(one) for one in (box.x1, box.y1, box.x2, box.y2))
    inside = values(image.pixels)[max(0, top) : bottom, max(0, left) : right]
    height, width = inside.shape[:2]
    assert (inside == values(drawing())[30 - height : 30, 24 - width : 24]).all()


@pytest.mark.parametrize(
    "arguments",
    [
        None, [], "text", drawing(), (drawing(),), (drawing().convert("L"), ()), (drawing(), None),
        (drawing(), 3), (drawing(), ()), (drawing(), [None]), (drawing(), [(1, 2, 3)]),
        (drawing(), [(0, 0, float("nan"), 5)]), (drawing(), [(9, 0, 2, 5)]),
        (drawing(), [("a", "b", "c", "d")]), (drawing(), [(0, 0, 1, 1)] * 2),
    ],
)  # fmt: skip
def test_what_a_plugin_returns_wrongly_is_one_message(
    arguments: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.samples.perturbed.load_target", lambda _: lambda *_: arguments)
    with pytest.raises(PluginError, match=r"perturbation 'flip' returned .* from show, not "):
        shown("flip")


def in_box(image: Image.Image, box: tuple[int, int, int, int]) -> list[int]:
    """Return the colours within a box, sorted."""
    return sorted(np.asarray(image.crop(box)).reshape(-1).tolist())


def test_patches_of_what_boxes_mark_stay_within_them() -> None:
    """Each box keeps its pixels and all else is as it was; without boxes all of the image moves."""
    boxes = Box("a", 8, 6, 24, 30), Box("b", 30, 0, 64, 48)
    sample = Sample("s", (), None, "c", boxes=boxes)
    image, same = perturbed(loaded(), sample, "patches", 3)
    assert [(box.x1, box.y1) for box in same] == [(8, 6), (30, 0)]
    outside = np.ones((48, 64), bool)
    for left, top, right, bottom in ((8, 6, 24, 30), (30, 0, 64, 48)):
        area = left, top, right, bottom
        assert in_box(image.pixels, area) == in_box(drawing(), area)
        assert image.pixels.crop(area).tobytes() != drawing().crop(area).tobytes()
        outside[top:bottom, left:right] = False
    assert (values(image.pixels)[outside] == values(drawing())[outside]).all()
    unmarked, _ = perturbed(loaded(), sample, "patches", 3, marked=False)
    assert (values(unmarked.pixels)[outside] != values(drawing())[outside]).any()


def test_a_view_that_cuts_out_a_box_shows_its_own_patches(tmp_path: Path) -> None:
    drawing().save(tmp_path / "a.png")
    root = data_root(tmp_path)
    sample = Sample("s", (ImageRef("a.png", root),), None, "c", boxes=(BOX,))
    images = [
        open_images([sample], view)[0].shown[0].pixels
        for view in (View(crop=True, margin=0), View(crop=True, margin=0, perturbed=("patches", 2)))
    ]
    assert images[0].tobytes() != images[1].tobytes()
    assert sorted(images[0].tobytes()) == sorted(images[1].tobytes())
    full = [View(perturbed=("patches", 2)), View(perturbed=("flip", 1))]
    outside = Sample("s", sample.images, None, "c", boxes=(Box("x", 90, 90, 99, 99),))
    assert [open_images([outside], view)[0].error for view in full] == [None, None]


@pytest.mark.parametrize("box", [
    Box("p", 40, 20, 64, 48), Box("p", 80, 40, 128, 96, size=(128, 96)),
    Box("p", 0.625, 20 / 48, 1, 1, unit="relative"), Box("p", 40, 20, 90, 70),
])  # fmt: skip
def test_nothing_is_left_of_a_person_at_the_edge_of_any_copy(box: Box) -> None:
    """At the edge, on a copy of another size, in shares, and reaching beyond the image."""
    inside = np.zeros((48, 64), bool)
    inside[20:, 40:] = True
    sample = Sample("s", (), None, "c", boxes=(box,))
    removed, remaining = (
        perturbed(loaded(), sample, kind, 1)[0] for kind in ("no_person", "no_background")
    )
    assert (values(removed.pixels)[inside] == 127).all()
    assert (values(removed.pixels)[~inside] == values(drawing())[~inside]).all()
    assert (values(remaining.pixels)[inside] == values(drawing())[inside]).all()
    flipped, (moved,) = perturbed(loaded(), sample, "flip", 1)
    again = perturbed(flipped, Sample("s", (), None, "c", boxes=(moved,)), "no_person", 1)[0]
    assert (values(again.pixels)[:, ::-1][inside] == 127).all()
    assert (values(again.pixels)[:, ::-1][~inside] == values(drawing())[~inside]).all()


def test_backgrounds_and_people_are_told_apart_by_the_samples_boxes() -> None:
    inside = np.zeros((48, 64), bool)
    inside[6:30, 8:24] = True
    before = values(drawing())
    for kind, same in (
        ("no_background", inside),
        ("no_person", ~inside),
        ("background_blur", inside),
    ):
        after = values(pixels(kind))
        assert (after[same] == before[same]).all()
        assert (after[~same] != before[~same]).any()
    assert (values(pixels("no_person"))[inside] == 127).all()
    with pytest.raises(SampleError, match="needs a box"):
        perturbed(loaded(), Sample("s", (), None, "c"), "no_person", 1)


@pytest.mark.parametrize("kind", sorted(one.id for one in KINDS.values() if one.moves))
@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("Who is on the left?", "Ann"),
        ("Which side?", "right"),
        ("Where?", ["on the left", "there"]),
        ("What does the person at [0.1, 0.2] do?", "run"),
        ("Give the coordinates.", None),
        ("Where does she look?", [[0.5, 0.5]]),
    ],
)
def test_what_moving_things_would_change_is_not_asked(kind: str, text: str, target: Any) -> None:
    with pytest.raises(SampleError, match=kind):
        refuse_moved(kind, [text], target)
    refuse_moved("blur", [text], target)
    refuse_moved(kind, ["Is she a nurse?"], "yes")


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ("blur:0", "blur has the levels 1 to 5"), ("blur:2-9", "levels 1 to 5"),
        ("blur=2", "levels 1 to 5"), ("blur:", "levels 1 to 5"), ("flip:2", "flip has one level"),
        ("blurr", "unknown kind of variant 'blurr'"), ("paraphrases:2", "not a whole number"),
    ],
)  # fmt: skip
def test_levels_that_there_are_not_are_refused(kinds: str, message: str) -> None:
    spec = harness.load_task("raf_db", profile="demo").spec
    with pytest.raises(UserError, match=message):
        variants_of(spec, kinds, lists_options=False)
    levels = variants_of(spec, "blur:2-3,noise,flip", lists_options=False)
    assert [str(one.variant) for one in levels] == ["blur 2", "blur 3", "noise 3", "flip 1"]
    assert Variant.named("blur 2").flag == "blur:2"


def test_perturbed_runs_are_paired_with_plain_ones_and_refused_where_a_spec_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options: Any = {"profile": "demo", "limit": 8, "results": "results"}
    with pytest.raises(UserError, match="flip changes the right answer of every task"):
        harness.run(Seeing(), "gazefollow", variants="flip", **options)
    plain, blurred, noisy = harness.run(
        Seeing(), "raf_db", variants="blur:5,noise:1", **options
    ).records
    assert (blurred.variant, noisy.variant) == ("blur 5", "noise 1")
    lines = [list(read_samples(one.directory)) for one in (plain, blurred)]
    assert all(line.images[0].view == "" for line in lines[0])
    assert all(len(line.images[0].view) == 64 for line in lines[1])
    assert [one.images[0].sha256 for one in lines[0]] == [one.images[0].sha256 for one in lines[1]]
    code = CliRunner().invoke(robustness, ["results", "--json"], catch_exceptions=False)
    rows = json.loads(code.stdout)
    assert [(row["kind"], row["level"]) for row in rows] == [("blur", 5), ("noise", 1)]
    changed = sum(a.answer != b.answer for a, b in zip(*lines, strict=True)) / 8
    assert rows[0]["changed"] == changed > 0
    assert rows[0]["plain"] == plain.main.value
    assert rows[0]["value"] == blurred.main.value
    assert rows[0]["paired"]["difference"] == pytest.approx(rows[0]["value"] - rows[0]["plain"])
    assert "perturbed" in CliRunner().invoke(robustness, ["results"]).stdout
    with pytest.raises(UserError, match="evaluated with several prompts"):
        build_robustness([plain, blurred], lambda _: {})


class Seeing:
    """Answers by an image's pixels."""

    id = "seeing"
    identity = {"name": "seeing"}

    def answer(self, requests: Any) -> list[str]:
        return [
            one.want.options[sum(one.images[0].pixels.tobytes()) % len(one.want.options)]
            for one in requests
        ]
