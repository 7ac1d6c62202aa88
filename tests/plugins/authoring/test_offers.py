"""Checks of offers pass models that keep them, and catch models that only claim them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from harness_authoring.contract import ContractError, NotApplicableError
from harness_authoring.models.candidate import Candidate
from harness_authoring.models.offers import contrast, offered_methods

from harness.errors import UserError
from harness.requests import Generate, Request, Text
from tests.plugins.authoring import models


class Contrasts(models.Good):
    def one(self, request: Request) -> Any:
        result, want = super().one(request), request.want
        if isinstance(want, Generate) and want.contrast and want.contrast.cutoff < 1:
            return Text(result.text + "!" * bool(want.contrast.alpha))
        return result


class Overdoes(models.Good):
    def one(self, request: Request) -> Any:
        result, want = super().one(request), request.want
        contrasted = isinstance(want, Generate) and want.contrast is not None
        return Text(result.text[::-1]) if contrasted else result


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


class LoadsText(models.Good):
    def load_model(self, runtime: Any) -> str:
        return f"no model of the engine, on {runtime.device}"


@pytest.mark.torch
def test_an_offer_to_train_without_a_model_of_the_engine_is_caught() -> None:
    with pytest.raises(ContractError, match="load_model returns str, which is not a Vision"):
        offered_methods(candidate(LoadsText, "train"))


def test_an_offer_without_its_method_is_refused_when_the_model_is_made() -> None:
    with pytest.raises(
        ContractError, match="offers 'tower', but its model has no method load_tower"
    ):
        offered_methods(candidate(models.Good, "tower"))


def test_a_model_that_offers_nothing_else_is_not_checked() -> None:
    with pytest.raises(NotApplicableError, match="offers neither"):
        offered_methods(candidate(models.Good, "logprobs"))
