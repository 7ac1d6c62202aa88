"""The figure ``risk_coverage``: share of wrong answers among the most confident, by coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import DataError, UserError
from harness.evaluation.score import scored
from harness.figures.contract import FigureRequest, Plot
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import read_samples
from harness.specs.resolve import read_resolved

from harness_claims.metrics.selective import RiskCoverage

_POINTS = 400


@dataclass(frozen=True, slots=True)
class Curve:
    """A model's risk by coverage.

    Attributes:
        coverage: Shares of the samples that are answered, ascending.
        risk: Share of wrong answers among them.
        area: Mean risk over coverages, as the metric ``risk_coverage``.
    """

    model: str
    coverage: Sequence[float]
    risk: Sequence[float]
    area: float


def risk_coverage(request: FigureRequest) -> Plot:
    """Return the curves of every model on one task, whose answers have log-probabilities.

    Raises:
        UserError: several tasks, or no answers with log-probabilities.
    """
    wanted = {name.strip() for name in (request.tasks or "").split(",") if name.strip()}
    records = [
        record
        for record in request.evaluations()
        if not record.variant
        and (not wanted or record.task in wanted)
        and request.model in {None, record.model}
    ]
    tasks = sorted({record.task for record in records})
    if len(tasks) != 1:
        raise UserError(
            f"{request.kind} needs one task: {', '.join(tasks) or 'no evaluation is here'}",
            fix="--tasks ID",
        )
    curves: list[Curve] = []
    refused: list[tuple[str, Exception]] = []
    for record in records:
        try:
            curves.append(curve_of(record))
        except (DataError, UserError) as error:
            refused.append((record.title, error))
    if not curves:
        raise refused[0][1]
    marks = {mark for record in records for mark in record.marks}
    left_out = ", ".join(title for title, _ in refused)
    caption = f"Risk by coverage on {records[0].task_title}, the most confident answers first."
    return Plot(draw, tuple(curves), marks,
                caption + f" Without log-probabilities: {left_out}." * bool(refused))  # fmt: skip


def curve_of(record: EvaluationRecord) -> Curve:
    """Return an evaluation's curve; at a coverage within a level that level is taken whole.

    Raises:
        DataError: answers without log-probabilities.
        UserError: no choice task, or nothing was scored.
    """
    import numpy as np

    spec = read_resolved(record.directory)
    metric = RiskCoverage({}, spec.labels)
    lines = (line for line in read_samples(record.directory) if line.error is None)
    samples = [scored(line, spec) for line in lines if line.target is not None]
    if not samples:
        raise UserError("no sample was scored", where=record.directory)
    ranked = metric.prepare(samples)
    stops = [*ranked.starts[1:].tolist(), len(samples)]
    wrong = np.cumsum(1 - ranked.right)
    counts = np.array(stops)
    area = float(metric.value(ranked, np.ones((1, len(samples))))[0])
    keep = np.unique(np.linspace(0, len(counts) - 1, min(_POINTS, len(counts))).astype(int))
    return Curve(
        record.title,
        (counts[keep] / len(samples)).tolist(),
        (wrong[counts[keep] - 1] / counts[keep]).tolist(),
        area,
    )


def draw(curves: Sequence[Curve]) -> Any:
    """Return the curves as a ``matplotlib.figure.Figure``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for curve in curves:
        label = f"{curve.model}, area {curve.area:.3f}"
        axes.step(curve.coverage, curve.risk, where="pre", label=label, linewidth=1.2)
    axes.set(xlabel="coverage: share of samples answered", ylabel="risk: share of them wrong")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", frameon=False)
    return figure
