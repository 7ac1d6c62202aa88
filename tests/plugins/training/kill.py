"""Work as the command line does, and be sent a signal at a step or a block: run by the tests."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from harness_analyses.features import FeatureStore
from harness_training import loop

from harness.cli.main import entry
from harness.runs.journal import Journal

arguments = sys.argv[1:]
AT = int(arguments.pop(0))
SEEN = 0


def deadly(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that counts its calls with those of others, and does not survive one."""

    def call(*positional: Any, **named: Any) -> Any:
        global SEEN  # noqa: PLW0603
        SEEN += 1
        if SEEN == AT:
            os.kill(os.getpid(), signal.Signals[os.environ.get("KILL_BY", "SIGKILL")])
        return plain(*positional, **named)

    return call


loop.EpochTrainer.compute_loss = deadly(loop.EpochTrainer.compute_loss)  # type: ignore[method-assign]
Journal.append = deadly(Journal.append)  # type: ignore[method-assign]
FeatureStore.put = deadly(FeatureStore.put)  # type: ignore[method-assign]
entry(arguments)
