"""Collectors: one file for each kind of metric; nothing else asks of which kind a metric is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from harness.descriptors import Json
from harness.errors import PluginError, UserError, near
from harness.evaluation.collectors.base import Collector, Shared
from harness.evaluation.collectors.groups import GroupCollector
from harness.evaluation.collectors.ranks import RankCollector
from harness.evaluation.collectors.sums import SumCollector
from harness.guard import Contract, described
from harness.plugins import find, plugins
from harness.specs import MetricSpec, TaskSpec
from harness.targets import make

__all__ = [
    "KINDS",
    "Collector",
    "GroupCollector",
    "RankCollector",
    "Shared",
    "SumCollector",
    "check_metrics",
    "collector_of",
    "guarded_metric",
    "make_metric",
]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

KINDS = tuple(sorted(Collector.__subclasses__(), key=lambda kind: kind.rank))
"""Every kind of metric: the collector of each file in this folder that defines one."""


def collector_of(metric: MetricSpec, task: TaskSpec, shared: Shared) -> Collector:
    """Return a collector for one of a task's metrics.

    Args:
        metric: The metric as the task prints it.
        task: The task.
        shared: What all collectors of one evaluation share; empty for the first.

    Raises:
        PluginError: the metric's plugin fails.
        UserError: no such metric, or options and labels that it refuses.
    """
    made = make_metric(metric.id, metric.options, task.labels)
    needs_target = find("metric", metric.id, plugins().metrics()).needs_target
    # Asked once: whether an object keeps a protocol takes longer than a sample's statistics.
    kind = _kind_of(made)
    assert kind is not None
    return kind(metric, made, shared, needs_target=needs_target)


def check_metrics(spec: TaskSpec) -> None:
    """Make each metric of a task, so that a wrong option is refused before a model is asked.

    Raises:
        PluginError: a metric's plugin fails.
        UserError: options that a metric refuses, or a field that it reads and the spec drops.
    """
    for metric in spec.metrics:
        made = make_metric(metric.id, metric.options, spec.labels)
        reads: Any = getattr(made, "reads", ())
        if not isinstance(reads, tuple | list | frozenset | set):
            raise PluginError(f"metric {metric.id!r}: reads is {described(reads)}, not a tuple")
        for name in sorted(set(map(str, reads)) - set(spec.data.keep)):
            raise UserError(
                f"the metric {metric.id!r} reads the field {name!r}, which the spec does not keep",
                where=f"task {spec.id!r}",
                fix=near(name, spec.data.keep) or f"add {name} to data.keep",
            )


def make_metric(name: str, options: Mapping[str, Json], labels: Sequence[str]) -> Any:
    """Return a metric by id; each of its methods raises nothing but what it means to.

    Raises:
        PluginError: its plugin or factory fails, or what it makes is not a metric.
        UserError: no such metric, or options and labels that it refuses.
    """
    metric, contract = make("metric", name, plugins().metrics(), options, tuple(labels))
    return guarded_metric(metric, contract)


def guarded_metric(metric: Any, contract: Contract) -> Any:
    """Return a stand-in for a plugin's metric whose faults become one message.

    Raises:
        PluginError: it is of no kind.
    """
    kind = _kind_of(metric)
    if kind is None:
        *wanted, last = (known.wants for known in KINDS)
        raise contract.wrong(
            f"makes {described(metric)}, not a metric: it wants {', '.join(wanted)}, or {last}"
        )
    return kind.guarded(metric, contract)


def _kind_of(metric: object) -> type[Collector] | None:
    """Return the kind of a metric; the first that fits, ``None`` for an object of no kind."""
    return next((kind for kind in KINDS if isinstance(metric, kind.protocol)), None)
