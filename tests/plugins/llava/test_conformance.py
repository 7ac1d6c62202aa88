"""The model contract, on tiny checkpoints of every format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.descriptors import Json
from harness.testing import ModelConformance

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"


class TestOriginal(ModelConformance):
    model = "llava"
    options = {"path": str(SHARED / "llava15_original_tiny")}
    changes = {"score_eos": False, "conversation": "plain", "image_aspect": "crop", "context": 99}


class TestTiled(ModelConformance):
    model = "llava"
    changes = {"score_eos": False}

    @pytest.fixture(
        scope="class",
        params=[
            pytest.param(kind, marks=pytest.mark.slow) for kind in ("llava_next", "llava_onevision")
        ],
    )
    @classmethod
    def model_options(
        cls, request: pytest.FixtureRequest, tiled: Callable[[str], Path]
    ) -> Mapping[str, Json]:
        return {"path": str(tiled(request.param))}
