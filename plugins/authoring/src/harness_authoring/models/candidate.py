"""A model under check: found by name, loaded at most once at a time, asked by the contract."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from harness.config.settings import load_settings
from harness.descriptors import Json, ModelDescriptor, parse_options
from harness.errors import UserError
from harness.evaluation.model import configure_model
from harness.models import Answerer, Model, Runtime
from harness.models.guard import make_model
from harness.requests import Request

from harness_authoring.contract import ContractError, NotApplicableError
from harness_authoring.models.asking import Result, by_request, requests_for

EXACT, HALF = 1e-4, 5e-2  # log-likelihoods in float32, and in 16 bits


class Candidate:
    """A model under check.

    Args:
        model: The model's id, or its descriptor when it is not installed.
        options: As given with ``-o``; ``preset`` too.
        runtime: How to run; float32 on the CPU by default, where numbers can be compared.
        changes: Options with another value that must change the fingerprint.
        tolerance: How much answers may differ; by default as the dtype allows.

    Raises:
        UserError: an unknown model or option, a change that changes nothing, or a baseline
            that needs a task.
    """

    def __init__(
        self,
        model: str | ModelDescriptor,
        options: Mapping[str, Json] | None = None,
        *,
        runtime: Runtime | None = None,
        changes: Mapping[str, Json] | None = None,
        tolerance: float | None = None,
    ) -> None:
        self.runtime = runtime or Runtime(device="cpu", dtype="float32")
        self.given: dict[str, Json] = dict(options or {})
        rough = EXACT if self.runtime.dtype == "float32" else HALF
        self.tolerance = rough if tolerance is None else tolerance
        self.installed = isinstance(model, str)
        if isinstance(model, str):
            subject = configure_model(model, self.given, load_settings(), self.runtime)
            self.descriptor, self.options = subject.descriptor, dict(subject.options)
        else:
            self.descriptor = model
            self.options = parse_options(model.options, self.given, owner=f"model {model.id!r}")
        if self.descriptor.needs_task:
            raise UserError(
                f"{self.descriptor.id!r} needs a task's labels; the checks only apply to models",
                fix="harness models lists models",
            )
        self.changes = self._parse_changes(changes or {})
        self._answerer: Answerer | None = None
        self._answers: dict[str, Result] | None = None

    def _parse_changes(self, changes: Mapping[str, Json]) -> dict[str, Json]:
        owner = f"model {self.descriptor.id!r}"
        parsed = parse_options(self.descriptor.options, changes, owner=owner)
        for name in changes:
            if parsed[name] == self.options[name]:
                raise UserError(
                    f"the option {name!r} of {owner} has this value already",
                    where=f"change {name}={changes[name]}",
                    fix="give another value, which must change the fingerprint",
                )
        return {name: parsed[name] for name in changes}

    def model(self, **changed: Json) -> Model:
        """Return the model, not loaded, with some options changed."""
        return make_model(self.descriptor, {**self.options, **changed})

    def answerer(self) -> Answerer:
        """Return the loaded model."""
        if self._answerer is None:
            self._answerer = _load(self.model(), self.runtime)
        return self._answerer

    @contextmanager
    def loaded_anew(self, **runtime: Any) -> Iterator[Answerer]:
        """Load the model again, with another runtime; at no time are two loaded."""
        self.close()
        answerer = _load(self.model(), dataclasses.replace(self.runtime, **runtime))
        try:
            yield answerer
        finally:
            answerer.close()

    def off_engine(self) -> str:
        """Return why it does not run on the engine; empty when it does."""
        if not self.descriptor.offers & {"train", "hidden"}:
            return "it does not run on the engine (it offers neither 'train' nor 'hidden')"
        from harness.engine.answerer import EngineAnswerer

        if type(self.answerer()) is not EngineAnswerer:
            return "it does not run on the engine (an answerer of its own)"
        return ""

    def engine_model(self) -> Any:
        """Load the model as the engine takes it; nothing else is loaded at the time.

        Raises:
            NotApplicableError: when it does not run on the engine.
        """
        if why := self.off_engine():
            raise NotApplicableError(why)
        self.close()
        made: Any = self.model()
        return made.load_model(self.runtime)

    def requests(self) -> list[Request]:
        """Return requests of every kind that the model claims to answer."""
        return requests_for(sorted(self.descriptor.capabilities))

    def answers(self) -> dict[str, Result]:
        """Return the answers to :meth:`requests`, asked in one block, once."""
        if self._answers is None:
            self._answers = self.ask(self.requests())
        return self._answers

    def ask(
        self, requests: Sequence[Request], answerer: Answerer | None = None
    ) -> dict[str, Result]:
        """Ask one block and return results by request.

        Raises:
            ContractError: when it raises, or does not give one response per request.
        """
        used = answerer or self.answerer()
        try:
            responses = list(used.answer(requests))
        except Exception as error:
            raise ContractError(
                f"answer() raised {type(error).__name__}: {error}; "
                "a request that cannot be answered gets Failed"
            ) from error
        ids = sorted(request.id for request in requests)
        if sorted(response.request for response in responses) != ids:
            raise ContractError(
                f"{len(responses)} responses to {len(requests)} requests, "
                "or responses to other requests"
            )
        return by_request(responses)

    def close(self) -> None:
        """Let go of what is loaded."""
        if self._answerer is not None:
            self._answerer.close()
            self._answerer = None


def _load(model: Model, runtime: Runtime) -> Answerer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a library's remarks are no matter of the contract
        return model.load(runtime)
