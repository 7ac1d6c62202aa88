"""Descriptors of the built-in sub-commands, in the order ``harness --help`` lists them."""

from __future__ import annotations

from harness.descriptors import CommandDescriptor

COMMANDS: tuple[CommandDescriptor, ...] = (
    CommandDescriptor(
        id="run",
        target="harness.cli.run:run",
        summary="Evaluate a model on tasks and print the table.",
        section="Evaluate",
    ),
    CommandDescriptor(
        id="leaderboard",
        target="harness.cli.leaderboard:leaderboard",
        summary="Print a table of finished evaluations.",
        section="Evaluate",
    ),
    CommandDescriptor(
        id="results",
        target="harness.cli.results:results",
        summary="List, show and remove evaluations.",
        section="Evaluate",
    ),
    CommandDescriptor(
        id="list",
        target="harness.cli.list:list_",
        summary="List what is installed of a kind: models, tasks, metrics, readers, ...",
        section="Look around",
    ),
    CommandDescriptor(
        id="show",
        target="harness.cli.list:show",
        summary="Show one object of a kind with its options.",
        section="Look around",
    ),
    CommandDescriptor(
        id="tasks",
        target="harness.cli.tasks:tasks",
        summary="List tasks and groups, or show one with its data and a prompt.",
        section="Look around",
    ),
    CommandDescriptor(
        id="models",
        target="harness.cli.models:models",
        summary="List models with what they can answer, or show one with its options.",
        section="Look around",
    ),
    CommandDescriptor(
        id="plugins",
        target="harness.cli.plugins:plugins",
        summary="List plugins, what they add, and why one failed.",
        section="Look around",
    ),
)
