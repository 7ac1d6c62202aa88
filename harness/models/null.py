"""The null baseline: every option scores the same, every text is empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.descriptors import Json
from harness.models._baseline import Baseline, Result, unsupported
from harness.requests import Choose, Generate, Request, Scores, Text


class Null(Baseline):
    """Answers nothing useful: what a task gives away without any answer."""

    name = "null"

    def __init__(self, options: Mapping[str, Json]) -> None:
        del options

    def replier(self) -> Callable[[Request], Result]:
        """Return equal scores, or an empty text."""
        return _reply


def _reply(request: Request) -> Result:
    if isinstance(request.want, Choose):
        return Scores("similarity", (0.0,) * len(request.want.options))
    return Text("") if isinstance(request.want, Generate) else unsupported("null")
