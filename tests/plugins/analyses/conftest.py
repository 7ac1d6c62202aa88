"""Faces to probe, and tiny encoders: what trainings' tests are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.workers.descriptors import EXECUTORS
from harness.workers.start import FoundExecutor
from tests.plugins.training.conftest import built, faces
from tests.workers.inline import Inline

__all__ = ["built", "faces"]


def written(results: str) -> dict[str, bytes]:
    """Return the files of the analyses in a folder but for when they were made."""
    files = sorted(Path(results).rglob("analyses/*/*/*"))
    return {path.name: path.read_bytes() for path in files if path.name != "timings.json"}


@pytest.fixture
def by_workers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Inline]:
    """Return what makes ``--on processes`` start workers of this process."""

    def start(number: int, *arguments: object, kind: type[Inline] = Inline) -> Inline:
        executor = kind(number, *arguments)  # type: ignore[arg-type]
        result = FoundExecutor(EXECUTORS[0], executor, number)
        monkeypatch.setattr("harness_analyses.api.find_executor", lambda *_: result)
        return executor

    return start


@pytest.fixture
def trained(built: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of finished trainings that added a half to every weight of a part."""
    import torch
    from harness_socialfusion.factory import SocialFusion
    from harness_training.weights import Trained, prepare, save

    from harness.models import Runtime

    def make(*parts: str) -> Path:
        model = SocialFusion({"path": str(built / "saved")}).load_model(Runtime(device="cpu"))
        subject = Trained(parts)
        prepare(model, subject)
        with torch.no_grad():
            for part in parts:
                for weight in model.parts()[part].parameters():
                    weight.add_(0.5)
        folder = tmp_path / "-".join(parts)
        save(model, subject, folder)
        record = {
            "format": 1,
            "model": {"identity": {}},
            "recipe": {"id": "ft", "options": {}},
            "data": {"tasks": ["raf_db"]},
            "settings": {"seed": 0},
            "trained": {"parts": list(parts)},
            "fingerprint": "0" * 64,
            "marks": [],
        }
        (folder / "train.json").write_text(json.dumps(record))
        return folder

    return make
