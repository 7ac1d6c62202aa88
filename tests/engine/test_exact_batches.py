from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.engine import answerer as answering
from harness.engine.answerer import EngineAnswerer
from harness.engine.exact_batches import ExactBatches
from harness.models import Runtime
from harness.requests import Choose, Request, Turn
from harness.samples.images import LoadedImage

pytestmark = pytest.mark.torch


class Encoder:
    """Doubles numbers; ``wrong`` adds a last bit to the rows of a batch, as a kernel may."""

    def __init__(self, *, wrong: bool = False, shapes: Sequence[int] = (3,)) -> None:
        self.sizes: list[int] = []
        self._wrong, self._shapes = wrong, shapes

    def __call__(self, items: Sequence[int]) -> list[Any]:
        import torch

        self.sizes.append(len(items))
        more = 1e-6 if self._wrong and len(items) > 1 else 0.0
        return [
            torch.full((self._shapes[item % len(self._shapes)],), 2.0 * item + more)
            for item in items
        ]


def encoded(encoder: Encoder, items: Sequence[int], rows: int = 4) -> list[float]:
    together = ExactBatches(encoder, lambda _values: rows)
    return [float(item[0]) for item in together(items)]


def test_the_first_batch_is_encoded_both_ways_and_later_ones_once() -> None:
    encoder = Encoder()
    assert encoded(encoder, range(1, 15)) == [2.0 * item for item in range(1, 15)]
    assert encoder.sizes == [1, 4, 1, 1, 1, 1, 4, 4, 1]


def test_an_encoder_whose_rows_depend_on_the_batch_is_asked_one_at_a_time() -> None:
    encoder = Encoder(wrong=True)
    assert encoded(encoder, range(1, 15)) == [2.0 * item for item in range(1, 15)]
    assert encoder.sizes == [1, 4, *[1] * 13]


def test_rows_of_several_shapes_are_encoded_one_at_a_time() -> None:
    encoder = Encoder(shapes=(3, 5))
    assert encoded(encoder, range(1, 10)) == [2.0 * item for item in range(1, 10)]
    assert encoder.sizes == [1, 4, *[1] * 8]


def test_few_items_are_encoded_one_at_a_time() -> None:
    encoder = Encoder()
    assert encoded(encoder, range(4)) == [0.0, 2.0, 4.0, 6.0]
    assert set(encoder.sizes) == {1}


def asked(model: Any, images: list[LoadedImage], **runtime: Any) -> list[int]:
    """Return how many images each call of the encoder had."""
    sizes: list[int] = []
    inner = model.encode

    def encode(images: Sequence[LoadedImage]) -> Any:
        sizes.append(len(images))
        return inner(images)

    model.encode = encode
    displayed = [
        LoadedImage(images[0].pixels, "x", chr(ord("A") + at) * 3, 8, 8) for at in range(20)
    ]
    turns = [(Turn("user", "who", (image,)),) for image in displayed]
    requests = [
        Request(f"r{at}", f"s{at}", "t", turn, Choose(("a", "b"))) for at, turn in enumerate(turns)
    ]
    EngineAnswerer(model, Runtime(device="cpu", **runtime)).answer(requests)
    return sizes


def test_only_small_encoders_of_one_shape_see_several_images_at_once(
    make_model: Any, images: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    assert set(asked(model, images)) == {1}
    model = make_model()
    model.one_shape = True
    assert max(asked(model, images)) == 8
    model = make_model()
    model.one_shape = True
    assert set(asked(model, images, deterministic=True)) == {1}
    monkeypatch.setattr(answering, "CPU_VALUES", 1)  # as if an image left many values
    model = make_model()
    model.one_shape = True
    assert set(asked(model, images)) == {1}
