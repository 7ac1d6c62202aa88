"""The kit of extractors: any text has an answer or a reason why it has none, always the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.descriptors import Json
from harness.errors import PluginError, UserError
from harness.requests.extractor import Extracted
from harness.requests.guard import guarded_extractor
from harness.specs.spec import GenerateSpec

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.kits.tasks import task_using
from harness_authoring.subjects import Subject

LABELS = ("happy", "sad", "a little sad")
_ODD = (
    "", " ", "\n\n", ".", "0", "-1.5e309", "nan", "yes and no", "not happy", "HAPPY!", "**sad**",
    "The answer is: sad.", "(A)", "a) sad", "[0.5, 0.5]", "[0.5, 2", "{\"answer\": \"sad\"}",
    "\0", "\ud7ff\ufffe", "😀", "ﬁ ﬀ", "\u202egnirts", "I cannot help with that.", "<think>",
    "happy " * 20_000, "[" * 20_000, "1" * 20_000, " " * 20_000 + "sad", "a\u0301" * 5_000,
)  # fmt: skip


def _extract(subject: Subject) -> tuple[Any, tuple[str, ...], Mapping[str, Json]]:
    """Return the extractor, its labels and a sample's fields, as a task uses it where one does."""
    task = task_using(subject)
    labels: tuple[str, ...] = LABELS
    fields: Mapping[str, Json] = {}
    options: dict[str, Json] = {}
    if task is not None and isinstance(task.spec.ask, GenerateSpec):
        labels = task.spec.labels
        options = {**task.spec.ask.extractor_options}
        sample = next(iter(task.samples()), None)
        fields = {} if sample is None else sample.fields
    extractor = subject.make(tuple(labels), **options)
    return guarded_extractor(extractor, subject.contract), labels, fields


def _without_fields(extract: Any, text: str) -> None:
    try:
        extract(text, {})
    except PluginError:
        raise
    except UserError:  # it may say that it needs some
        return


def any_text(subject: Subject) -> None:
    """Return an answer or a reason for any text; never raise."""
    extract, _, fields = _extract(subject)
    for text in _ODD:
        extract(text, fields)
    for text in _ODD[:6]:
        _without_fields(extract, text)


def determinism(subject: Subject) -> None:
    """Give the same answer again, whatever was read before, and from another object."""
    first, _, fields = _extract(subject)
    second, _, _ = _extract(subject)
    answers = [first(text, fields) for text in _ODD]
    backwards = [second(text, fields) for text in reversed(_ODD)][::-1]
    for text, answer, other in zip(_ODD, answers, backwards, strict=True):
        if answer != other:
            raise ContractError(
                f"{text[:40]!r} gives {_told(answer)}, and in another order {_told(other)}"
            )


def labels(subject: Subject) -> None:
    """Find a label that is the whole text."""
    extract, names, fields = _extract(subject)
    answers = {name: extract(name, fields).answer for name in names}
    if not names or not any(answer in names for answer in answers.values()):
        raise NotApplicableError("its answers are no labels")
    for name, answer in answers.items():
        if answer != name:
            raise ContractError(f"the text {name!r}, a label itself, gives {answer!r}")


def _told(extracted: Extracted) -> str:
    return repr(extracted.problem or extracted.answer)


CHECKS = (
    Check("any_text", "every text has an answer or a reason; nothing is raised", any_text),
    Check("determinism", "the same text, the same answer, in any order", determinism),
    Check("labels", "a label that is the whole text is found", labels),
)
