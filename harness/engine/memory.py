"""How much memory a checkpoint's weights take, known from its files before anything is loaded.

Importing this loads no torch.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.engine.weights import read_header
from harness.errors import UserError
from harness.progress import in_bytes

_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
_QUANTISED = {"8bit": 1.0, "4bit": 0.5625}  # NF4 keeps an absmax of 32 bits per 64 values
_WORTH_SAYING = 1 << 30
_TEXT_SIDE = ("text_model.", "transformer.", "token_embedding.", "text.")
_EMBEDDINGS = ("embed", "lm_head", "visual", "vision")  # as the plugins leave them


def weight_bytes(
    paths: Iterable[Path],
    dtype: str,
    *,
    stored: str | None = None,
    quantise: str = "none",
    text_side: bool = True,
) -> int:
    """Return the bytes that weights take once they are loaded.

    Exact for safetensors, whose headers give every shape. A pickled file has to stand for itself:
    its size, taken as tensors of the dtype that the checkpoint's config names.

    Args:
        paths: Weight files.
        dtype: What they are loaded as.
        stored: The dtype of a pickled file's tensors; float32 when it is not known.
        quantise: ``8bit`` and ``4bit`` shrink the language model's matrices.
        text_side: Whether the text side of a dual encoder is loaded too; a tower has none.

    Raises:
        UserError: a file is missing or damaged.
    """
    size = _BYTES[dtype]
    total = 0.0
    for path in paths:
        if path.suffix == ".safetensors":
            total += sum(
                math.prod(entry["shape"]) * _each(name, entry, size, quantise)
                for name, entry in read_header(path).items()
                if text_side or not name.startswith(_TEXT_SIDE)
            )
        else:
            shrunk = _QUANTISED.get(quantise, size)
            total += path.stat().st_size / _BYTES.get(stored or "", 4) * shrunk
    return int(total)


def require_memory(needed: int, device: Any, options: Mapping[str, object]) -> None:
    """Refuse weights that a device has no room for, before they are read.

    Args:
        needed: From :func:`weight_bytes`; prompts and images come on top.
        device: The ``torch.device``.
        options: Those of :data:`.loading.LOADING`; a model that is spread may use every GPU and the
            host's memory.

    Raises:
        UserError: with what is needed, what is free, and what takes less.
    """
    free = free_bytes(device, spread=options.get("device_map") == "auto")
    if free is None or needed <= free:
        if free is not None and needed >= _WORTH_SAYING:
            room = f"needs {in_bytes(needed)}, {in_bytes(free)} free on {device}"
            print(f"weights: {room}", file=sys.stderr)
        return
    ways = ["free memory", "--dtype bfloat16 where the weights are float32"]
    if device.type == "cuda":
        ways[0] += " (nvidia-smi lists who holds the card's)"
        ways += ["-o device_map=auto", "-o quantise=8bit or 4bit"]
    raise UserError(
        f"the weights take {in_bytes(needed)} and {in_bytes(free)} are free on {device}",
        fix=", ".join(ways) + ", or a smaller checkpoint",
    )


def host_memory() -> int | None:
    """Return the bytes that this process may still take, or ``None`` where nothing tells.

    A container's limit counts: the kernel ends a process that goes over it without a word.
    """
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        free = int(text.partition("MemAvailable:")[2].split()[0]) << 10
    except (OSError, ValueError, IndexError):  # not on every system
        return None
    control = Path("/sys/fs/cgroup")
    try:
        limit = int((control / "memory.max").read_text(encoding="ascii"))
        used = int((control / "memory.current").read_text(encoding="ascii"))
        stat = (control / "memory.stat").read_text(encoding="ascii")
        reclaimable = int(stat.partition("inactive_file ")[2].split()[0])
    except (OSError, ValueError, IndexError):  # no limit, or another version of control groups
        return free
    return min(free, max(0, limit - used + reclaimable))


def _each(name: str, entry: Mapping[str, Any], size: int, quantise: str) -> float:
    matrix = len(entry["shape"]) == 2 and not any(part in name for part in _EMBEDDINGS)
    return _QUANTISED.get(quantise, size) if matrix else size


def free_bytes(device: Any, *, spread: bool = False) -> int | None:
    """Return the bytes that are free on a device, ``None`` where nothing tells.

    Args:
        device: The ``torch.device``.
        spread: Count every GPU and the host's memory.
    """
    if device.type == "cpu":
        return host_memory()
    if device.type != "cuda":
        return None  # Apple's memory is shared with the host and grows on demand
    import torch

    if not spread:
        return int(torch.cuda.mem_get_info(device)[0])
    cards = sum(int(torch.cuda.mem_get_info(at)[0]) for at in range(torch.cuda.device_count()))
    return cards + (host_memory() or 0)
