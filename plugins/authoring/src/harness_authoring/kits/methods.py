"""The kit of inference-time methods: further requests, and how answers combine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.evaluation.method_checks import Guarded
from harness.requests import Choose, Embed, Failed, Generate, Request, Scores, Text, Vectors
from harness.requests.method import Result

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.models.asking import requests_for
from harness_authoring.subjects import Subject


def _method(subject: Subject) -> Guarded:
    with subject.making():
        return Guarded(subject.descriptor, subject.options)


def _requests(subject: Subject) -> list[Request]:
    return requests_for(sorted(subject.descriptor.treats))


def _answer(request: Request) -> Result:
    """Return an answer that depends on texts, on images and on nothing else."""
    text = "|".join(turn.text for turn in request.turns)
    tone = sum(image.width for image in request.images) + len(text) % 7
    want = request.want
    if isinstance(want, Choose):
        lengths = tuple(len(option.encode()) for option in want.options)
        values = tuple(-(1 + (tone * (place + 2)) % 5) / 4 for place in range(len(want.options)))
        return Scores("logprob", values, tuple(max(1, one // 3) for one in lengths), lengths)
    if isinstance(want, Generate):
        return Text(f"{text[:20]} {tone}")
    assert isinstance(want, Embed)
    seen = tuple(_vector(f"image {image.key}") for image in request.images)
    return Vectors(seen, tuple(map(_vector, want.texts)))


def _vector(name: str) -> tuple[float, ...]:
    """Return a unit vector that depends on a name alone; different names, other directions."""
    values = [byte - 127.5 for byte in hashlib.blake2b(name.encode(), digest_size=32).digest()]
    length = math.hypot(*values)
    return tuple(value / length for value in values)


def _combined(method: Guarded, request: Request) -> Result | Failed:
    further = method.further(request)
    if isinstance(further, Failed):
        return further
    sent = method.own(request)
    return method.combine(request, _answer(sent), [_answer(one) for one in further])


def treats(subject: Subject) -> None:
    """Give an answer of the right kind to what it treats: finite, one score for each option."""
    method, answered = _method(subject), 0
    for request in _requests(subject):
        result = _combined(method, request)
        if isinstance(result, Failed):
            continue
        answered += 1
        if isinstance(result, Scores):
            _check_scores(request, result)
    if not answered:
        raise ContractError("it answers none of the requests that it claims to treat")


def _check_scores(request: Request, scores: Scores) -> None:
    if not all(map(math.isfinite, scores.values)):
        raise ContractError(f"{request.id}: a score is not finite: {scores.values}")


def determinism(subject: Subject) -> None:
    """Give the same answers again, in another order, and by another object."""
    requests = _requests(subject)
    first, second = _method(subject), _method(subject)
    forward = {one.id: _combined(first, one) for one in requests}
    backward = {one.id: _combined(second, one) for one in reversed(requests)}
    for name, result in forward.items():
        if result != backward[name]:
            raise ContractError(f"{name}: {result!r}, and in another order {backward[name]!r}")


def option_order(subject: Subject) -> None:
    """Give an option the same score wherever it stands."""
    method = _method(subject)
    request = next((one for one in _requests(subject) if isinstance(one.want, Choose)), None)
    if request is None or not isinstance(request.want, Choose):
        raise NotApplicableError("it does not treat choices")
    scored = _turned(method, request, turn=False)
    turned = _turned(method, request, turn=True)
    if not all(math.isclose(a, b, abs_tol=1e-9) for a, b in zip(scored, turned[::-1], strict=True)):
        raise ContractError(f"scores {scored}, and of turned options {turned}")


def _turned(method: Guarded, request: Request, *, turn: bool) -> tuple[float, ...]:
    want: Any = request.want
    request_sent = replace(request, want=Choose(want.options[::-1])) if turn else request
    further = method.further(request_sent)
    if isinstance(further, Failed):
        raise NotApplicableError(f"it refuses: {further.message}")

    def answer(sent: Request) -> Result:
        if not isinstance(sent.want, Choose):
            return _answer(sent)
        result = _answer(replace(sent, want=want))
        assert isinstance(result, Scores)
        if not turn:
            return result
        return replace(
            result,
            values=result.values[::-1],
            tokens=result.tokens[::-1],
            bytes=result.bytes[::-1],
        )

    combined = method.combine(request_sent, answer(request_sent), [answer(one) for one in further])
    if not isinstance(combined, Scores):
        raise NotApplicableError("it gives no scores")
    return combined.values


def untouched(subject: Subject) -> None:
    """Leave requests, and the answers it is handed, as they are."""
    method = _method(subject)
    for request in _requests(subject):
        further = method.further(request)
        if isinstance(further, Failed):
            continue
        replaced = method.own(request)
        if replaced.id != request.id or type(replaced.want) is not type(request.want):
            raise ContractError(
                f"{request.id}: the method's own requests change the id or the kind of answer"
            )
        before: Sequence[Result] = [_answer(request), *map(_answer, further)]
        texts_before = [repr(one) for one in before]
        method.combine(request, before[0], before[1:])
        if [repr(one) for one in before] != texts_before:
            raise ContractError(f"{request.id}: combine changes the answers that it is handed")


def images(subject: Subject) -> None:
    """Treat requests without an image, or say why it does not."""
    method = _method(subject)
    for request in _requests(subject):
        turns = tuple(replace(turn, images=()) for turn in request.turns)
        _combined(method, replace(request, turns=turns))


CHECKS = (
    Check("treats", "answers of the right kind to what it treats", treats),
    Check("determinism", "the same answers in any order", determinism),
    Check("option_order", "an option's score depends on no order", option_order),
    Check("untouched", "requests and answers are left as they are", untouched),
    Check("images", "requests without an image raise nothing", images),
)
