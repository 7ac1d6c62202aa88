"""The model contract, on a tiny saved model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.descriptors import Json
from harness.testing import ModelConformance


class TestSocialFusion(ModelConformance):
    model = "socialfusion"
    changes = {"score_eos": False, "prompt_format": "plain"}

    @pytest.fixture(scope="class")
    @classmethod
    def model_options(cls, built: Path) -> Mapping[str, Json]:
        return {"path": str(built / "saved")}
