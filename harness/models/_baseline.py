"""What baselines share: they answer request by request and load nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.descriptors import Json
from harness.models.contract import Runtime
from harness.requests import Failed, Request, Response, Scores, Text

Result = Scores | Text | Failed


class RequestAnswerer:
    """Answers each request on its own with one function."""

    def __init__(self, reply: Callable[[Request], Result]) -> None:
        self._reply = reply

    def answer(self, requests: Sequence[Request]) -> Iterable[Response]:
        """Return one response per request, in order."""
        return [Response(request.id, self._reply(request)) for request in requests]

    def close(self) -> None:
        """Nothing was loaded."""


class Baseline(ABC):
    """A model of that kind: an identity of plain data, and a function made at load."""

    name = ""
    version = 1

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return the baseline's name, version and number-changing options."""
        del runtime
        return {"baseline": self.name, "version": self.version, **self.details()}

    def details(self) -> Mapping[str, Json]:
        """Return what else changes its numbers."""
        return {}

    def load(self, runtime: Runtime) -> RequestAnswerer:
        """Return the answerer; the device does not matter."""
        del runtime
        return RequestAnswerer(self.replier())

    @abstractmethod
    def replier(self) -> Callable[[Request], Result]:
        """Return the function that answers one request."""


def as_label(target: Json) -> str | None:
    """Return a target as one label: itself, or the most frequent of people's answers.

    ``None`` for targets of another kind, such as points.
    """
    if isinstance(target, str):
        return target
    answers = [one for one in target if isinstance(one, str)] if isinstance(target, list) else []
    return max(answers, key=answers.count) if answers else None


def as_points(target: Json) -> list[tuple[float, float]]:
    """Return a target as points, one an annotator; none for targets of another kind."""
    answers = []
    for point in target if isinstance(target, list) else []:
        if isinstance(point, list) and len(point) == 2:
            x, y = point
            if isinstance(x, int | float) and isinstance(y, int | float):
                answers.append((float(x), float(y)))
    return answers


OTHER_ANSWERS = "its train split's answers are neither labels nor points"
NO_SAMPLES = "its train split has no samples"


def unsupported(name: str) -> Failed:
    """Return the result for a request that wants vectors."""
    return Failed("unsupported", f"the baseline {name!r} has no vectors")
