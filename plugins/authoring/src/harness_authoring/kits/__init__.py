"""The kit of each kind of plugin: what is promised, and a check for each promise."""

from __future__ import annotations

from importlib import import_module

from harness.errors import PluginError, UserError

from harness_authoring.contract import Check, NotApplicableError
from harness_authoring.subjects import Subject

_HOMES = {
    "reader": "readers",
    "metric": "metrics",
    "extractor": "extractors",
    "answer method": "methods",
    "recipe": "recipes",
    "format": "formats",
    "exporter": "exporters",
    "encoder": "encoders",
    "command": "commands",
    "executor": "executors",
    "data source": "sources",
    "study kind": "studies",
}
_TASK = "task"


def checks_of(kind: str) -> tuple[Check, ...]:
    """Return the checks of a kind, those of every kind first; models have a suite of their own."""
    from harness_authoring.kits.base import CHECKS

    if kind == _TASK:  # a spec is no code, and has no descriptor
        from harness_authoring.kits.specs import CHECKS as SPECS

        return SPECS
    if kind not in _HOMES:
        return CHECKS
    own_checks: tuple[Check, ...] = import_module(f"{__name__}.{_HOMES[kind]}").CHECKS
    return (*CHECKS, *own_checks)


def refuse_options(subject: Subject) -> None:
    """Refuse options that do not go with the task that a metric is checked on.

    Raises:
        UserError: a value that the metric refuses; what else is wrong is for its checks.
    """
    if subject.kind != "metric":
        return
    from harness_authoring.kits.metrics import make_metric

    try:
        make_metric(subject)
    except NotApplicableError:
        return
    except UserError as error:
        if not isinstance(error, PluginError):
            raise
