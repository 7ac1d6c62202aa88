"""The model contract, on the demo encoder and on tiny CLIP and SigLIP checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.descriptors import Json
from harness.testing import ModelConformance


class TestOpenClip(ModelConformance):
    model = "open_clip"
    options = {"preset": "demo"}
    changes = {"templates": "{}"}


class TestTransformers(ModelConformance):
    model = "open_clip"
    changes = {"templates": "{}|a face of {}"}

    @pytest.fixture(scope="class", params=["clip", "siglip"])
    @classmethod
    def model_options(
        cls, request: pytest.FixtureRequest, converted: Callable[[str], Path]
    ) -> Mapping[str, Json]:
        return {"path": str(converted(request.param))}
