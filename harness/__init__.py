"""Ask vision-language models about people, score the answers, print the table.

Everything the command line does is one function here. Importing this package loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness._version import __version__

if TYPE_CHECKING:
    from harness.api import (
        leaderboard,
        load_model,
        load_task,
        read_evaluation,
        run,
    )

__all__ = [
    "__version__",
    "leaderboard",
    "load_model",
    "load_task",
    "read_evaluation",
    "run",
]


def __getattr__(name: str) -> Any:
    # The API pulls in numpy and scipy; a plugin that only wants a descriptor must not pay for it.
    if name in __all__:
        return getattr(import_module("harness.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
