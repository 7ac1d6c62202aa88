"""The check of contrasted writing passes who does it, and catches who only says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import UserError
from harness.requests import Generate, Request, Text
from harness.testing.candidate import Candidate, ContractError, NotApplicableError
from harness.testing.offers import contrast
from tests.testing import models


class Contrasts(models.Good):
    def one(self, request: Request) -> Any:
        found, want = super().one(request), request.want
        if isinstance(want, Generate) and want.contrast and want.contrast.cutoff < 1:
            return Text(found.text + "!" * bool(want.contrast.alpha))
        return found


class Overdoes(models.Good):
    def one(self, request: Request) -> Any:
        found, want = super().one(request), request.want
        contrasted = isinstance(want, Generate) and want.contrast is not None
        return Text(found.text[::-1]) if contrasted else found


class Cannot(models.Good):
    def one(self, request: Request) -> Any:
        if isinstance(request.want, Generate) and request.want.contrast:
            raise UserError("this checkpoint cannot")
        return super().one(request)


def candidate(kind: type[models.Good], *offers: Any) -> Candidate:
    return Candidate(replace(models.describe(kind), offers=frozenset(offers)))


def test_who_contrasts_passes() -> None:
    contrast(candidate(Contrasts, "contrast"))


@pytest.mark.parametrize(
    ("kind", "message"), [(models.Good, "changes no answer"), (Overdoes, "alpha=0.0.* against")]
)
def test_who_only_says_so_is_caught(kind: type[models.Good], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        contrast(candidate(kind, "contrast"))


def test_who_does_not_offer_it_or_cannot_here_is_not_checked() -> None:
    with pytest.raises(NotApplicableError, match="does not offer"):
        contrast(candidate(models.Good))
    with pytest.raises(NotApplicableError, match="this checkpoint cannot"):
        contrast(candidate(Cannot, "contrast"))
