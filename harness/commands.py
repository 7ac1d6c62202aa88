"""For commands of plugins: options and tables that look as those of the harness's own commands.

A command is a :class:`click.Command` that ``harness_commands`` names. Its errors are raised as
:class:`harness.errors.UserError`; the harness prints them and ends with their exit code.
"""

from __future__ import annotations

from harness.cli._format import clean, number, print_json, print_table, replaced, say
from harness.cli._options import (
    Command,
    Number,
    Option,
    Whole,
    as_json,
    checkpoint,
    complete_tasks,
    completing,
    data,
    data_paths,
    device,
    dry_run,
    dtype,
    duplicates,
    executor,
    include,
    model,
    model_options,
    pairs,
    profile,
    refuse_idle,
    results,
    seed,
    setting,
    some_tasks,
    task_options,
    tasks,
    tell,
    together,
    track,
)
from harness.cli._records import Skips, finished, print_marks
from harness.cli._stdout import emit

__all__ = [
    "Command", "Number", "Option", "Skips", "Whole", "as_json", "checkpoint", "clean",
    "complete_tasks", "completing", "data", "data_paths", "device", "dry_run", "dtype",
    "duplicates", "emit", "executor", "finished", "include", "model", "model_options", "number",
    "pairs", "print_json", "print_marks", "print_table", "profile", "refuse_idle", "replaced",
    "results", "say", "seed", "setting", "some_tasks", "task_options", "tasks", "tell", "together",
    "track",
]  # fmt: skip
