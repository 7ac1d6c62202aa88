"""Checks models against their contract: a fault of a plugin's model ends its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args, get_type_hints

from harness.descriptors import Json, ModelDescriptor, Offer
from harness.errors import FAULTS, ModelError, UserError, error_text, legible, one_line
from harness.guard import Contract, described, not_plain
from harness.models.contract import (
    OFFERED_METHODS,
    Answerer,
    ChecksItself,
    HasWeights,
    Model,
    PreparesImages,
    Runtime,
    StandsForAnnotators,
    TakesNotes,
)
from harness.packages import offering
from harness.plugins import contract_of, plugins
from harness.requests import AnnotatorAnswer, Failed, Request, Response, Scores, Text, Vectors
from harness.requests.response import ScoreKind
from harness.samples import Sample
from harness.targets import load_target

_ROUNDED = 1e-3  # by which a sum of log-probabilities in few digits may be above 0
_RESULTS = (Scores, Text, Vectors, Failed)
_FINISHES: tuple[str, ...] = get_args(get_type_hints(Text)["finish"])


def make_model(descriptor: ModelDescriptor, options: Mapping[str, Json], *task: object) -> Model:
    """Return a model that is not loaded, as its factory makes it.

    Args:
        descriptor: The model's.
        options: The value of every option.
        task: For a baseline that needs one.

    Raises:
        PluginError: the factory fails, or what it makes is not a model.
        UserError: options that it refuses.
    """
    contract, factory = contract_of(descriptor), load_target(descriptor)
    with contract.calling("make"):
        model: Model = factory(options, *task)
    for name in ("identity", "load"):
        if not callable(getattr(model, name, None)):
            raise contract.wrong(f"makes {described(model)}, which has no method {name}")
    for offer in sorted(descriptor.offers & OFFERED_METHODS.keys()):
        name = OFFERED_METHODS[offer]
        if not callable(getattr(model, name, None)):
            raise contract.wrong(f"offers {offer!r}, but its model has no method {name}")
    return model


def require_offer(descriptor: ModelDescriptor, offer: Offer, refusal: str) -> None:
    """Refuse a model that does not offer something.

    Args:
        descriptor: The model's.
        offer: What is needed.
        refusal: What the message says of the model, such as ``cannot be trained``.

    Raises:
        UserError: with the models that do offer it.
    """
    if offer not in descriptor.offers:
        able = ", ".join(offering(offer, plugins().models()))
        raise UserError(f"model {descriptor.id!r} {refusal}", fix=f"models that can: {able}")


def identity_of(descriptor: ModelDescriptor, model: Model, runtime: Runtime) -> dict[str, Json]:
    """Return a model's identity.

    Raises:
        PluginError: it raises, or is not plain data.
        UserError: what the model says itself, such as of a checkpoint that is not there.
    """
    contract = contract_of(descriptor)
    with contract.calling("identity"):
        mapping = model.identity(runtime)
    if not isinstance(mapping, Mapping):
        raise contract.returned(mapping, "identity", "a mapping")
    with contract.calling("identity"):
        identity = dict(mapping)
    if why := not_plain(identity):
        raise contract.wrong(f"returned what is not plain data from identity: {why}")
    return identity


def weight_bytes(descriptor: ModelDescriptor, model: Model, runtime: Runtime) -> int | None:
    """Return the bytes of a model's weights, ``None`` where it does not tell.

    Raises:
        PluginError: it raises, or gives no count.
        UserError: what the model says itself, such as of a weight file that is cut short.
    """
    if not isinstance(model, HasWeights):
        return None
    contract = contract_of(descriptor)
    with contract.calling("weight_bytes"):
        count: Any = model.weight_bytes(runtime)
    if count is not None and (type(count) is not int or count < 0):
        raise contract.returned(count, "weight_bytes", "a number of bytes, or None")
    return count


def loaded(descriptor: ModelDescriptor, load: Callable[[], Any]) -> Answerer:
    """Load a model; what it does wrongly then, and while it answers, ends the task.

    Raises:
        ModelError: it raises, or gives nothing that answers.
        HarnessError: what the model says itself.
    """
    contract = contract_of(descriptor, ModelError)
    with contract.calling("load"):
        answerer = load()
    for name in ("answer", "close"):
        if not callable(getattr(answerer, name, None)):
            raise contract.returned(answerer, "load", f"an answerer: it has no method {name}")
    kind = GuardedAnnotators if isinstance(answerer, StandsForAnnotators) else GuardedAnswerer
    return kind(answerer, contract)


class GuardedAnswerer:
    """Hands every call on to a loaded model.

    Raises:
        ModelError: from each method, when the model raises or returns what it must not.
    """

    def __init__(self, answerer: Answerer, contract: Contract) -> None:
        self._answerer, self._contract = answerer, contract

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer one block, with at most one response per request, each of an allowed kind."""
        with self._contract.calling("answer"):
            answered: Any = self._answerer.answer(requests)
        responses = self._contract.listed(
            answered, "answer", Response, "one Response for each request"
        )
        requested = {request.id for request in requests}
        seen: set[str] = set()
        for response in responses:
            if response.request not in requested or response.request in seen:
                often = "twice" if response.request in seen else "which it was not asked"
                raise self._contract.wrong(f"answered {described(response.request)}, {often}")
            seen.add(response.request)
        return [self._checked(response) for response in responses]

    def prepare(self, requests: Sequence[Request]) -> None:
        """Let the model begin with the images of a block that is asked soon."""
        if isinstance(self._answerer, PreparesImages):
            with self._contract.calling("prepare"):
                self._answerer.prepare(requests)

    def notes(self) -> list[str]:
        """Return what the model has to say of its answers."""
        if not isinstance(self._answerer, TakesNotes):
            return []
        with self._contract.calling("notes"):
            notes: Any = self._answerer.notes()
        return self._contract.listed(notes, "notes", str, "a list of texts")

    def verdict(self, task: str) -> Mapping[str, Json] | None:
        """Return what the model's check of itself found; empty for one that makes none."""
        if not isinstance(self._answerer, ChecksItself):
            return {}
        with self._contract.calling("verdict"):
            verdict: Any = self._answerer.verdict(task)
        if verdict is None:
            return None
        if not isinstance(verdict, Mapping) or not_plain(dict(verdict)):
            raise self._contract.returned(verdict, "verdict", "a mapping of plain data, or None")
        return verdict

    def adopt(self, task: str, verdict: Mapping[str, Json], *, settled: bool) -> None:
        """Answer a task as one whose check of itself found this."""
        if isinstance(self._answerer, ChecksItself):
            with self._contract.calling("adopt"):
                self._answerer.adopt(task, verdict, settled=settled)

    def close(self) -> None:
        """Free the model."""
        with self._contract.calling("close"):
            self._answerer.close()

    def _checked(self, response: Response) -> Response:
        result: Any = response.result
        try:
            if isinstance(result, Scores):
                scores = plain_scores(result)
                why = impossible(scores)
                return Response(response.request, Failed("bad_scores", why) if why else scores)
            if isinstance(result, Vectors):
                return replace(response, result=_vectors(result))
            if isinstance(result, Text) and isinstance(result.text, str) and not_plain(result.text):
                message = "the text holds half a character (a lone surrogate)"
                return replace(response, result=Failed("bad_text", message))
            wrong = _wrong(result)
            if isinstance(result, Failed) and not wrong:
                message = legible(result.message)
                return replace(response, result=Failed(one_line(result.kind), message))
        except FAULTS as error:
            wrong = error_text(error)
        if wrong:
            raise self._contract.wrong(
                f"answered {described(response.request)} with {described(result)}: {wrong}"
            )
        return response


class GuardedAnnotators(GuardedAnswerer):
    """Hands calls on to what stands for annotators."""

    def annotators(self, sample: Sample) -> list[AnnotatorAnswer]:
        """Return each annotator's answer with what the others say."""
        with self._contract.calling("annotators"):
            answers: Any = self._answerer.annotators(sample)  # type: ignore[attr-defined]
        return self._contract.listed(answers, "annotators", AnnotatorAnswer, "AnnotatorAnswer")


def _wrong(result: Any) -> str:
    """Return what is wrong with a text, a failure, or what is neither."""
    if isinstance(result, Text):
        text: Any = result.text
        if not isinstance(text, str):
            return "its text is not a string"
        return "" if result.finish in _FINISHES else f"its end is none of {', '.join(_FINISHES)}"
    if isinstance(result, Failed):
        plain = isinstance(result.kind, str) and isinstance(result.message, str)
        return "" if plain else "its kind and message must be texts"
    return f"a result is one of {', '.join(kind.__name__ for kind in _RESULTS)}"


def plain_scores(scores: Scores) -> Scores:
    """Return scores as plain numbers.

    Raises:
        ValueError: a kind of score that there is not.
        TypeError: what is not a number.
    """
    if scores.kind not in get_args(ScoreKind):
        raise ValueError(f"{scores.kind!r} is not a kind of score")
    return Scores(scores.kind, _floats(scores.values), _whole(scores.tokens), _whole(scores.bytes))


def impossible(scores: Scores) -> str:
    """Return why scores cannot be of the kind they name; empty when they can."""
    if scores.kind == "logprob" and max(scores.values, default=0.0) > _ROUNDED:
        return f"a log-probability of {max(scores.values):g}, above 0"
    if scores.kind == "label":
        strange = next((value for value in scores.values if value not in {0.0, 1.0}), None)
        if strange is not None:
            return f"a label's score of {strange:g}, which is neither 0 nor 1"
        if sum(scores.values) > 1:
            return f"{sum(scores.values):g} options are said to be the answer"
    return ""


def _vectors(vectors: Vectors) -> Vectors:
    images, texts = (tuple(map(_floats, held)) for held in (vectors.images, vectors.texts))
    return Vectors(images, texts)


def _floats(values: Any) -> tuple[float, ...]:
    if isinstance(values, str | bytes):
        raise TypeError("text in the place of numbers")
    return tuple(map(float, values))


def _whole(values: Any) -> tuple[int, ...]:
    return tuple(map(int, values))
