"""A plugin's method at answer time held to its contract: what it does wrongly is said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from harness.descriptors import AnswerMethodDescriptor, Json, load_target
from harness.errors import PluginError
from harness.models.guard import impossible, plain_scores
from harness.plugins import contract_of
from harness.requests import Choose, Embed, Failed, Generate, Request, Scores, Text, Vectors
from harness.requests.method import AnswerMethod, AsksOtherwise, Result

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
            found = self._method.own(request)
        if not isinstance(found, Request):
            raise self._wrong(f"returned {type(found).__name__} from own, not a Request")
        if found.id != request.id or type(found.want) is not type(request.want):
            raise self._wrong("changed a request's id or the kind of answer it wants")
        return found

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return what must be asked beside a request, or why it cannot be treated."""
        with self._calling("further"):
            found = self._method.further(request)
            if isinstance(found, Failed):
                return found
            several = list(found)
            for one in several:
                if not isinstance(one, Request):
                    raise self._wrong(f"returned {type(one).__name__} from further, not a Request")
                if not one.images:
                    hash((one.turns, one.want))  # equal ones are asked once
        return several

    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Result | Failed:
        """Return the answer to a request."""
        with self._calling("combine"):
            found = self._method.combine(request, own, further)
            if isinstance(found, Scores):
                found = plain_scores(found)
        if isinstance(found, Failed):
            return found
        wanted = _RESULTS[type(request.want)]
        if not isinstance(found, wanted):
            said = type(found).__name__
            raise self._wrong(f"returned {said} from combine, not {wanted.__name__} or Failed")
        if isinstance(found, Text) and not isinstance(found.text, str):
            raise self._wrong(f"returned a text that is a {type(found.text).__name__}")
        if isinstance(found, Scores) and isinstance(request.want, Choose):
            count = len(request.want.options)
            if len(found.values) != count:
                raise self._wrong(f"returned {len(found.values)} scores for {count} options")
            if not all(map(math.isfinite, found.values)):
                return Failed("not_finite", f"method {self._name!r} gave a score that is no number")
            if fault := impossible(found):
                raise self._wrong(f"returned scores that cannot be: {fault}")
        return found

    def _calling(self, method: str) -> AbstractContextManager[None]:
        return self._contract.calling(method)

    def _wrong(self, said: str) -> PluginError:
        return self._contract.wrong(said)
