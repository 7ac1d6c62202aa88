"""Ask vision-language models about people, score the answers, print the table.

Everything the command line does is one function here. Importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness._version import __version__
from harness.lazy import lazily

if TYPE_CHECKING:
    from harness.api.folders import evaluations, remove_evaluations
    from harness.api.listings import installed, schema
    from harness.api.plugin_functions import (
        build_site,
        compare,
        data_check,
        export,
        gradients,
        mir,
        plan_study,
        plan_training,
        plot,
        probe,
        study,
        submission,
        train,
        transfer,
        validate,
    )
    from harness.api.runs import find_model, load_task, plan, run
    from harness.api.tables import leaderboard, read_evaluation
    from harness.models.in_memory import as_model
    from harness.testing import check_model

__all__ = [
    "__version__",
    "as_model",
    "build_site",
    "check_model",
    "compare",
    "data_check",
    "evaluations",
    "export",
    "find_model",
    "gradients",
    "installed",
    "leaderboard",
    "load_task",
    "mir",
    "plan",
    "plan_study",
    "plan_training",
    "plot",
    "probe",
    "read_evaluation",
    "remove_evaluations",
    "run",
    "schema",
    "study",
    "submission",
    "train",
    "transfer",
    "validate",
]

# These modules import numpy and scipy; a plugin that only wants a descriptor must not pay for it.
_HOMES = {
    "harness.api.plugin_functions": (
        "build_site",
        "compare",
        "data_check",
        "export",
        "gradients",
        "mir",
        "plan_study",
        "plan_training",
        "plot",
        "probe",
        "study",
        "submission",
        "train",
        "transfer",
        "validate",
    ),
    "harness.api.folders": ("evaluations", "remove_evaluations"),
    "harness.api.listings": ("installed", "schema"),
    "harness.testing": ("check_model",),
    "harness.api.runs": ("find_model", "load_task", "plan", "run"),
    "harness.api.tables": ("leaderboard", "read_evaluation"),
    "harness.models.in_memory": ("as_model",),
}
__getattr__ = lazily(__name__, {name: home for home, names in _HOMES.items() for name in names})
