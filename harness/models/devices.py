"""Which device and dtype a model runs with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, one_line, unknown

if TYPE_CHECKING:
    import torch

_CARD = Path("/dev/nvidia0")
DTYPES = ("float32", "bfloat16", "float16")


def resolve_dtype(requested: str, checkpoint: str | None) -> str:
    """Return the name of the dtype: as asked, else the checkpoint's, else float32.

    The device has no say, so a model's identity is the same on every machine. Imports no torch.

    Raises:
        UserError: for a type that is not one of :data:`DTYPES`.
    """
    name = (checkpoint or "float32") if requested == "auto" else requested
    name = name.removeprefix("torch.")
    if name not in DTYPES:
        raise unknown("dtype", name, ("auto", *DTYPES))
    return name


def torch_dtype(name: str) -> torch.dtype:
    """Return torch's type of one of the :data:`DTYPES`."""
    import torch

    dtype: torch.dtype = getattr(torch, name)
    return dtype


def resolve_device(requested: str) -> torch.device:
    """Return the device: ``auto`` is the current CUDA device, else Apple's, else the CPU.

    The current one is the first; of several processes each has made its own the current one.

    Raises:
        UserError: for a device that is not there.
    """
    import torch

    if requested == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        if torch.version.cuda and _CARD.exists():
            raise UserError(
                f"this machine has a GPU that PyTorch cannot use: {_why_no_cuda()}",
                fix="update its driver or install a PyTorch made for it, or add --device cpu",
            )
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(requested)
    except RuntimeError:
        raise unknown("device", requested, ("auto", "cpu", "cuda", "cuda:1", "mps")) from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            reason = f" ({_why_no_cuda()})" if not count else ""
            raise UserError(
                f"device {requested!r} is not available: PyTorch sees {count} CUDA devices{reason}",
                fix="use --device cpu, or install a PyTorch that knows the machine's GPU",
            )
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device {requested!r} is not available", fix="use --device cpu")
    elif device.type not in {"cpu", "cuda", "mps"}:
        raise unknown("device", requested, ("auto", "cpu", "cuda", "mps"))
    return device


def _why_no_cuda() -> str:
    """Return why PyTorch uses no GPU, such as a driver that is too old."""
    import torch

    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (AssertionError, RuntimeError) as error:
        return one_line(str(error))
    return "none is visible to this process"
