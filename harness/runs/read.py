"""Read sealed evaluations back as typed records."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UserError
from harness.runs.journal import FOLDER as JOURNAL
from harness.runs.record import (
    Chance,
    Counts,
    Detail,
    DetailRow,
    EvaluationRecord,
    GroupComparison,
    Interval,
    Measure,
    MetricValue,
    SliceValue,
)
from harness.runs.seal import SEAL, check_seal


def read_evaluation(directory: Path | str, *, whole: bool = True) -> EvaluationRecord:
    """Read one evaluation directory, checking its seal.

    Args:
        directory: Of the evaluation.
        whole: ``False`` reads what a table needs: slices, details and comparisons stay empty, and
            of ``samples.jsonl`` the size is checked, not every byte.

    Raises:
        UserError: not there, not finished, damaged, or of a newer format.
    """
    directory = Path(directory)
    contents = check_seal(directory, samples=whole)
    raw, metrics = (
        _object(contents[name], directory / name) for name in ("evaluation.json", "metrics.json")
    )
    if not whole:
        metrics = {"metrics": metrics.get("metrics"), "slices": ()}
    try:
        return _record(directory, raw, metrics)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"not an evaluation record: {error!r}", where=directory) from None


def read_evaluations(
    place: Path | str, *, whole: bool = True
) -> tuple[list[EvaluationRecord], list[str]]:
    """Read every evaluation under a folder, or those a run manifest names.

    Args:
        place: A folder, an evaluation, or the manifest of a run.
        whole: As for :func:`read_evaluation`.

    Returns:
        The records in order of their paths, and one line for each directory that was left out.

    Raises:
        UserError: when the place does not exist.
    """
    place = Path(place)
    if not place.exists():
        raise UserError("no such results", where=place, fix="harness run ... writes them")
    records: list[EvaluationRecord] = []
    problems: list[str] = []
    for directory in _directories(place):
        try:
            records.append(read_evaluation(directory, whole=whole))
        except HarnessError as error:
            problems.append(str(error))
    return records, problems


def _directories(place: Path) -> list[Path]:
    if place.is_file():
        manifest = _json(place)
        return [place.parent.parent / str(name) for name in manifest.get("evaluations", ())]
    if (place / SEAL).is_file() or (place / "evaluation.json").is_file():
        return [place]
    # One walk for the signs of an evaluation: its seal, a seal that is lost, an unfinished journal.
    return sorted(
        Path(folder)
        for folder, inside, files in os.walk(place)
        if SEAL in files or "evaluation.json" in files or JOURNAL in inside
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path) from None
    return _object(content, path)


def _object(content: bytes, path: Path) -> dict[str, Any]:
    try:
        # A number that is none is a value that is not defined, as null is.
        value = json.loads(content, parse_constant=lambda _: None)
    except ValueError as error:
        raise UserError(f"cannot be read: {error}", where=path) from None
    if not isinstance(value, dict):
        raise UserError("not a JSON object", where=path)
    return value


def _record(
    directory: Path, raw: Mapping[str, Any], metrics: Mapping[str, Any]
) -> EvaluationRecord:
    model, task = raw["model"], raw["task"]
    return EvaluationRecord(
        directory=directory,
        model=model["id"],
        model_fingerprint=model["fingerprint"],
        model_options=model["options"],
        task=task["id"],
        task_title=task["title"],
        task_version=task["version"],
        task_fingerprint=task["fingerprint"],
        task_parts=task["parts"],
        task_options=task["options"],
        images=raw["images"],
        marks=tuple(raw["marks"]),
        counts=Counts(**raw["counts"]),
        metrics=tuple(_metric(value) for value in metrics["metrics"]),
        slices=tuple(
            SliceValue(
                **{**value, "metrics": tuple(_metric(metric) for metric in value["metrics"])}
            )
            for value in metrics["slices"]
        ),
        raw=raw,
        details=tuple(_detail(table) for table in metrics.get("details", ())),
        comparisons=tuple(_comparison(held) for held in metrics.get("comparisons", ())),
    )


def _metric(value: Mapping[str, Any]) -> MetricValue:
    return MetricValue(**{**value, **_sureness(value)})


def _sureness(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return interval and chance; without one of their ends they say nothing."""
    interval, chance = value["interval"], value.get("chance")
    whole = interval is not None and None not in (interval["low"], interval["high"])
    return {
        "interval": Interval(**interval) if whole else None,
        "chance": None if chance is None or None in chance.values() else Chance(**chance),
    }


def _detail(table: Mapping[str, Any]) -> Detail:
    rows = tuple(DetailRow(**row) for row in table["rows"])
    return Detail(**{**table, "metrics": tuple(table["metrics"]), "rows": rows})


def _comparison(held: Mapping[str, Any]) -> GroupComparison:
    measures = tuple(Measure(**{**value, **_sureness(value)}) for value in held["measures"])
    left_out = tuple(held["left_out"])
    return GroupComparison(**{**held, "measures": measures, "left_out": left_out})
