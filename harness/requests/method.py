"""The contract of inference-time methods: further requests, and how the answers are combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from harness.requests.request import Request
from harness.requests.response import Failed, Scores, Text, Vectors

Result = Scores | Text | Vectors


class AnswerMethod(Protocol):
    """Changes answers at inference time, not the model. Made by ``(options) -> AnswerMethod``."""

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return the further requests that a request needs, or why the method cannot handle it.

        Their ids do not matter: the harness assigns new ones.
        """
        ...

    def combine(
        self, request: Request, result: Result, further: Sequence[Result]
    ) -> Result | Failed:
        """Return the answer to a request.

        Args:
            request: As the task made it.
            result: The model's answer to it.
            further: The answers to what :meth:`further` returned, in its order; none has failed.
        """
        ...


@runtime_checkable
class AsksOtherwise(Protocol):
    """A method that changes the request itself, for example by adding a contrast."""

    def own(self, request: Request) -> Request:
        """Return the request to send instead: same id, same kind of answer.

        Called for each request for which :meth:`AnswerMethod.further` did not return ``Failed``.
        """
        ...
