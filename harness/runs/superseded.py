"""Superseded evaluations: a newer one exists, by other plugin code or from a repeated run.

An evaluation's lineage is its fingerprint without plugins' code. Of one lineage the newest
counts; older ones by other code stay where they are until they are removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.jsonfiles import read_object
from harness.runs.journal import FOLDER as JOURNAL
from harness.runs.record import EvaluationRecord
from harness.runs.seal import not_written, write_json

MARK = "superseded.json"
"""File in a directory that was set aside for a new run."""
PLAN = "plan.json"
"""File beside a journal: what the evaluation will be."""


def current(
    records: Sequence[EvaluationRecord],
) -> tuple[list[EvaluationRecord], list[EvaluationRecord]]:
    """Return the records that count, in their order, and those that are superseded.

    Where it is not known which one is newer, all count.
    """
    lineages: dict[str, list[EvaluationRecord]] = {}
    for record in records:
        lineages.setdefault(record.lineage or str(record.directory), []).append(record)
    superseded: set[int] = set()
    for lineage in lineages.values():
        if len(lineage) > 1:
            newest = _newest(lineage)
            superseded |= {id(one) for one in lineage if not any(one is other for other in newest)}
    return (
        [record for record in records if id(record) not in superseded],
        [record for record in records if id(record) in superseded],
    )


def _newest(records: Sequence[EvaluationRecord]) -> Sequence[EvaluationRecord]:
    fresh = [one for one in records if not one.asked_again] or records
    codes = [one.code for one in fresh]
    if all(code == codes[0] for code in codes):
        return fresh
    ended = [finished(one.directory) for one in fresh]
    if "" in ended:
        return fresh
    newest = codes[ended.index(max(ended))]
    return [one for one, code in zip(fresh, codes, strict=True) if code == newest]


def superseded_note(number: int) -> str:
    """Return a note on how many superseded evaluations a table leaves out; empty for none."""
    if not number:
        return ""
    noun = "1 superseded evaluation is" if number == 1 else f"{number} superseded evaluations are"
    return f"{noun} left out: a plugin's code changed since, or it was asked again."


def finished(directory: Path) -> str:
    """Return when an evaluation ended (ISO 8601, UTC); empty when its clocks are lost."""
    try:
        return str(read_object(directory / "timings.json").get("finished") or "")
    except UserError:
        return ""


def lineage_of(raw: Mapping[str, Any]) -> str:
    """Return a record's lineage.

    A record from before code was recorded was found by this alone.
    """
    return str(raw.get("lineage") or raw.get("fingerprint") or "")


def older(directory: Path, model: str, lineage: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the directories of the same lineage beside an evaluation's, by other code.

    Each comes with what it says of itself.
    """
    for path in sorted(directory.parent.glob(f"{model}-*")):
        if path == directory or path.name.startswith(f"{directory.name}."):
            continue
        about = about_of(path)
        if about is not None and lineage_of(about) == lineage:
            yield path, about


def about_of(directory: Path) -> Mapping[str, Any] | None:
    """Return an evaluation's ``evaluation.json``, sealed or not; ``None`` when there is none."""
    for path in (directory / "evaluation.json", directory / JOURNAL / PLAN):
        try:
            return read_object(path)
        except UserError:
            continue
    return None


def changes(before: object, now: Mapping[str, Any], since: str) -> list[str]:
    """Return one line for each plugin whose code has changed.

    Args:
        before: Code in the record.
        now: Code as installed.
        since: When the record was made; empty where it is not known.
    """
    then = f"since {since}" if since else "since"
    earlier = before if isinstance(before, dict) else {}
    lines = []
    for name, code in now.items():
        was = earlier.get(name)
        if was == code:
            continue
        if not isinstance(was, dict):
            lines.append(f"plugin {name} {code['version']}: its code was not recorded before")
        elif was.get("version") != code["version"]:
            lines.append(f"plugin {name} {was.get('version')} is now {code['version']}")
        else:
            lines.append(f"plugin {name} {code['version']} changed {then} (code)")
    return lines or [f"plugin {name} takes no part any more" for name in earlier if name not in now]


def set_aside(directory: Path) -> Path:
    """Move an evaluation aside, marked; return its new directory.

    Raises:
        UserError: the folder cannot be written.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(directory / MARK, {"format": 1, "why": "asked again", "at": at})
    number = 1
    while (moved := directory.with_name(f"{directory.name}.{number}")).exists():
        number += 1
    try:
        directory.rename(moved)
    except OSError as error:
        raise not_written(error, moved) from None
    return moved
