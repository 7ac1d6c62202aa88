"""What a batch changes is encoded one by one, and said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_open_clip.encoders import OpenClipEncoder
from harness_open_clip.together import vectors_differ

from harness.samples.images import LoadedImage
from tests.plugins.open_clip.test_answerer import choices, loaded, scores


@pytest.mark.parametrize(
    "kind", ["clip", "siglip", pytest.param("siglip2", marks=pytest.mark.slow), "flava"]
)
def test_batches_change_no_vector_of_a_sound_encoder(
    kind: str, converted: Callable[[str], Path]
) -> None:
    answerer = loaded(converted(kind))
    assert vectors_differ(answerer._encoder) == {}
    assert answerer.notes() == []


@pytest.mark.parametrize("side", ["images", "texts"])
def test_a_side_that_batches_change_is_encoded_one_by_one(
    side: str, original: Path, pictures: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain: Any = getattr(OpenClipEncoder, side)
    expected = scores(loaded(original), choices(pictures))

    def mixed(encoder: Any, items: Sequence[Any]) -> Any:
        """Return what one that lets a batch's items leak into each other would."""
        vectors = plain(encoder, items)
        return vectors + (len(items) - 1) * vectors.mean(0)

    monkeypatch.setattr(OpenClipEncoder, side, mixed)
    answerer = loaded(original)
    (note,) = answerer.notes()
    assert note.startswith(f"{side} are encoded one at a time: a batch changed")
    assert np.abs(scores(answerer, choices(pictures)) - expected).max() < 1e-6
