"""A model that looks at images and takes its time, so that a test can kill it at work."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence

from harness.descriptors import Json, ModelDescriptor, Option
from harness.models import Runtime
from harness.plugins import hookimpl
from harness.requests import Choose, Failed, Request, Response, Scores


class Looker:
    """Scores options by the first pixel's red; fails or dies where its options say so."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        self.options = options
        self.blocks = 0

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:  # noqa: ARG002  the contract
        """Return a constant: this model has no weights."""
        return {"kind": "looker"}

    def load(self, runtime: Runtime) -> Looker:  # noqa: ARG002  the contract
        """Return itself."""
        return self

    def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Answer in reverse, as a model may."""
        dies = os.environ.get("LOOKER_DIES_AT")
        if dies is not None and self.blocks == int(dies):
            os.kill(os.getpid(), int(os.environ.get("LOOKER_SIGNAL", "9")))
        time.sleep(float(os.environ.get("LOOKER_SLEEPS", "0")))
        self.blocks += 1
        for request in reversed(requests):
            assert isinstance(request.want, Choose)
            red = request.images[0].pixels.getpixel((0, 0))
            assert isinstance(red, tuple)
            number = len(request.want.options)
            if self.options["fails_on"] == request.sample:
                yield Response(request.id, Failed("refused", "told to fail"))
                continue
            values = tuple(-abs(red[0] % number - index) / 1.0 for index in range(number))
            yield Response(request.id, Scores("similarity", values))

    def notes(self) -> list[str]:
        """Say what the environment tells it to, from the first block on."""
        message = os.environ.get("LOOKER_SAYS")
        return [message] if message else []

    def close(self) -> None:
        """Nothing to free."""


@hookimpl
def harness_models() -> list[ModelDescriptor]:
    """The looker."""
    return [
        ModelDescriptor(
            id="looker",
            target="slow_model:Looker",
            summary="looks at one pixel",
            capabilities=frozenset({"choose"}),
            options=(Option(name="fails_on", default="", changes_numbers=True),),
        )
    ]
