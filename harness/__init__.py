"""Ask vision-language models about people, score the answers, print the table.

Everything the command line does is one function here. Importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness._version import __version__
from harness.lazy import lazily

if TYPE_CHECKING:
    from harness.api import (
        find_model,
        leaderboard,
        load_task,
        read_evaluation,
        run,
    )

__all__ = [
    "__version__",
    "find_model",
    "leaderboard",
    "load_task",
    "read_evaluation",
    "run",
]

# The API pulls in numpy and scipy; a plugin that only wants a descriptor must not pay for it.
__getattr__ = lazily(__name__, dict.fromkeys(__all__[1:], "harness.api"))
