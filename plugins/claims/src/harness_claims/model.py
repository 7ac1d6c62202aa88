"""The model ``human``: a release's annotators, each scored against the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from harness.errors import DataError

from harness_claims.agreement import agreement
from harness_claims.annotators import VOTES, answers_of, left_out

if TYPE_CHECKING:
    from harness.descriptors import Json
    from harness.models import Runtime, TaskHandle
    from harness.requests import (
        AnnotatorAnswer,
        Choose,
        Embed,
        Generate,
        Request,
        Response,
    )
    from harness.samples import Sample

_LOOKED_AT = 2000


class Human:
    """What stands for annotators; it is asked nothing, and opens no image.

    Args:
        options: ``votes``: the field with counts of votes, where the right answer is a label.
        task: Its evaluated split is read for the annotators' agreement.
    """

    def __init__(self, options: Mapping[str, Json], task: TaskHandle) -> None:
        self._votes, self._task = str(options["votes"]), task

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return what it is."""
        del runtime
        return {"annotators": "leave one out", "version": 1, "votes": self._votes}

    def refuses(self, want: Choose | Generate | Embed) -> str:
        """Return why nobody can be left out, empty when somebody can."""
        del want
        samples = islice(self._task.samples(), _LOOKED_AT)
        if any(self.annotators(sample) for sample in samples):
            return ""
        return (
            f"none of its first {_LOOKED_AT:,} samples has answers of two annotators, as a list "
            f"in the place of the right answer or counted in the field {self._votes!r}"
        )

    def unused(self, want: Choose | Generate | Embed) -> list[str]:
        """Return the field of votes where no sample's answers are counted in it."""
        del want
        samples = islice(self._task.samples(), _LOOKED_AT)
        if self._votes == VOTES or any(self._votes in sample.fields for sample in samples):
            return []
        return ["votes (answers stand in the place of the right answer)"]

    def load(self, runtime: Runtime) -> Human:
        """Return itself."""
        del runtime
        return self

    def annotators(self, sample: Sample) -> Sequence[AnnotatorAnswer]:
        """Return each annotator's answer with what the others say.

        Raises:
            DataError: votes that are no counts.
        """
        return left_out(sample.target, self._answers(sample))

    def _answers(self, sample: Sample) -> list[Json]:
        try:
            return answers_of(sample.target, sample.fields, self._task.options, self._votes)
        except DataError as error:
            raise DataError(error.message, where=f"sample {sample.id!r}") from None

    def notes(self) -> list[str]:
        """Return how far the annotators of the whole split agree."""
        units = (self._answers(sample) for sample in self._task.samples())
        return [agreement([unit for unit in units if len(unit) > 1])]

    def answer(self, requests: Sequence[Request]) -> Iterable[Response]:
        """Answer nothing: annotators have answered already."""
        del requests
        return ()

    def close(self) -> None:
        """Nothing was loaded."""
