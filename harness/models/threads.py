"""How many threads PyTorch computes with on a CPU, and how they wait for each other.

Threads of OpenMP wait by spinning unless a setting says otherwise before it is loaded. Beside other
work that costs a multiple of the time, and a small model's kernels are too short to be shared at
all. Neither is part of a fingerprint: a thread more or less moves a number by rounding at most.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from harness.descriptors import Json

AUTO = "auto"
"""Threads by the size of the model and by what else runs."""
PARAMETERS_A_THREAD = 10_000_000
"""A model of fewer parameters is not faster with a second thread."""
_NUMBER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_LOOKS, _APART = 5, 0.02  # how often what else runs is looked at, seconds between

_last: dict[str, Json] = {}


def wait_passively(*, if_busy: bool = False) -> None:
    """Have threads sleep while they wait, unless PyTorch is loaded or the environment says how.

    Args:
        if_busy: Only where others keep a core busy: on a quiet machine a training step is faster
            with threads that spin.
    """
    if "torch" in sys.modules or any(name in os.environ for name in _WAITING):
        return
    if not if_busy or others() >= 1:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def settle(
    requested: int | str, parameters: int | None, *, device: str, fixed: bool
) -> Callable[[], None] | None:
    """Set PyTorch's threads for a model that is loaded, and return what puts them back.

    Nothing is done where PyTorch is not loaded; on a GPU, or where the environment says how many,
    only a number that was asked for is set.

    Args:
        requested: A number, or :data:`AUTO`.
        parameters: Number of the model's parameters; ``None`` when it is not known.
        device: As it was asked for.
        fixed: Whether what else runs on the machine must not matter.
    """
    torch = sys.modules.get("torch")
    _last.clear()
    if torch is None:
        return None
    before = torch.get_num_threads()
    if requested != AUTO:
        number, why = int(requested), "as asked"
    elif variable := next((name for name in _NUMBER if name in os.environ), None):
        number, why = before, f"as {variable} says"
    elif device != "cpu" and torch.cuda.is_available():
        number, why = before, "as PyTorch chose: the model runs on a GPU"
    else:
        number, why = automatic(parameters, cores(), 0.0 if fixed else others())
    torch.set_num_threads(number)
    _last["why"] = why

    def put_back() -> None:
        torch.set_num_threads(before)
        _last.clear()

    return put_back


def automatic(parameters: int | None, cores: int, others: float) -> tuple[int, str]:
    """Return how many threads a model gets, and why.

    Args:
        parameters: Number of the model's parameters; ``None`` when it is not known.
        cores: That this process may use.
        others: Cores that others keep busy.
    """
    free = max(1, cores - round(others))
    if parameters is None:
        return free, f"auto: {free} of {cores} cores are free"
    useful = max(1, parameters // PARAMETERS_A_THREAD)
    if useful <= free:
        return useful, f"auto: a model of {parameters / 1e6:.1f}M parameters"
    return free, f"auto: {free} of {cores} cores are free"


def cores() -> int:
    """Return the cores that this process may use: its affinity, and its group's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(count or 1, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max": no quota
        return count or 1


def others() -> float:
    """Return how many threads of others run now, looked at for a tenth of a second.

    Not the load of the last minute: it would count the command before this one. 0 where the system
    does not say.
    """
    running = 0
    for look in range(_LOOKS):
        if look:
            time.sleep(_APART)
        try:
            fields = Path("/proc/loadavg").read_text(encoding="ascii").split()
            running += int(fields[3].partition("/")[0]) - 1  # one is this thread
        except (OSError, ValueError, IndexError):
            return 0.0
    return running / _LOOKS


def in_use() -> dict[str, Json]:
    """Return what a record says of threads; empty where none were settled."""
    torch = sys.modules.get("torch")
    if torch is None or not _last:
        return {}
    before = {name: os.environ[name] for name in _WAITING if name in os.environ}
    return {
        "threads": torch.get_num_threads(),
        "chosen": _last["why"],
        "waiting": " ".join(f"{name}={value}" for name, value in before.items())
        or "as OpenMP does by itself: PyTorch was loaded before the run",
        "cores": cores(),
    }
