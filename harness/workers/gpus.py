"""The GPUs of this machine, counted without loading PyTorch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.evaluation.model import ConfiguredModel

VISIBLE = "CUDA_VISIBLE_DEVICES"
_DRIVER = Path("/proc/driver/nvidia/gpus")


def gpus() -> tuple[str, ...]:
    """Return the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        return tuple(name for name in names if name and name != "-1")
    try:
        return tuple(str(number) for number, _ in enumerate(_DRIVER.iterdir()))
    except OSError:
        return ()


def unused_gpus(model: ConfiguredModel) -> str:
    """Return what to say of GPUs that one process leaves idle; empty where there is one at most."""
    number = len(gpus())
    computes = bool(model.descriptor.requires) and model.runtime.device in {"auto", "cuda"}
    if number < 2 or not computes:
        return ""
    return f"one of {number} GPUs is used; --on processes starts a worker on each"
