"""A model that offers what inference-time methods build on, and methods that break the contract."""

# ruff: noqa: ARG002  every method here has the contract's arguments
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.descriptors import AnswerMethodDescriptor, Json, ModelDescriptor
from harness.models import Runtime
from harness.plugins import hookimpl
from harness.requests import Choose, Failed, Generate, Request, Response, Scores, Text
from harness.requests.method import Result


class Talker:
    """Scores options by how they are numbered, and writes what contrast it was asked with."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        del options

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return a constant."""
        return {"kind": "talker"}

    def load(self, runtime: Runtime) -> Talker:
        """Return itself."""
        return self

    def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Answer, with lower scores where there is no picture."""
        for request in requests:
            if isinstance(request.want, Choose):
                low = -1.0 if request.images else -2.0
                values = tuple(low * (1 + at) for at, _ in enumerate(request.want.options))
                yield Response(request.id, Scores("logprob", values))
            elif isinstance(request.want, Generate):
                yield Response(request.id, Text(repr(request.want.contrast)))

    def close(self) -> None:
        """Nothing to free."""


class Plain:
    """Asks nothing else and changes nothing."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        del options

    def further(self, request: Request) -> Any:
        """Return nothing."""
        del request
        return []

    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        """Return the model's answer."""
        del request, further
        return own


class RaisesWhenMade(Plain):
    def __init__(self, options: Mapping[str, Json]) -> None:
        raise KeyError("alfa")


class RaisesInFurther(Plain):
    def further(self, request: Request) -> Any:
        raise ValueError("no idea")


class RaisesInCombine(Plain):
    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        return further[0]


class AsksText(Plain):
    def further(self, request: Request) -> Any:
        return ["and now?"]


class AsksLists(Plain):
    def further(self, request: Request) -> Any:
        return [replace(request.without_images(), want=Choose(["a", "b"]))]  # type: ignore[arg-type]


class Renames(Plain):
    def own(self, request: Request) -> Any:
        return replace(request, id="other")


class TurnsIntoText(Plain):
    def own(self, request: Request) -> Any:
        return "what?"


class AnswersText(Plain):
    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        return Text("yes")


class AnswersNothing(Plain):
    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        return None


class LosesScores(Plain):
    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        return Scores("logprob", (0.0,))


class ScoresWords(Plain):
    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        assert isinstance(own, Scores)
        return replace(own, values=("high",))  # type: ignore[arg-type]


class ScoresAboveZero(Plain):
    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        assert isinstance(own, Scores)
        return replace(own, values=(2.5,) * len(own.values))


class ScoresNaN(Plain):
    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        assert isinstance(own, Scores)
        return replace(own, values=(float("nan"),) * len(own.values))


class Fails(Plain):
    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Any:
        return Failed("unsure", "not today")


@hookimpl
def harness_models() -> list[ModelDescriptor]:
    """The talker."""
    return [
        ModelDescriptor(
            id="talker",
            target="method_world:Talker",
            summary="",
            capabilities=frozenset({"choose", "generate"}),
            offers=frozenset({"logprobs", "contrast"}),
        )
    ]


@hookimpl
def harness_answer_methods() -> list[AnswerMethodDescriptor]:
    """Every method here under its class's name; none needs anything of the model."""
    kinds: list[type[Plain]] = [Plain]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return [
        AnswerMethodDescriptor(
            id=kind.__name__,
            target=f"method_world:{kind.__name__}",
            summary="",
            treats={"choose": frozenset()},
        )
        for kind in kinds
    ]
