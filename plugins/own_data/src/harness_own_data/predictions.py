"""Answers from a file: score what another program wrote, one JSON object per line."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from harness.descriptors import Json
from harness.errors import UserError, near, nearest, quoted
from harness.jsonfiles import unreadable
from harness.models.contract import Runtime, TaskHandle
from harness.plugins import find, plugins
from harness.requests import Choose, Embed, Failed, Generate, Request, Response, Scores, Text
from harness.resources import home_path

_VERSION = 3
"""Raised whenever an answer changes; enters the model's identity."""
_KEYS = frozenset({"id", "task", "answer", "scores"})
_COMPARED = 5000  # samples among which an id like that of a line is looked for
_Result = Scores | Text | Failed


@dataclass(frozen=True, slots=True)
class _Prediction:
    """One line: a text or label, and scores as a list or by label."""

    answer: str | None
    scores: tuple[float, ...] | dict[str, float] | None
    where: str


class Predictions:
    """Repeats a file's answers, matched by the sample's id.

    A line is ``{"id": ..., "answer": ...}`` or ``{"id": ..., "scores": ...}``, with ``"task"``
    when a file serves several tasks; a line that names the task goes before one that names none.
    An answer to a choice is a label, the option's text as sent, or a text that names one; scores
    are a list in the order of labels, or an object with a score for each of them. Scores are taken
    as they are; an answer beside them must be an option that has the highest.
    """

    def __init__(self, options: Mapping[str, Json], task: TaskHandle) -> None:
        path = options.get("path")
        if not path:
            raise UserError(
                "the model 'predictions' needs a file", fix="give one with -o path=answers.jsonl"
            )
        self._path = home_path(str(path), "-o path")
        self._task = task
        self._predictions: dict[str, _Prediction] | None = None
        self._unmatched: list[str] = []

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return the version, the hash of the file's bytes, and what reads options in words.

        Raises:
            UserError: the file cannot be read, or a line is no such object or comes twice.
        """
        del runtime
        try:
            with self._path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(self._path, error) from None
        identity: dict[str, Json] = {
            "baseline": "predictions",
            "version": _VERSION,
            "sha256": digest,
        }
        if self._in_words():
            # The harness reads which option they name: another reader may read another one.
            reader = find("extractor", "label", plugins().extractors())
            return {**identity, "label reader": reader.version}
        return identity

    def _in_words(self) -> bool:
        """Whether an answer to a choice is none of its labels, so that it has to be read."""
        labels = frozenset(self._task.options)
        return bool(labels) and any(
            line.answer is not None and line.scores is None and line.answer not in labels
            for line in self._matched().values()
        )

    def refuses(self, want: Choose | Generate | Embed) -> str:
        """Return why the file answers nothing of the task, empty when it answers something.

        Raises:
            UserError: for a line that is no such object or comes twice; it names the line.
        """
        del want
        predictions = self._matched()
        if not predictions:
            return f"{self._path} holds no line for it"
        if len(self._unmatched) < len(predictions):
            return ""
        return f"{self._path}: {self._mismatch()}"

    def load(self, runtime: Runtime) -> _Answers:
        """Read the file and return what looks answers up.

        Raises:
            UserError: for a line that is no such object or comes twice; it names the line.
        """
        del runtime
        predictions = self._matched()
        notes = [f"{self._path.name}: {self._mismatch()}"] if self._unmatched else []
        return _Answers(predictions, self._task.options, notes)

    def _matched(self) -> dict[str, _Prediction]:
        """Return the predictions by sample id; keep the ids that no sample of the task has."""
        if self._predictions is None:
            self._predictions = _read(self._path, self._task.id)
            unmatched = dict.fromkeys(self._predictions)
            for sample in self._task.samples():
                unmatched.pop(sample.id, None)
                if not unmatched:
                    break
            self._unmatched = list(unmatched)
        return self._predictions

    def _mismatch(self) -> str:
        """Return how many lines match no sample, with the first of them and ids that are near."""
        assert self._predictions is not None
        first = self._unmatched[0]
        lines = f"{len(self._unmatched):,} of {len(self._predictions):,} lines"
        known = [sample.id for sample in islice(self._task.samples(), _COMPARED)]
        same = [name for name in known if _core(name) == _core(first)]
        hint = f"did you mean {quoted(same[0])}?" if same else near(first, known)
        hint = hint or f"its ids are such as {quoted(known[0])}"
        line = self._predictions[first].where.rpartition(":")[2]
        first_line = f"the first is line {line}, {quoted(first)}: {hint}"
        return f"{lines} match no sample of {self._task.id!r}; {first_line}"


class _Answers:
    """Answers requests by the ids of their samples."""

    def __init__(
        self, rows: Mapping[str, _Prediction], labels: Sequence[str], notes: Sequence[str]
    ) -> None:
        self._rows, self._labels, self._notes = rows, labels, notes

    def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Yield one response per request, in order."""
        for request in requests:
            yield Response(request.id, self._result(request))

    def notes(self) -> list[str]:
        """Return what was left unused of the file."""
        return list(self._notes)

    def close(self) -> None:
        """Nothing was loaded."""

    def _result(self, request: Request) -> _Result:
        prediction = self._rows.get(request.sample)
        if prediction is None:
            return Failed("prediction_missing", f"no line has the id {request.sample!r}")
        if isinstance(request.want, Choose):
            return _choice(prediction, request.want.options, self._labels)
        if not isinstance(request.want, Generate):
            return Failed("unsupported", "the baseline 'predictions' has no vectors")
        if prediction.answer is None:
            return Failed("prediction_missing", f"{prediction.where}: no 'answer'")
        return Text(prediction.answer)


def _choice(prediction: _Prediction, sent: Sequence[str], labels: Sequence[str]) -> _Result:
    """Return scores in the order of options; labels stand in the same order as texts as sent."""
    answer = prediction.answer
    index = None if answer is None else _place(answer, sent, labels)
    if prediction.scores is not None:
        scores = _scores(prediction.scores, prediction.where, sent, labels)
        if answer is not None and isinstance(scores, Scores):
            named = index is not None and scores.values[index] == max(scores.values)
            if not named:
                problem = f"the answer {quoted(answer)} is not the option with the highest score"
                return Failed("prediction_invalid", f"{prediction.where}: {problem}")
        return scores
    if index is None:
        return Text(str(answer))  # the harness reads which option it names
    return Scores("label", tuple(float(k == index) for k in range(len(sent))))


def _scores(
    scores: tuple[float, ...] | Mapping[str, float],
    where: str,
    sent: Sequence[str],
    labels: Sequence[str],
) -> Scores | Failed:
    if isinstance(scores, tuple):
        if len(scores) != len(sent):
            problem = f"{len(scores)} scores for {len(sent)} options"
            return Failed("prediction_invalid", f"{where}: {problem}")
        return Scores("similarity", scores)
    values: dict[int, float] = {}
    for name, score in scores.items():
        index = _place(name, sent, labels)
        if index is None or index in values:
            problem = f"{name!r} is no option or comes twice; {nearest(name, labels or sent)}"
            return Failed("prediction_invalid", f"{where}: {problem}")
        values[index] = score
    if len(values) != len(sent):
        return Failed("prediction_invalid", f"{where}: an option has no score")
    return Scores("similarity", tuple(values[index] for index in range(len(sent))))


def _place(name: str, sent: Sequence[str], labels: Sequence[str]) -> int | None:
    if len(labels) == len(sent) and name in labels:
        return labels.index(name)
    return sent.index(name) if name in sent else None


def _core(name: str) -> str:
    """Return what an id keeps without its folders, ending, case and leading zeros."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", PurePosixPath(name.strip().casefold()).stem)


def _read(path: Path, task: str) -> dict[str, _Prediction]:
    """Return this task's predictions by sample id."""
    by_id: dict[str, _Prediction] = {}
    common: dict[str, _Prediction] = {}
    try:
        with path.open("rb") as file:
            for number, data in enumerate(file, start=1):
                if not data.strip():
                    continue
                where = f"{path}:{number}"
                line = _object(data, where, first=number == 1)
                named = line.get("task")
                if named is not None and not isinstance(named, str):
                    raise UserError("'task' should be a text", where=where)
                prediction = _prediction(line, where)
                if named not in {None, task}:
                    continue
                into = common if named is None else by_id
                if line["id"] in into:
                    first = into[line["id"]].where.rpartition(":")[2]
                    raise UserError(
                        f"the id {line['id']!r} occurs twice, first on line {first}", where=where
                    )
                into[line["id"]] = prediction
    except OSError as error:
        raise unreadable(path, error) from None
    return {**common, **by_id}


def _object(data: bytes, where: str, *, first: bool) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig" if first else "utf-8")
        line = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8: {error.reason}", where=where) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON: {error}", where=where) from None
    if not isinstance(line, dict):
        raise UserError("a line should be a JSON object", where=where)
    stray = sorted(set(line) - _KEYS)
    if stray:
        raise UserError(f"unknown key {stray[0]!r}", where=where, fix=nearest(stray[0], _KEYS))
    if "id" not in line:
        raise UserError("'id' is missing", where=where, fix='"id": "SAMPLE"')
    name = line["id"]
    if isinstance(name, int) and not isinstance(name, bool):
        line["id"] = str(name)  # a reader gives the ids of samples as texts, digits as they stand
    elif not isinstance(name, str):
        text = f"'id' should be a text or a whole number, not {quoted(name)}"
        raise UserError(text, where=where, fix=f'"id": {json.dumps(str(name))}'[:100])
    return line


def _prediction(line: Mapping[str, Any], where: str) -> _Prediction:
    answer, scores = line.get("answer"), line.get("scores")
    if answer is None and scores is None:
        raise UserError("neither 'answer' nor 'scores'", where=where)
    if answer is not None and not isinstance(answer, str):
        raise UserError(f"'answer' should be a text, not {quoted(answer)}", where=where,
                        fix=f'"answer": {json.dumps(str(answer))}'[:100])  # fmt: skip
    if scores is None:
        return _Prediction(answer, None, where)
    if isinstance(scores, list):
        return _Prediction(answer, tuple(_score(value, where) for value in scores), where)
    if isinstance(scores, dict):
        by_label = {name: _score(value, where) for name, value in scores.items()}
        return _Prediction(answer, by_label, where)
    raise UserError("'scores' should be a list, or an object of labels", where=where)


def _score(value: Any, where: str) -> float:
    try:
        if isinstance(value, bool) or not math.isfinite(value):
            raise ValueError
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"the score {quoted(value)} is not a finite number", where=where) from None
    if score != value:
        reason = f"the score {quoted(value)} has more digits than a float64 holds"
        raise UserError(reason, where=where, fix="scores below 2**53, or divided by one number")
    return score


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key occurs twice")
    return fields
