"""A model that keeps the contract, and ones that break one promise each."""

# ruff: noqa: ARG002  the contract's signatures

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.descriptors import Json, ModelDescriptor, Option
from harness.models import Runtime
from harness.requests import (
    Choose,
    Embed,
    Failed,
    Generate,
    Request,
    Response,
    Scores,
    Text,
    Vectors,
)

CHANCE = itertools.count()


class Good:
    """Scores by the picture's mean and the option's length."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        self.options = dict(options)

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        return {"model": "good", "scale": self.options["scale"]}

    def load(self, runtime: Runtime) -> Any:
        self.runtime = runtime
        return self

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        return [Response(request.id, self.one(request)) for request in requests]

    def one(self, request: Request) -> Any:
        want = request.want
        if isinstance(want, Generate):
            return Text(request.turns[-1].text[: want.max_new_tokens])
        if isinstance(want, Embed):
            return Failed("unsupported", "no vectors")
        if not all(option.strip() for option in want.options):
            return Failed("empty_option", "no text")
        return self.scores(request, want)

    def scores(self, request: Request, want: Choose) -> Any:
        means = [float(np.asarray(image.pixels, float).mean()) for image in request.images]
        values = tuple(-(sum(means) + 1) / 256 * len(option) for option in want.options)
        lengths = tuple(len(option.encode()) for option in want.options)
        return Scores("logprob", values, lengths, lengths)

    def close(self) -> None:
        pass


class Claims(Good):
    """Answers what it does not claim."""

    def one(self, request: Request) -> Any:
        if isinstance(request.want, Embed):
            return Vectors(((1.0,),), ((1.0,),) * 3)
        return super().one(request)


class Refuses(Good):
    """Does not answer what it claims."""

    def one(self, request: Request) -> Any:
        return Failed("tired", "not today")


class ScoresNothing(Good):
    """Scores an option that has no text."""

    def one(self, request: Request) -> Any:
        want = request.want
        return self.scores(request, want) if isinstance(want, Choose) else super().one(request)

    def scores(self, request: Request, want: Choose) -> Any:
        scored = super().scores(request, want)
        return replace(scored, tokens=tuple(max(1, token) for token in scored.tokens))


class Positive(Good):
    def scores(self, request: Request, want: Choose) -> Any:
        scored = super().scores(request, want)
        return replace(scored, values=tuple(-value for value in scored.values))


class NotANumber(Good):
    def scores(self, request: Request, want: Choose) -> Any:
        return replace(super().scores(request, want), values=(math.nan,) * len(want.options))


class WrongBytes(Good):
    def scores(self, request: Request, want: Choose) -> Any:
        return replace(super().scores(request, want), bytes=(1,) * len(want.options))


class ByPlace(Good):
    """An option's score depends on where it stands."""

    def scores(self, request: Request, want: Choose) -> Any:
        scored = super().scores(request, want)
        values = tuple(value - 0.1 * index for index, value in enumerate(scored.values))
        return replace(scored, values=values)


class ByNeighbour(Good):
    """An answer depends on what else is in the block."""

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        longest = max(len(request.turns[-1].text) for request in requests)
        result = super().answer(requests)
        return [
            replace(item, result=replace(item.result, values=tuple(
                value - 1e-3 * longest for value in item.result.values)))
            if isinstance(item.result, Scores) else item
            for item in result
        ]  # fmt: skip


class ByBatchSize(Good):
    def scores(self, request: Request, want: Choose) -> Any:
        scored = super().scores(request, want)
        off = 1e-6 * (self.runtime.batch_size or 0)
        return replace(scored, values=tuple(value - off for value in scored.values))


class Forgets(Good):
    """Drops a request."""

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        return super().answer(requests)[1:]


class Raises(Good):
    def one(self, request: Request) -> Any:
        if not request.images:
            raise IndexError("no picture")
        return super().one(request)


class Random(Good):
    def scores(self, request: Request, want: Choose) -> Any:
        scored = super().scores(request, want)
        off = next(CHANCE) * 1e-9
        return replace(scored, values=tuple(value - off for value in scored.values))


class Blind(Good):
    """Says that it sees pictures."""

    def scores(self, request: Request, want: Choose) -> Any:
        return super().scores(replace(request, turns=()), want)


class Unpickles(Good):
    def load(self, runtime: Runtime) -> Any:
        pickle.loads(pickle.dumps(Option(name="x")))  # noqa: S301  what the check is for
        return super().load(runtime)


class OtherEachTime(Good):
    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        return {"call": next(CHANCE)}


class NotPlain(Good):
    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        return {"model": object()}  # type: ignore[dict-item]


class NamesFolder(Good):
    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        return {"path": self.options["path"]}


class SameForAll(Good):
    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        return {"model": "good"}


class SpeedMatters(Good):
    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        return {"speed": self.options["speed"], "scale": self.options["scale"]}


def describe(kind: type[Good]) -> ModelDescriptor:
    """Return a descriptor of one of these."""
    return ModelDescriptor(
        id="under-check",
        target=f"{kind.__module__}:{kind.__name__}",
        summary="",
        capabilities=frozenset({"choose", "generate"}),
        options=(
            Option(name="scale", type="int", default=1),
            Option(name="speed", type="int", default=1, changes_numbers=False),
            Option(name="path", default="/somewhere/else"),
        ),
    )
