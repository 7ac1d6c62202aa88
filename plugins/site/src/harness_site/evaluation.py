"""The page of an evaluation: its record, numbers with intervals, where it fails."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from harness.figures.make import page_figures
from harness.runs.record import (
    DetailRow,
    EvaluationRecord,
    GroupComparison,
    Measure,
    MetricValue,
)
from harness.specs.resolve import read_resolved
from harness.tables.columns import column_of

from harness_site.browse import Set
from harness_site.files import Site, plain

MOST = 200
"""Rows of a table that a page shows; the rest stay in metrics.json."""

FEW = 30


def in_both_lights(svg: bytes) -> bytes:
    """Return a figure that follows the reader's light or dark theme."""
    head, mark, body = svg.partition(b"<defs>")
    style = (
        b"<style>svg{--ink:#24292f}@media(prefers-color-scheme:dark){svg{--ink:#d8dee4}}</style>"
    )
    return head + style + mark + body.replace(b"#24292f", b"var(--ink)")


def write_evaluation(
    site: Site, task_set: Set, index: int, name: str, *, drawn: bool = False
) -> None:
    """Write the page of one evaluation.

    Args:
        site: Where it goes.
        task_set: The set it belongs to, its samples written.
        index: Position of the evaluation in the set.
        name: Name of the page, without ending.
        drawn: Draw its figures, which needs matplotlib.
    """
    record, counts = task_set.records[index], task_set.counts[index]
    labels = read_resolved(record.directory).labels
    site.page(
        f"evaluations/{name}.html",
        "evaluation.html",
        title=f"{task_set.names[index]} on {task_set.title}",
        marks=record.marks,
        record=record,
        samples=f"samples/{task_set.name}.html#a={index}",
        metrics=[_metric(metric) for metric in record.metrics],
        slices=_worst_slices(record),
        few=FEW,
        compared=_compared(record.comparisons),
        confusion=_confusion(labels, counts),
        details=[
            (
                detail,
                [_detail(row) for row in detail.rows[:MOST]],
                max(0, len(detail.rows) - MOST),
            )
            for detail in record.details
        ],
        figures=_figures(site, record, name) if drawn else [],
        facts=[
            ("model", {"fingerprint": record.model_fingerprint, **record.model_options}),
            ("settings", record.settings),
            ("named options", record.task_options),
            ("task parts", record.task_parts),
            ("versions", record.versions),
        ],
    )


def _figures(site: Site, record: EvaluationRecord, name: str) -> list[tuple[str, str]]:
    """Write the figures of an evaluation; return the file beside the page and what it shows."""
    images = []
    for figure in page_figures("evaluation", record):
        file = f"{name}-{figure.id}.svg"
        content = in_both_lights(figure.content(".svg", clear=True))
        site.write(f"evaluations/{file}", content)
        images.append((file, figure.plot.caption))
    return images


def _number(value: float | None, scale: float) -> str:
    return "undefined" if value is None else f"{value * scale:z.{1 if scale == 100 else 3}f}"


def _between(low: float | None, high: float | None, scale: float) -> str:
    if low is None or high is None:
        return ""
    return f"[{_number(low, scale)}, {_number(high, scale)}]"


def _metric(metric: MetricValue) -> dict[str, str]:
    interval, chance = metric.interval, metric.chance
    method = "" if interval is None else f"{100 * interval.level:g} %, {interval.method}"
    why = f": {metric.undefined}" if metric.undefined else ""
    return {
        "name": metric.column,
        "value": _number(metric.value, metric.scale) + why,
        "interval": "" if interval is None else _between(interval.low, interval.high, metric.scale),
        "method": "; ".join(filter(None, (method, interval.warning if interval else ""))),
        "chance": ""
        if chance is None
        else f"{_number(chance.mean, metric.scale)} (p = {chance.p:.3f})",
    }


def _worst_slices(record: EvaluationRecord) -> list[dict[str, Any]]:
    """Return slice values, the worst in the headline metric first, those without a value last."""
    ranked = []
    for part in record.slices:
        for metric in part.metrics:
            if metric.main:
                value, column = metric.value, column_of(record, metric)
                badness = -math.inf if value is None else column.badness(value)
                ranked.append((-badness, part, _metric(metric)))
    ranked.sort(key=lambda one: (one[0], one[1].slice, one[1].value))
    return [
        {
            **metric,
            "slice": part.slice,
            "value": part.value,
            "source": part.source,
            "n": part.n,
            "number": metric["value"],
        }
        for _, part, metric in ranked
    ]


def _compared(comparisons: Sequence[GroupComparison]) -> dict[str, Any] | None:
    """Return comparisons of groups: one row per slice and metric, one column per measure."""
    names = list(
        dict.fromkeys(one.name for comparison in comparisons for one in comparison.measures)
    )
    if not names:
        return None
    rows = []
    for comparison in comparisons:
        by_name = {one.name: one for one in comparison.measures}
        rows.append((comparison, [_measure(by_name.get(name)) for name in names]))
    undefined = any(value == "undefined" for _, listed in rows for value, _ in listed)
    return {"names": names, "rows": rows, "undefined": undefined}


def _measure(measure: Measure | None) -> tuple[str, str]:
    """Return a number, and how often chance gives one that is as far."""
    if measure is None:
        return "", ""
    chance = measure.chance
    return _number(measure.value, 1.0), "" if chance is None else f"p = {chance.p:.3f}"


def _confusion(
    labels: Sequence[str], counts: Mapping[tuple[str, str], int]
) -> dict[str, Any] | None:
    """Return rows of right answers by columns of answers; each field has its share in tenths."""
    if not labels or not counts:
        return None
    others = [answer for answer in Counter(answer for _, answer in counts) if answer not in labels]
    columns = [*labels, *others]
    rows = []
    for right in dict.fromkeys([*labels, *(right for right, _ in counts)]):
        row_counts = [counts.get((right, answer), 0) for answer in columns]
        total = sum(row_counts)
        if total:
            fields = [
                (count, round(9 * count / total), _cell(right, answer))
                for answer, count in zip(columns, row_counts, strict=True)
            ]
            rows.append((right, fields))
    return {"columns": [column or "no answer" for column in columns], "rows": rows}


def _cell(right: str, answer: str) -> str:
    """Return the part of the browser's address that opens the samples of a field."""
    return urlencode({"right": right, "said": answer})


def _detail(row: DetailRow) -> dict[str, Any]:
    counts = ", ".join(
        f"{name} {plain(value if value is None else round(value, 4))}"
        for name, value in row.counts.items()
    )
    return {
        "key": ", ".join(f"{name}: {value}" for name, value in row.key.items()),
        "value": _number(row.value, 1.0),
        "interval": _between(row.low, row.high, 1.0),
        "counts": counts,
    }
