"""Read sealed evaluations back as typed records."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UserError, reason_of
from harness.jsonfiles import as_object, parse_json, read_object
from harness.runs.journal import FOLDER as JOURNAL
from harness.runs.record import (
    Counts,
    Detail,
    DetailRow,
    EvaluationRecord,
    GroupComparison,
    Measure,
    MetricValue,
    SliceValue,
    titled,
)
from harness.runs.seal import SEAL, check_seal
from harness.runs.superseded import MARK, lineage_of
from harness.stats.interval import Chance, Interval


def read_evaluation(directory: Path | str, *, details: bool = True) -> EvaluationRecord:
    """Read one evaluation directory, checking its seal.

    Args:
        directory: The evaluation's directory.
        details: ``False`` reads what a table needs: slices, details and comparisons stay empty, and
            of ``samples.jsonl`` the size is checked, not every byte.

    Raises:
        UserError: not there, not finished, damaged, or of a newer format.
    """
    directory = Path(directory)
    contents = check_seal(directory, samples=details)
    raw, metrics = (
        _object(contents[name], directory / name) for name in ("evaluation.json", "metrics.json")
    )
    if not details:
        metrics = {"metrics": metrics.get("metrics"), "slices": ()}
    try:
        return _record(directory, raw, metrics)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"not an evaluation record: {reason:.200}", where=directory) from None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A directory that does not count.

    Attributes:
        why: For people, with the directory.
        unfinished: Nothing is wrong with it: it has yet to be finished.
    """

    directory: Path
    why: str
    unfinished: bool = False


def survey(
    path: Path | str, *, details: bool = True
) -> tuple[list[EvaluationRecord], list[LeftOut]]:
    """Read every evaluation under a folder, or those that the manifest of a run names.

    Args:
        path: A folder, an evaluation, or the manifest of a run.
        details: As for :func:`read_evaluation`.

    Returns:
        The records in order of their paths, and each directory that was left out.

    Raises:
        UserError: when the place does not exist.
    """
    path = Path(path)
    if not path.exists():
        raise UserError("there are no such results", where=path, fix="harness run ... writes them")
    records: list[EvaluationRecord] = []
    directories, left_out = _directories(path)
    for directory in directories:
        try:
            records.append(read_evaluation(directory, details=details))
        except HarnessError as error:
            begun = directory.is_dir() and not (directory / SEAL).exists()
            left_out.append(LeftOut(directory, str(error), begun))
    return records, sorted(left_out, key=lambda one: one.directory)


def _directories(path: Path) -> tuple[list[Path], list[LeftOut]]:
    """Return the evaluations of a place, and folders under it that cannot be looked into."""
    if path.is_file():
        names = read_object(path).get("evaluations")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError("not the manifest of a run", where=path)
        return [path.parent.parent / name for name in names], []
    if (path / SEAL).exists() or (path / "evaluation.json").exists():
        return [path], []
    # One walk for the signs of an evaluation: its seal, a seal that is lost, an unfinished journal.
    signs = {SEAL, "evaluation.json", JOURNAL}
    hidden: list[LeftOut] = []

    def refused(error: OSError) -> None:
        folder = Path(str(error.filename))
        reason = f"{folder}: cannot be looked into: {reason_of(error)}"
        hidden.append(LeftOut(folder, reason))

    evaluations = sorted(
        Path(folder)
        for folder, inside, files in os.walk(path, onerror=refused)
        if not signs.isdisjoint({*inside, *files})
    )
    return evaluations, hidden


def _object(content: bytes, path: Path) -> dict[str, Any]:
    # NaN is a value that is not defined, as null is.
    return as_object(parse_json(content, path, undefined=True), path)


def _record(
    directory: Path, raw: Mapping[str, Any], metrics: Mapping[str, Any]
) -> EvaluationRecord:
    model, task = raw["model"], raw["task"]
    training, method = (_table_or_none(model.get(name)) for name in ("training", "method"))
    titled(_text(model["id"]), training, method)  # an incomplete training is refused here
    return EvaluationRecord(
        directory=directory,
        model=_text(model["id"]),
        model_fingerprint=_text(model["fingerprint"]),
        model_options=_table(model["options"]),
        task=_text(task["id"]),
        task_title=_text(task["title"]),
        task_version=_count(task["version"]),
        task_fingerprint=_text(task["fingerprint"]),
        task_parts=_table(task["parts"]),
        task_options=_table(task["options"]),
        images=None if raw["images"] is None else _text(raw["images"]),
        marks=tuple(map(_text, raw["marks"])),
        counts=_counts(raw["counts"]),
        metrics=tuple(_metric(value) for value in metrics["metrics"]),
        slices=tuple(
            SliceValue(
                **{**value, "metrics": tuple(_metric(metric) for metric in value["metrics"])}
            )
            for value in metrics["slices"]
        ),
        fingerprint=str(raw.get("fingerprint", "")),
        lineage=lineage_of(raw),
        variant=str(task.get("variant") or ""),
        settings=_table_or_none(raw.get("settings")) or {},
        code=_table_or_none(raw.get("code")) or {},
        model_code=_table_or_none(model.get("code")) or {},
        versions=_table_or_none(raw.get("versions")) or {},
        identity=_table_or_none(model.get("identity")) or {},
        training=training,
        method=method,
        notes=tuple(raw.get("notes", ())),
        details=tuple(_detail(table) for table in metrics.get("details", ())),
        comparisons=tuple(_comparison(held) for held in metrics.get("comparisons", ())),
        asked_again=(directory / MARK).exists(),
    )


def _counts(raw: Mapping[str, Any]) -> Counts:
    numbers = {name: _count(value) for name, value in raw.items() if name != "notes"}
    notes = {_text(what): _count(times) for what, times in raw.get("notes", {}).items()}
    return Counts(**numbers, notes=notes)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not a table of names")
    return value


def _table_or_none(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _number(value: Any) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError(f"{value!r} is not a number")
    return value


def _metric(value: Mapping[str, Any]) -> MetricValue:
    _number(value["value"])
    _text(value["id"])
    _text(value["column"])
    if not isinstance(value["scale"], int | float):
        raise TypeError(f"{value['scale']!r} is no scale")
    low, high = value.get("range", (None, None))
    reason = _text(
        value.get("undefined", "" if value["value"] is not None else "its record does not say why")
    )
    return MetricValue(**{**value, **_sureness(value), "range": (low, high), "undefined": reason})


def _sureness(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return interval and chance; ``None`` for one that lacks an end."""
    interval, chance = value["interval"], value.get("chance")
    for part in filter(None, (interval, chance)):
        for name in ("low", "high", "level", "mean", "p"):
            _number(part.get(name))
    both_ends = interval is not None and None not in (interval["low"], interval["high"])
    return {
        "interval": Interval(**interval) if both_ends else None,
        "chance": None if chance is None or None in chance.values() else Chance(**chance),
    }


def _detail(table: Mapping[str, Any]) -> Detail:
    rows = tuple(DetailRow(**row) for row in table["rows"])
    return Detail(**{**table, "metrics": tuple(table["metrics"]), "rows": rows})


def _comparison(raw: Mapping[str, Any]) -> GroupComparison:
    measures = tuple(Measure(**{**value, **_sureness(value)}) for value in raw["measures"])
    left_out = tuple(raw["left_out"])
    return GroupComparison(**{**raw, "measures": measures, "left_out": left_out})
