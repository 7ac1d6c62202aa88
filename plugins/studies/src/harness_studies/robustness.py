"""How much a number depends on the prompt: paraphrases, and orders of listed options.

A row is a model on a task, asked as the spec has it and in each of its variants. Shown are the
number as asked, the mean and the range over all ways of asking, and the share of samples whose
answer is another one in at least one variant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import UserError
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import read_samples
from harness.specs.variants import Variant
from harness.tables.notes import notes_of
from harness.tables.rows import Key, names_of, placed
from harness.tables.table import Cell, Column, Row, Section, Table

Answers = Callable[[EvaluationRecord], Mapping[str, Json]]
"""Sample id to answer of an evaluation; samples that errored are absent."""

_MEANING = (
    "Mean, lowest and highest are over all ways of asking. Answers that change: share of samples "
    "with another answer in at least one of them, in percent."
)
_HEADINGS = ("As asked", "Mean", "Lowest", "Highest", "Answers that change")


def robustness_table(records: Iterable[EvaluationRecord]) -> Table:
    """Return :func:`build_robustness` of records whose answers are read from their folders."""
    return build_robustness(
        records,
        lambda record: {
            sample.id: sample.answer
            for sample in read_samples(record.directory)
            if sample.error is None
        },
    )


def build_robustness(records: Iterable[EvaluationRecord], answers: Answers) -> Table:
    """Return the table of every task that was asked in several ways.

    Args:
        records: Sealed evaluations, those asked as the spec has it and variants; those of
            perturbed images are no other way of asking, and left out.
        answers: Reads an evaluation's answers.

    Raises:
        UserError: no task was evaluated with several prompts by one model.
    """
    originals = [
        one for one in records if not (one.variant and Variant.named(one.variant).perturbs)
    ]
    placements = placed(originals, None, any_seed=False)
    groups: dict[tuple[Key, str, str], list[EvaluationRecord]] = {}
    for placement in placements:
        parts = {
            name: part for name, part in placement.record.task_parts.items() if name != "variant"
        }
        groups.setdefault(
            (placement.key, placement.record.task, str(sorted(parts.items()))), []
        ).append(placement.record)
    varied = {key: _ordered(group) for key, group in groups.items() if len(group) > 1}
    varied = {key: group for key, group in varied.items() if not group[0].variant}
    if not varied:
        raise UserError(
            "no task was evaluated with several prompts",
            fix="harness run ... --variants paraphrases",
        )
    tasks = list(dict.fromkeys(task for _, task, _ in varied))
    of_row: dict[Key, dict[str, tuple[Cell | None, ...]]] = {}
    columns: dict[str, tuple[Column, ...]] = {}
    ways: dict[str, str] = {}
    for (key, task, _), group in varied.items():
        columns.setdefault(task, _columns(group[0]))
        ways.setdefault(task, ", ".join(record.variant for record in group[1:]))
        of_row.setdefault(key, {})[task] = _cells(group, answers)
    names = names_of(placements)
    rows = tuple(
        Row(
            names[key],
            key.fingerprint,
            tuple(cell for task in tasks for cell in cells.get(task, (None,) * len(_HEADINGS))),
        )
        for key, cells in of_row.items()
    )
    every = [group[0] for group in varied.values()]
    common = frozenset.intersection(*(frozenset(record.marks) for record in every))
    flat = tuple(column for task in tasks for column in columns[task])
    notes = [
        *notes_of([every], flat, common, intervals=False),
        *(f"{columns[task][0].title}: as asked, {ways[task]}." for task in tasks),
        *_undefined(flat, rows),
        _MEANING,
    ]
    return Table(flat, (Section("", rows),), tuple(notes), title="Robustness to the question")


def _undefined(columns: Sequence[Column], rows: Sequence[Row]) -> dict[str, None]:
    """Return why cells have no number, each reason once."""
    return {
        f"{column.title}, {column.name} ({row.model}): undefined, {cell.undefined}.": None
        for row in rows
        for column, cell in zip(columns, row.cells, strict=True)
        if cell is not None and cell.undefined
    }


def _ordered(group: Sequence[EvaluationRecord]) -> list[EvaluationRecord]:
    return sorted(group, key=lambda record: (record.variant != "", record.variant))


def _columns(record: EvaluationRecord) -> tuple[Column, ...]:
    main, task = record.main, record.task
    over = f"{record.task_title}, {main.column}"
    values = tuple(
        Column(task, over, main.id, name, main.direction, main.scale) for name in _HEADINGS[:-1]
    )
    return (*values, Column(task, over, "changed", _HEADINGS[-1], "lower", 100.0))


def _cells(group: Sequence[EvaluationRecord], answers: Answers) -> tuple[Cell | None, ...]:
    first = group[0]
    values = [
        record.main.value * record.main.scale for record in group if record.main.value is not None
    ]
    without = ", ".join(
        f"{record.variant or 'as asked'} has no value ({record.main.undefined})"
        for record in group
        if record.main.value is None
    )
    as_asked = None if first.main.value is None else values[0]
    numbers = (None,) * 3 if without else (sum(values) / len(values), min(values), max(values))
    share = changed_share([answers(record) for record in group])
    return (
        _cell(first, as_asked, first.main.undefined),
        *(_cell(first, number, without) for number in numbers),
        _cell(first, None if share is None else 100 * share, "no sample was answered in all ways"),
    )


def changed_share(answers: Sequence[Mapping[str, Json]]) -> float | None:
    """Return the share of samples whose answer is not the first one in at least one of the rest.

    Args:
        answers: Sample id to answer, one mapping per variant; shared samples count, and without
            any there is no share.
    """
    shared = set(answers[0]).intersection(*answers[1:])
    if not shared:
        return None
    changed = sum(any(other[name] != answers[0][name] for other in answers[1:]) for name in shared)
    return changed / len(shared)


def _cell(record: EvaluationRecord, value: float | None, undefined: str) -> Cell:
    scored = max(1, record.counts.scored)
    return Cell(
        value=value,
        undefined=undefined if value is None else "",
        low=None,
        high=None,
        level=None,
        n=record.counts.scored,
        clusters=record.counts.clusters,
        unparsed=record.counts.unparsed / scored,
        refusals=record.counts.refusals / scored,
        errors=record.counts.errors,
        marks=record.marks,
        shown=(),
        evaluation=record.task_fingerprint,
    )
