"""The model contract, on tiny checkpoints of the first Qwen-VL and its successors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.descriptors import Json
from harness.testing import ModelConformance
from tests.plugins.hf_vlm.tiny import qwen

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"


class TestOriginal(ModelConformance):
    model = "qwen_vl"
    options = {"path": str(SHARED / "qwen_vl_v1_tiny")}
    changes = {"score_eos": False}


class TestNewer(ModelConformance):
    model = "qwen_vl"
    changes = {"score_eos": False}

    @pytest.fixture(
        scope="class",
        params=[
            "qwen2_vl",
            *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("qwen2_5_vl", "qwen3_vl")),
        ],
    )
    @classmethod
    def model_options(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Mapping[str, Json]:
        return {"path": str(qwen(tmp_path_factory.mktemp(request.param), request.param))}
