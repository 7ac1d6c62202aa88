"""One reviewer's decisions: lines that are appended to a file and forced to disk one by one.

The first line of each session says whose they are and of which data. A line that a crash tore is
cut off when the file is opened again, and said; lines are numbered, so that one that is missing or
was changed by hand is refused.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

from harness.errors import UserError, quoted, reason_of
from harness.jsonfiles import as_object, parse_json, read_file

FORMAT = 1
SUFFIX = ".jsonl"
Verdict = Literal["yes", "no", "skip"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer said of a set.

    Attributes:
        number: Number of its line.
        reasons: Why it was refused or skipped.
        note: In the reviewer's words.
        images: SHA-256 over the images as they were shown.
        seconds: From showing the set to the decision.
        at: UTC, ISO 8601.
    """

    number: int
    set: str
    verdict: Verdict
    reasons: tuple[str, ...]
    note: str
    images: str
    seconds: float
    at: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How sets are dealt to reviewers.

    Attributes:
        reviewers: Their names.
        overlap: Share of sets that everyone sees.
        seed: Seed of the order and of the dealing.
    """

    reviewers: tuple[str, ...]
    overlap: float
    seed: int


@dataclass(slots=True)
class Reviewed:
    """One reviewer's file as read.

    Attributes:
        decisions: Those that were not undone, by set, in the order in which they were made.
        undone: How many were.
        plan: How sets were dealt in the last session.
        size: Bytes of whole lines.
        torn: Bytes after the last whole line, which do not count.
        lines: Number of whole lines.
    """

    reviewer: str
    path: Path
    decisions: dict[str, Decision]
    plan: Plan | None = None
    undone: int = 0
    size: int = 0
    torn: int = 0
    lines: int = 0


def check_name(name: str, flag: str) -> str:
    """Return a reviewer's name.

    Raises:
        UserError: it is not a name of a file.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{quoted(name)} is not a name of a reviewer", where=flag,
                        fix="letters, digits, - and _, 40 at most")  # fmt: skip
    return name


def read_reviews(folder: Path, fingerprint: str) -> list[Reviewed]:
    """Read the files of all reviewers, by name.

    Raises:
        UserError: as :func:`read_review`.
    """
    if not folder.is_dir():
        return []
    try:
        paths = sorted(folder.glob(f"*{SUFFIX}"))
    except OSError as error:
        raise UserError(f"cannot be read: {reason_of(error)}", where=folder) from None
    return [read_review(path, fingerprint) for path in paths]


def read_review(path: Path, fingerprint: str) -> Reviewed:
    """Read one reviewer's file.

    Raises:
        UserError: a line that this command did not write, one that is missing, or decisions on
            other data.
    """
    content = read_file(path, _MOST_BYTES)
    body, newline, tail = content.rpartition(b"\n")
    reviewed = Reviewed(path.stem, path, {}, size=len(body + newline), torn=len(tail))
    for line in body.split(b"\n") if newline else ():
        reviewed.lines += 1
        where = f"{path}:{reviewed.lines}"
        entry = as_object(parse_json(line, where), where)
        if entry.get("line") != reviewed.lines:
            raise UserError(
                f"says that it is line {quoted(entry.get('line'))}: lines were taken out or added",
                where=where, fix="restore the file; decisions are undone on the page (key u)",
            )  # fmt: skip
        try:
            _take(reviewed, entry, fingerprint, where)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"this is not a line of a review: {quoted(str(error))}", where=where
            ) from None
    if reviewed.lines and reviewed.plan is None:
        raise UserError("does not name the reviewer", where=path,
                        fix="the first line of a reviewer's file is a session")  # fmt: skip
    return reviewed


def _take(reviewed: Reviewed, entry: Mapping[str, Any], fingerprint: str, where: str) -> None:
    match entry["event"]:
        case "session":
            _take_session(reviewed, entry, fingerprint, where)
        case "decision" if reviewed.plan is not None:
            decision = _decision(entry)
            reviewed.decisions[decision.set] = decision
        case "undo" if reviewed.plan is not None:
            del reviewed.decisions[entry["set"]]
            reviewed.undone += 1
        case other:
            raise ValueError(f"event {other!r}")


def _take_session(
    reviewed: Reviewed, entry: Mapping[str, Any], fingerprint: str, where: str
) -> None:
    if entry["format"] != FORMAT:
        raise UserError(f"written in format {quoted(entry['format'])}; this version reads {FORMAT}",
                        where=where, fix="upgrade social-harness-review")  # fmt: skip
    if entry["fingerprint"] != fingerprint:
        raise UserError(
            f"these are decisions on another data set ({quoted(entry['table'])}, "
            f"{quoted(entry['sets'])} sets, {quoted(entry['images'])} images)",
            where=where,
            fix="review that data set, or give another folder of decisions: --out FOLDER",
        )
    if entry["reviewer"] != reviewed.reviewer:
        raise UserError(f"these are decisions of {quoted(entry['reviewer'])}", where=where,
                        fix=f"rename it to {entry['reviewer']}{SUFFIX}")  # fmt: skip
    reviewed.plan = Plan(
        tuple(map(str, entry["reviewers"])), float(entry["overlap"]), int(entry["seed"])
    )


def _decision(entry: Mapping[str, Any]) -> Decision:
    if entry["verdict"] not in VERDICTS:
        raise ValueError(f"verdict {entry['verdict']!r}")
    texts = [entry["set"], entry["note"], entry["images"], entry["at"], *entry["reasons"]]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text is none")
    return Decision(
        int(entry["line"]), entry["set"], entry["verdict"], tuple(entry["reasons"]), entry["note"],
        entry["images"], float(entry["seconds"]), entry["at"],
    )  # fmt: skip


class DecisionFile:
    """One reviewer's file, open for appending. Use as a context manager.

    Attributes:
        reviewed: What it holds, kept up to date.

    Args:
        folder: Where all reviewers' files lie.
        reviewer: Whose decisions are added.
        about: What a session's line says of the data; ``fingerprint`` among it.
        plan: How sets are dealt.

    Raises:
        UserError: as :func:`read_review`; another page adds to the file, or it cannot be written.
    """

    def __init__(self, folder: Path, reviewer: str, about: Mapping[str, Any], plan: Plan) -> None:
        self._path = folder / f"{reviewer}{SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise UserError(f"cannot be written: {reason_of(error)}", where=self._path,
                            fix="--out FOLDER, or mend the permissions") from None  # fmt: skip
        try:
            self._lock(reviewer)
            self.reviewed = read_review(self._path, str(about["fingerprint"]))
            os.ftruncate(self._file, self.reviewed.size)
            self._append(
                {
                    "event": "session", "format": FORMAT, "reviewer": reviewer, **about,
                    "reviewers": list(plan.reviewers), "overlap": plan.overlap, "seed": plan.seed,
                }
            )  # fmt: skip
            self.reviewed.plan = plan
            _sync_folder(folder)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def decide(  # noqa: PLR0913  what a line holds
        self,
        set_id: str,
        verdict: Verdict,
        *,
        reasons: Sequence[str] = (),
        note: str = "",
        images: str = "",
        seconds: float = 0.0,
    ) -> Decision:
        """Add a decision; it is on the disk when this returns.

        Raises:
            UserError: it cannot be written; the file holds what it held.
            ValueError: the set is decided.
        """
        if set_id in self.reviewed.decisions:
            raise ValueError(f"{set_id} is decided")
        entry = self._append(
            {
                "event": "decision", "set": set_id, "verdict": verdict, "reasons": list(reasons),
                "note": note, "images": images, "seconds": round(seconds, 1),
            }
        )  # fmt: skip
        self.reviewed.decisions[set_id] = _decision(entry)
        return self.reviewed.decisions[set_id]

    def undo(self) -> Decision | None:
        """Take back the last decision that was not taken back; ``None`` where there is none.

        Raises:
            UserError: it cannot be written.
        """
        if not self.reviewed.decisions:
            return None
        return self.withdraw(next(reversed(self.reviewed.decisions)), "the reviewer undid it")

    def withdraw(self, set_id: str, why: str) -> Decision:
        """Take back the decision on a set.

        Raises:
            UserError: it cannot be written.
        """
        decision = self.reviewed.decisions[set_id]
        self._append({"event": "undo", "set": set_id, "of": decision.number, "why": why})
        del self.reviewed.decisions[set_id]
        self.reviewed.undone += 1
        return decision

    def _append(self, entry: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"line": self.reviewed.lines + 1, "at": now, **entry}
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            _write(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):  # the next session cuts it off otherwise
                os.ftruncate(self._file, self.reviewed.size)
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            raise UserError(
                f"the decision was not saved: "
                f"{'the disk is full' if full else reason_of(error)}", where=self._path,
                fix="free some space, or mend the folder, and decide again",
            ) from None  # fmt: skip
        self.reviewed.lines += 1
        self.reviewed.size += len(line)
        return entry

    def _lock(self, reviewer: str) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another review is open for {reviewer}", where=self._path,
                fix="end it (Ctrl-C there), or --reviewer NAME for another person",
            ) from None  # fmt: skip
        except OSError:  # a network's file system without locks
            pass


def _write(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]


def _sync_folder(folder: Path) -> None:
    """Force a new file's name to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def by_set(reviews: Sequence[Reviewed]) -> dict[str, dict[str, Decision]]:
    """Return set to reviewer to decision."""
    decided: dict[str, dict[str, Decision]] = {}
    for name, reviewer, decision in _all(reviews):
        decided.setdefault(name, {})[reviewer] = decision
    return decided


def _all(reviews: Sequence[Reviewed]) -> Iterator[tuple[str, str, Decision]]:
    for review in reviews:
        for name, decision in review.decisions.items():
            yield name, review.reviewer, decision
