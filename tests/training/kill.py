"""Train as the command line does, and die by SIGKILL at a step: run by the tests."""

import os
import signal
import sys
from typing import Any

from harness.cli.main import entry
from harness.training import loop

arguments = sys.argv[1:]
AT = int(arguments.pop(0))
SEEN = 0
plain = loop.EpochTrainer.compute_loss


def deadly(self: Any, *given: Any, **named: Any) -> Any:
    global SEEN  # noqa: PLW0603
    SEEN += 1
    if SEEN == AT:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(self, *given, **named)


loop.EpochTrainer.compute_loss = deadly  # type: ignore[method-assign]
entry(arguments)
