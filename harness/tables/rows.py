"""Rows: what makes records one row, what it is called, and its cells."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.descriptors import Json
from harness.requests.reasoning import AUTO
from harness.runs.record import EvaluationRecord, MetricValue
from harness.specs.variants import Variant
from harness.tables.columns import column_of, same_column
from harness.tables.layout import Layout
from harness.tables.table import Cell, Column, Row

OTHERS = "Others"
ONE_SIDED = 0.95
ONE_SIDED_MARK, SIGN_CHANGES = "one-sided", "sign changes"

Supports = Callable[[str, str], bool]
"""Whether a model (by id) can answer a task (by id); True when nothing is known."""
Doubts = Callable[[EvaluationRecord, MetricValue], list[str]]
"""The marks of one number of an evaluation, beside those of the evaluation."""


@dataclass(frozen=True, slots=True)
class Key:
    """What makes records one row: a layout's label, or the model and what changes its numbers.

    Attributes:
        place: Position of the layout's entry; rows are sorted by it.
        label: As the layout calls the row; empty for a row named by its model.
    """

    place: int
    group: str = ""
    label: str = ""
    model: str = ""
    fingerprint: str = ""
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A record with the row it belongs to."""

    key: Key
    record: EvaluationRecord
    seeds: int = field(default=1)


def placed(
    records: Iterable[EvaluationRecord], layout: Layout | None, *, any_seed: bool
) -> list[Placed]:
    """Give each record its row; those that a layout leaves out are gone.

    Args:
        records: Sealed evaluations.
        layout: Declares rows.
        any_seed: Runs that differ in nothing but their seed are one row.
    """
    placements = []
    for record in records:
        index, group, label = 0, "", ""
        if layout is not None:
            entry = layout.entry(record)
            if entry is None and not layout.others:
                continue
            index = len(layout.rows) if entry is None else entry
            if entry is None:
                group = OTHERS if any(rows.group for rows in layout.rows) else ""
            else:
                group, label = layout.rows[entry].group, layout.rows[entry].label
        if label:
            placements.append(Placed(Key(index, group, label), record))
        else:
            settings = canonical(_settings(record, any_seed=any_seed))
            key = Key(index, group, "", record.model, record.model_fingerprint, settings)
            placements.append(Placed(key, record))
    return placements


def _settings(record: EvaluationRecord, *, any_seed: bool) -> Json:
    dropped = {"seed"} if any_seed else set()
    return {name: value for name, value in record.settings.items() if name not in dropped}


def canonical(value: Json) -> str:
    """Return plain data as one text, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def names_of(placements: Sequence[Placed]) -> dict[Key, str]:
    """Return a name for each row: its label, or the model's with what tells it from namesakes."""
    rows = {one.key: one.record for one in placements}
    by_model: dict[str, list[EvaluationRecord]] = {}
    for key, record in rows.items():
        if not key.label:
            by_model.setdefault(record.title, []).append(record)
    differing = {model: _differing(namesakes) for model, namesakes in by_model.items()}
    names: dict[Key, str] = {}
    for key, record in rows.items():
        names[key] = key.label or record.title
        if not key.label and len(by_model[record.title]) > 1:
            names[key] += f" ({_telling(record, differing[record.title])})"
    uses = Counter(names.values())
    return {
        key: name if uses[name] == 1 or key.label else f"{name} #{key.fingerprint[:8]}"
        for key, name in names.items()
    }


def _facts(record: EvaluationRecord) -> dict[str, Json]:
    code = {"code": _short(record.model_code)} if record.model_code else {}
    # An option may have the name of a setting, such as a model's own seed.
    options = {
        f"-o {name}" if name in record.settings else name: value
        for name, value in record.model_options.items()
    }
    dtype = {"dtype": record.identity["dtype"]} if "dtype" in record.identity else {}
    # A record says of reasoning what somebody said; the others have the default.
    return {**AUTO.as_json(), **dtype, **options, **record.settings, **code}


def _short(code: Mapping[str, Json]) -> Json:
    """Return plugins' code as a table can show it: a version and the start of a hash each."""
    codes = {name: one for name, one in code.items() if isinstance(one, dict)}
    return " ".join(
        f"{name} {one.get('version')} {str(one.get('sha256'))[:6]}" for name, one in codes.items()
    )


def _differing(namesakes: Sequence[EvaluationRecord]) -> list[str]:
    every = [_facts(one) for one in namesakes]
    names = dict.fromkeys(name for held in every for name in held)
    return [name for name in names if len({canonical(held.get(name)) for held in every}) > 1]


def _telling(record: EvaluationRecord, differing: Sequence[str]) -> str:
    mine = _facts(record)
    settings = [f"{name}={_setting_text(mine.get(name))}" for name in differing]
    return ", ".join(settings) or f"#{record.model_fingerprint[:8]}"


def _setting_text(value: Json) -> str:
    if value is None:
        return "unset"
    return value if isinstance(value, str) else canonical(value)


def rows_of(  # noqa: PLR0913  records, and all that a cell must say of them
    placements: Sequence[Placed],
    columns: Sequence[Column],
    names: dict[Key, str],
    common: Collection[str],
    supports: Supports | None,
    *,
    doubts: Doubts,
) -> tuple[Row, ...]:
    """Return the rows of one section; each key and task comes once.

    Args:
        placements: The section's records, settled.
        columns: The table's columns.
        names: A name for each key.
        common: Marks that are printed once, under the table.
        supports: Tells ``n/a`` from a cell that nobody ran.
        doubts: Marks of single numbers.
    """
    rows: dict[Key, dict[str, Placed]] = {}
    for placement in placements:
        rows.setdefault(placement.key, {})[placement.record.task] = placement
    made = []
    for key in sorted(rows, key=lambda key: key.place):
        by_task = rows[key]
        models = {placement.record.model for placement in by_task.values()}
        cells = []
        for column in columns:
            cell = _cell(by_task.get(column.task), column, common, doubts)
            lacks = supports is not None and not any(
                supports(model, column.task) for model in models
            )
            cells.append(_UNSUPPORTED if cell is None and lacks else cell)
        fingerprint = key.fingerprint or next(iter(by_task.values())).record.model_fingerprint
        made.append(Row(names[key], fingerprint, tuple(cells), key.group))
    return tuple(made)


_UNSUPPORTED = Cell(
    value=None, low=None, high=None, level=None, n=0, clusters=0, unparsed=0.0, refusals=0.0,
    errors=0, marks=(), shown=(), evaluation="", supported=False,
)  # fmt: skip


def _cell(
    placed: Placed | None, column: Column, common: Collection[str], doubts: Doubts
) -> Cell | None:
    if placed is None:
        return None
    record = placed.record
    value = next(
        (one for one in record.metrics if same_column(column_of(record, one), column)), None
    )
    if value is None:
        return None
    counts, interval = record.counts, value.interval
    if interval is not None and not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        interval = None
    defined = value.value is not None and math.isfinite(value.value)
    scored = max(counts.scored, 1)
    marks = (*record.marks, *doubts(record, value))
    return Cell(
        value=value.value * value.scale if defined and value.value is not None else None,
        low=None if interval is None else interval.low * value.scale,
        high=None if interval is None else interval.high * value.scale,
        level=None if interval is None else interval.level,
        n=counts.scored,
        clusters=counts.clusters,
        unparsed=counts.unparsed / scored,
        refusals=counts.refusals / scored,
        errors=counts.errors,
        marks=marks,
        shown=tuple(mark for mark in marks if mark not in common),
        evaluation=record.fingerprint,
        seeds=placed.seeds,
        warning="" if interval is None else interval.warning,
        undefined=value.undefined,
    )


def doubts_of(records: Iterable[EvaluationRecord], one_sided: float) -> Doubts:
    """Return which numbers of these evaluations, variants among them, are in doubt, and why.

    Args:
        records: Evaluations that count.
        one_sided: From this share of one answer on, numbers that are best at zero are marked.
    """
    signed: dict[str, list[tuple[float, str, str]]] = {}
    for record in records:
        if record.variant and Variant.named(record.variant).perturbs:
            continue  # the question is the same
        parts: dict[str, Any] = {**record.task_parts, "variant": ""}
        identity: list[Any] = [record.model_fingerprint, {**record.settings}, record.method]
        for metric in record.metrics:
            if metric.direction == "zero" and metric.value is not None:
                number = metric.value, record.fingerprint, metric.column
                key = canonical([*identity, record.task, parts, metric.column])
                signed.setdefault(key, []).append(number)
    turning = {
        (fingerprint, column)
        for over_prompts in signed.values()
        if min(over_prompts)[0] < 0 < max(over_prompts)[0]
        for _, fingerprint, column in over_prompts
    }

    def doubts(record: EvaluationRecord, metric: MetricValue) -> list[str]:
        shares = [
            share.value
            for share in record.metrics
            if share.direction == "none" and share.range == (0.0, 1.0) and share.value is not None
        ]
        one_answer = metric.direction in {"zero", "none"} and any(
            share >= one_sided or share <= 1 - one_sided for share in shares
        )
        evaluations = record.fingerprint.split(",")  # several of a mean over seeds
        turns = any((one, metric.column) in turning for one in evaluations)
        return [ONE_SIDED_MARK] * one_answer + [SIGN_CHANGES] * turns

    return doubts
