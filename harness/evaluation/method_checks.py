"""Checks calls of a plugin's inference-time method; a breach of its contract is a `PluginError`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from harness.descriptors import AnswerMethodDescriptor, Json
from harness.errors import PluginError
from harness.models.guard import impossible, plain_scores
from harness.plugins import contract_of
from harness.requests import Choose, Embed, Failed, Generate, Request, Scores, Text, Vectors
from harness.requests.method import AnswerMethod, AsksOtherwise, Result
from harness.targets import load_target

_RESULTS = {Choose: Scores, Generate: Text, Embed: Vectors}


class Guarded:
    """Hands every call on to a plugin's method.

    Raises:
        PluginError: from each method, when the plugin's raises or returns what it must not.
    """

    def __init__(self, descriptor: AnswerMethodDescriptor, options: Mapping[str, Json]) -> None:
        self._contract = contract_of(descriptor)
        self._name = descriptor.id
        make = load_target(descriptor)
        with self._calling("make"):
            self._method: AnswerMethod = make(options)

    def own(self, request: Request) -> Request:
        """Return what is asked in a request's place."""
        if not isinstance(self._method, AsksOtherwise):
            return request
        with self._calling("own"):
            request_sent = self._method.own(request)
        if not isinstance(request_sent, Request):
            raise self._wrong(f"returned {type(request_sent).__name__} from own, not a Request")
        if request_sent.id != request.id or type(request_sent.want) is not type(request.want):
            raise self._wrong("changed a request's id or the kind of answer it wants")
        return request_sent

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return what must be asked beside a request, or why it cannot be treated."""
        with self._calling("further"):
            requests = self._method.further(request)
            if isinstance(requests, Failed):
                return requests
            listed = list(requests)
            for sent in listed:
                if not isinstance(sent, Request):
                    raise self._wrong(f"returned {type(sent).__name__} from further, not a Request")
                if not sent.images:
                    hash((sent.turns, sent.want))  # equal ones are asked once
        return listed

    def combine(
        self, request: Request, first: Result, further: Sequence[Result]
    ) -> Result | Failed:
        """Return the answer to a request."""
        with self._calling("combine"):
            combined = self._method.combine(request, first, further)
            if isinstance(combined, Scores):
                combined = plain_scores(combined)
        if isinstance(combined, Failed):
            return combined
        wanted = _RESULTS[type(request.want)]
        if not isinstance(combined, wanted):
            kind = type(combined).__name__
            raise self._wrong(f"returned {kind} from combine, not {wanted.__name__} or Failed")
        if isinstance(combined, Text) and not isinstance(combined.text, str):
            raise self._wrong(f"returned a text that is a {type(combined.text).__name__}")
        if isinstance(combined, Scores) and isinstance(request.want, Choose):
            count = len(request.want.options)
            if len(combined.values) != count:
                raise self._wrong(f"returned {len(combined.values)} scores for {count} options")
            if not all(map(math.isfinite, combined.values)):
                return Failed("not_finite", f"method {self._name!r} gave a score that is no number")
            if fault := impossible(combined):
                raise self._wrong(f"returned scores that cannot be: {fault}")
        return combined

    def _calling(self, method: str) -> AbstractContextManager[None]:
        return self._contract.calling(method)

    def _wrong(self, fault: str) -> PluginError:
        return self._contract.wrong(fault)
