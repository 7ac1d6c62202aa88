"""The model contract, on a tiny checkpoint in the original format."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import ModelConformance

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"


@pytest.mark.slow  # its parity with the original is quick
class TestBunny(ModelConformance):
    model = "bunny"
    options = {"path": str(SHARED / "bunny_llama_tiny")}
    changes = {"score_eos": False}
