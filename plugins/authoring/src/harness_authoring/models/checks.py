"""The model checks, one function per promise; each raises, or is silent."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.models.contract import PreparesImages
from harness.requests import Choose, Failed, Generate, Request, Scores, Text, Vectors

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.models import identities, memory, offers, sharing, training
from harness_authoring.models.asking import (
    OPTIONS,
    QUESTIONS,
    Result,
    difference,
    draw_image,
    request,
    want_of,
)
from harness_authoring.models.candidate import Candidate

_COSINE_SLACK = 1e-3
_UNIT_SLACK = 1e-2  # of vectors in 16 bits
_LONG = "word " * 1000  # past a small context; a model without a limit must survive it


def capabilities(candidate: Candidate) -> None:
    """Answer what is claimed; give Failed for the rest."""
    kinds = {"choose": (Scores, Text), "generate": (Text,), "embed": (Vectors,)}
    for name, result in candidate.answers().items():
        kind = kinds[name.partition("-")[0]]
        if not isinstance(result, kind):
            raise ContractError(f"{name}: claims to answer, but gives {result!r}")
    for capability in ("choose", "generate", "embed"):
        if capability not in candidate.descriptor.capabilities:
            (refused,) = candidate.ask([request("other", want_of(capability))]).values()
            if not isinstance(refused, Failed):
                raise ContractError(
                    f"answers {capability!r} with {type(refused).__name__}, which it does not claim"
                )


def scores(candidate: Candidate) -> None:
    """Keep the contract of each kind of score; unit vectors."""
    results = [one for one in candidate.answers().values() if isinstance(one, Scores | Vectors)]
    if not results:
        raise NotApplicableError("it gives neither scores nor vectors")
    for result in results:
        problem = _wrong_vectors(result) if isinstance(result, Vectors) else _wrong_scores(result)
        if problem:
            raise ContractError(f"{problem}: {str(result)[:200]}")


def option_order(candidate: Candidate) -> None:
    """Score an option the same in any order, and twice the same when it stands there twice."""
    _require(candidate, "choose")
    turned = tuple(reversed(OPTIONS))
    requests = [
        request("as-is", Choose(OPTIONS)),
        request("turned", Choose(turned)),
        request("twice", Choose((*OPTIONS, OPTIONS[0]))),
    ]
    answers = candidate.ask(requests)
    first, reordered, twice = (answers[each.id] for each in requests)
    if isinstance(first, Text):
        raise NotApplicableError("it answers choices with text, which the harness parses")
    if not (
        isinstance(first, Scores) and isinstance(reordered, Scores) and isinstance(twice, Scores)
    ):
        raise ContractError(f"a choice among {len(OPTIONS)} or {len(OPTIONS) + 1} is not answered")
    back = replace(
        reordered,
        values=reordered.values[::-1],
        tokens=reordered.tokens[::-1],
        bytes=reordered.bytes[::-1],
    )
    _same("in another order", first, back, candidate.tolerance)
    if first.kind != "label" and abs(twice.values[0] - twice.values[-1]) > candidate.tolerance:
        raise ContractError(f"one option gets two scores: {twice.values}")


def determinism(candidate: Candidate) -> None:
    """Give the same answers when asked again, images prepared ahead, and when loaded again."""
    # On a GPU, kernels may add in another order each time.
    tolerance = 0.0 if candidate.runtime.device == "cpu" else candidate.tolerance
    requests = candidate.requests()
    with candidate.loaded_anew() as answerer:
        first = candidate.ask(requests, answerer)
        if isinstance(answerer, PreparesImages):
            answerer.prepare(requests)
        again = candidate.ask(requests, answerer)
    with candidate.loaded_anew() as answerer:
        anew = candidate.ask(requests, answerer)
    for name, result in first.items():
        _same(f"{name}, asked again", result, again[name], tolerance)
        _same(f"{name}, loaded again", result, anew[name], tolerance)


def batch_invariance(candidate: Candidate) -> None:
    """Give the same answers alone, together, in another order and at another batch size."""
    requests, together = candidate.requests(), candidate.answers()
    for single in requests:
        _same(f"{single.id}, alone", together[single.id], candidate.ask([single])[single.id],
              candidate.tolerance)  # fmt: skip
    _all_same(candidate, "in reverse", requests[::-1])
    with candidate.loaded_anew(batch_size=2) as answerer:
        answers = candidate.ask(requests, answerer)
    for name, result in together.items():
        _same(f"{name}, at batch size 2", result, answers[name], candidate.tolerance)


def padding(candidate: Candidate) -> None:
    """Give the same answers beside a much longer request as alone."""
    longer = " ".join([QUESTIONS[1]] * 3)
    for capability in sorted(candidate.descriptor.capabilities):
        short = request("short", want_of(capability))
        long = request("long", want_of(capability), longer, [draw_image(4, 64, 30)])
        together = candidate.ask([long, short])
        for each in (short, long):
            _same(f"{capability}, {each.id}", candidate.ask([each])[each.id], together[each.id],
                  candidate.tolerance)  # fmt: skip


def deterministic_mode(candidate: Candidate) -> None:
    """With ``--deterministic``, give equal numbers to the last bit at any batch size."""
    answers: list[dict[str, Result]] = []
    for size in (1, 3):
        with candidate.loaded_anew(deterministic=True, batch_size=size) as answerer:
            answers.append(candidate.ask(candidate.requests(), answerer))
    for name, result in answers[0].items():
        _same(f"{name}, at batch size 3", result, answers[1][name], 0.0)


def images(candidate: Candidate) -> None:
    """See the image when it says so; do not when it says not."""
    able = sorted(candidate.descriptor.capabilities)
    capability = next((one for one in ("embed", "choose") if one in able), None)
    if capability is None:
        raise NotApplicableError("text alone does not tell whether an image is seen")
    want = want_of("embed" if capability == "embed" else "choose")
    requests = [request(str(n), want, images=[draw_image(n)]) for n in range(4)]
    answers = candidate.ask(requests)
    differ = any(difference(answers["0"], answers[one.id], 0.0) for one in requests[1:])
    if candidate.descriptor.sees_images and not differ:
        raise ContractError("four different images give the same numbers")
    if differ and not candidate.descriptor.sees_images:
        raise ContractError("sees_images is False, but images change the numbers")


def unanswerable(candidate: Candidate) -> None:
    """Give Failed, never an exception, and spoil no other answer of the block."""
    for capability in sorted(candidate.descriptor.capabilities):
        want = want_of(capability)
        good = request("good", want)
        alone = candidate.ask([good])["good"]
        odd = [
            request("no image", want, images=[]),
            request("no question", want, ""),
            request("long", want, _LONG),
            request("thin", want, images=[draw_image(5, 4000, 1)]),
            request(
                "tokens", want, "<image> <|image_pad|> <img></img> <s></s> [INST] \0 \ufffc 😀"
            ),
        ]
        if isinstance(want, Choose):
            odd.append(request("empty option", Choose(("happy", ""))))
        if isinstance(want, Generate):
            odd.append(request("stops at once", Generate(1, ("a", "e", " "))))
        for unusual in odd:
            answers = candidate.ask([unusual, good])
            _same(f"good beside {unusual.id!r}", alone, answers["good"], candidate.tolerance)
            result = answers[unusual.id]
            if isinstance(result, Scores):
                problem = _wrong_scores(result)
                if unusual.id == "empty option" and result.kind == "logprob":
                    problem = "an option without text is scored by its end alone; give Failed"
                if problem:
                    raise ContractError(f"{unusual.id}: {problem}")


def _wrong_scores(result: Scores) -> str:
    """Return what is wrong with scores of an option each; empty when nothing is."""
    values = result.values
    if not all(map(math.isfinite, values)):
        return "a score is not finite"
    if result.kind == "logprob":
        return _wrong_logprobs(result)
    if result.kind == "similarity":
        off = any(abs(value) > 1 + _COSINE_SLACK for value in values)
        return "a cosine is outside -1 to 1" if off else ""
    named = set(values) <= {0.0, 1.0} and sum(values) == 1.0
    return "" if named else "label scores are 1 for one option and 0 for the others"


def _wrong_logprobs(result: Scores) -> str:
    count = len(result.values)
    lengths = tuple(len(option.encode()) for option in OPTIONS)
    problems = {
        "a log-probability is above 0": any(value > 0 for value in result.values),
        "not a token count of at least 1 for each option": result.tokens
        and (len(result.tokens) != count or min(result.tokens) < 1),
        "not a byte count for each option": result.bytes and len(result.bytes) != count,
        f"the options have {lengths} bytes": result.bytes
        and count == len(OPTIONS)
        and result.bytes != lengths,
    }
    return next((said for said, wrong in problems.items() if wrong), "")


def _wrong_vectors(result: Vectors) -> str:
    if len(result.images) != 1 or len(result.texts) != len(OPTIONS):
        return "not one vector for the image and one for each text"
    if len({len(vector) for vector in result.images + result.texts}) != 1:
        return "vectors of different lengths"
    off = any(
        not abs(math.hypot(*vector) - 1) < _UNIT_SLACK for vector in result.images + result.texts
    )
    return "a vector that has not the length 1" if off else ""


def _all_same(candidate: Candidate, how: str, requests: list[Request]) -> None:
    answers = candidate.ask(requests)
    for name, result in candidate.answers().items():
        _same(f"{name}, {how}", result, answers[name], candidate.tolerance)


def _same(situation: str, first: Result, second: Result, tolerance: float) -> None:
    problem = difference(first, second, tolerance)
    if problem:
        raise ContractError(f"{situation}: {problem}")


def _require(candidate: Candidate, capability: str) -> None:
    if capability not in candidate.descriptor.capabilities:
        raise NotApplicableError(f"it does not {capability}")


CHECKS = (
    Check("light_descriptor", "descriptor and identity import nothing heavy",
          identities.light_descriptor),
    Check("identity", "plain data, the same each time, without this machine's folders",
          identities.identity),
    Check("fingerprint", "changes with options that change numbers, and with no others",
          identities.option_changes),
    Check("capabilities", "answers what it claims; Failed for the rest", capabilities),
    Check("scores", "scores and vectors keep their kind's contract", scores),
    Check("option_order", "an option's score depends on no order", option_order),
    Check("images", "sees images as the descriptor says", images),
    Check("padding", "a longer neighbour changes nothing", padding),
    Check("batch_invariance", "no batch and no order changes anything", batch_invariance),
    Check("offers", "what is offered for training and probing is there", offers.offered_methods),
    Check("contrast", "writes against image-free logits where it offers to", offers.contrast),
    Check("tokenisation", "options leave the prompt's tokens where the engine cuts",
          sharing.tokenisation),
    Check("unanswerable", "what cannot be answered is Failed and spoils nothing", unanswerable),
    Check("determinism", "the same answers again, and loaded again", determinism),
    Check("deterministic_mode", "equal to the last bit at any batch size", deterministic_mode),
    Check("prefix_sharing", "sharing prefixes changes nothing", sharing.prefix_sharing),
    Check("no_pickle", "loads and saves weights without unpickling objects", memory.no_pickle),
    Check("training", "a few steps reach each part that trains and lower the loss",
          training.trains),
    Check("close", "close() frees the weights", memory.close_frees),
)  # fmt: skip
