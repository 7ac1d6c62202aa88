"""Images perturbed: ImageNet-C's levels, seeds by sample, and questions that it would change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from harness_perturbations import KINDS, harness_answer_methods
from harness_perturbations.images import CONTRAST, JPEG, NOISE, PERTURBATIONS
from harness_perturbations.method import MOVING, Perturb
from PIL import Image

from harness.requests import Choose, Failed, Generate, Request, Turn
from harness.samples.images import LoadedImage


def picture(width: int = 64, height: int = 48) -> Image.Image:
    random = np.random.default_rng(0)
    values = random.integers(60, 190, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(values, "RGB")


def request(
    text: str = "Is she a nurse?", want: Any = None, *, sample: str = "s", image: bool = True
) -> Request:
    loaded = LoadedImage(picture(), "sha", "key", 64, 48)
    turns = (Turn("user", text, (loaded,) if image else ()),)
    return Request("1", sample, "task", turns, want or Choose(("yes", "no")))


def shown(kind: str, level: int = 3, **changes: Any) -> LoadedImage:
    return Perturb({"kind": kind, "level": level}).own(request(**changes)).images[0]


def far(kind: str, level: int) -> float:
    before = np.asarray(picture(), dtype=float)
    after = np.asarray(shown(kind, level).pixels.resize((64, 48)), dtype=float)
    return float(np.abs(after - before).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_pixels_and_their_key_and_nothing_else(kind: str) -> None:
    own = Perturb({"kind": kind, "level": 3}).own(request())
    image = own.images[0]
    assert image.pixels.tobytes() != picture().tobytes()
    assert image.pixels.mode == "RGB"
    assert (image.sha256, image.width, image.height) == ("sha", 64, 48)
    assert image.key != "key"
    assert (own.id, own.want, own.turns[0].text) == ("1", Choose(("yes", "no")), "Is she a nurse?")


@pytest.mark.parametrize("kind", ["noise", "blur", "jpeg", "brightness", "contrast", "pixelate"])
def test_a_higher_level_changes_more(kind: str) -> None:
    changes = [far(kind, level) for level in range(1, 6)]
    assert changes == sorted(changes)


def test_levels_are_those_of_imagenet_c() -> None:
    before, noisy = (np.asarray(one, float) for one in (picture(), shown("noise", 1).pixels))
    assert np.std(noisy - before) / 255 == pytest.approx(NOISE[0], rel=0.03)
    faint = np.asarray(shown("contrast", 5).pixels, float)
    assert np.std(faint) / np.std(before) == pytest.approx(CONTRAST[4], rel=0.2)
    assert JPEG == (25, 18, 15, 10, 7)
    bright = np.asarray(shown("brightness", 1).pixels, float).max(axis=-1)
    assert (bright - before.max(axis=-1)).mean() == pytest.approx(25.5, abs=0.6)


def test_noise_is_the_samples_own_and_the_same_in_every_run() -> None:
    assert shown("noise").pixels.tobytes() == shown("noise").pixels.tobytes()
    other = shown("noise", sample="t")
    assert other.pixels.tobytes() != shown("noise").pixels.tobytes()
    assert other.key != shown("noise").key


def test_a_shuffle_keeps_every_pixel_and_a_flip_twice_is_none() -> None:
    before, after = picture(), shown("shuffle", 3).pixels
    counts = [np.bincount(np.asarray(one).reshape(-1), minlength=256) for one in (before, after)]
    assert (counts[0] == counts[1]).all()
    flip = PERTURBATIONS["flip"]
    random = np.random.default_rng(0)
    assert flip(flip(before, 1, random), 1, random).tobytes() == before.tobytes()
    assert PERTURBATIONS["shuffle"](Image.new("RGB", (3, 3)), 5, random).size == (3, 3)


@pytest.mark.parametrize("kind", sorted(MOVING))
@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Who is on the left?", None),
        ("Who sits there?", Choose(("the man on the right", "the woman"))),
        ("What does the person at [0.1, 0.2] do?", None),
        ("Describe it.", Generate(8)),
        ("Give the coordinates.", None),
    ],
)
def test_what_moving_things_would_change_is_not_asked(kind: str, text: str, want: Any) -> None:
    refused = Perturb({"kind": kind, "level": 1}).further(request(text, want))
    assert isinstance(refused, Failed)
    assert kind in refused.message
    assert Perturb({"kind": "blur", "level": 1}).further(request(text, want)) == []


def test_a_question_about_people_is_asked_and_one_without_an_image_is_not() -> None:
    method = Perturb({"kind": "flip", "level": 1})
    assert method.further(request()) == []
    assert isinstance(method.further(request(image=False)), Failed)


def test_the_descriptor_offers_every_kind() -> None:
    (descriptor,) = harness_answer_methods()
    assert set(descriptor.options[0].choices) == set(PERTURBATIONS) == set(KINDS)
