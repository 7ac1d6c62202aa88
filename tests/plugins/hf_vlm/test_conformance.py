"""The model contract, on families of every way of answering."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.descriptors import Json
from harness.testing import ModelConformance
from tests.plugins.hf_vlm.families import FAMILIES


class TestHfVlm(ModelConformance):
    model = "hf_vlm"
    changes = {"score_eos": False}

    @pytest.fixture(
        scope="class",
        params=[
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("idefics3", "llava", "paligemma", "blip2_t5")
        ],
    )
    @classmethod
    def model_options(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Mapping[str, Json]:
        return {"path": str(FAMILIES[request.param](tmp_path_factory.mktemp(request.param)))}


class TestGated(ModelConformance):
    model = "hf_vlm"
    changes = {"score_eos": False}
    unfit = {"images": "the gates of an untrained Mllama let no image through"}

    @pytest.fixture(scope="class", params=[pytest.param("mllama", marks=pytest.mark.slow)])
    @classmethod
    def model_options(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Mapping[str, Json]:
        return {"path": str(FAMILIES[request.param](tmp_path_factory.mktemp(request.param)))}
