"""A recipe of a stranger: whatever it does wrong is one message with its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest
from harness_training.guard import Guarded

from harness.descriptors import Json, RecipeDescriptor
from harness.errors import PluginError, UserError
from harness.training import Answers, Batch, Epoch, Example, Recipe

POOL = [Example(str(number), "t", "yes") for number in range(3)]
DESCRIPTOR = RecipeDescriptor(id="odd", target=f"{__name__}:Odd", summary="")


class Odd(Recipe):
    made: Callable[..., Any] = Epoch

    def __init__(self, options: Mapping[str, Json]) -> None:
        if options.get("broken"):
            raise ValueError("no such\nthing")

    def epoch(self, *_: Any) -> Epoch:
        result: Epoch = Odd.made()
        return result


def epoch(monkeypatch: pytest.MonkeyPatch, made: Callable[[], Any]) -> Epoch:
    monkeypatch.setattr(Odd, "made", staticmethod(made))
    return Guarded(DESCRIPTOR, {}).epoch(0, POOL, dict, Random(0))


def test_what_a_recipe_raises_names_recipe_and_method(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PluginError, match="recipe 'odd' raised in make: ValueError: no such thing"):
        Guarded(DESCRIPTOR, {"broken": True})
    with pytest.raises(PluginError, match="recipe 'odd' raised in epoch: ZeroDivisionError"):
        epoch(monkeypatch, lambda: 1 / 0)
    with pytest.raises(PluginError, match="recipe 'odd' raised in epoch: AttributeError"):
        epoch(monkeypatch, lambda: None)


def test_a_recipe_s_own_error_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Epoch:
        raise UserError("not with these data")

    with pytest.raises(UserError, match=r"^not with these data$"):
        epoch(monkeypatch, refuse)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Epoch([]), "left epoch 1 without a sample"),
        (Epoch([0, 3]), "outside the pool of 3"),
        (Epoch([-1]), "outside the pool of 3"),
        (Epoch([0, 1], [1.0]), "gave 1 weights to 2 samples"),
        (Epoch([0], [float("nan")]), "negative or not finite"),
        (Epoch([0], [-0.5]), "negative or not finite"),
        (Epoch([0.5]), "raised in epoch: TypeError"),  # type: ignore[list-item]
    ],
)
def test_what_a_recipe_returns_wrongly_is_said(
    monkeypatch: pytest.MonkeyPatch, made: Epoch, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        epoch(monkeypatch, lambda: made)


def test_numbers_of_other_libraries_become_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    result = epoch(monkeypatch, lambda: Epoch(np.array([2, 0]), np.array([1, 2])))  # type: ignore[arg-type]
    assert (result.order, result.weights) == ([2, 0], [1.0, 2.0])
    assert type(result.order[0]) is int


def test_what_trains_is_asked_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Guarded(DESCRIPTOR, {})
    assert (recipe.parts, recipe.chooses_weights) == ("auto", False)
    assert recipe.trains("lora", "layers.0.weight")
    monkeypatch.setattr(Odd, "trains", lambda *_: 1 / 0, raising=False)
    assert recipe.chooses_weights
    with pytest.raises(PluginError, match="recipe 'odd' raised in trains: ZeroDivisionError"):
        recipe.trains("lora", "layers.0.weight")


@pytest.mark.torch
def test_a_loss_that_is_no_scalar_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(Odd, "loss", lambda *_: torch.ones(2), raising=False)
    batch = Batch(torch.ones(1), Answers(torch.ones(1, 1), torch.ones(1, 1)))
    with pytest.raises(PluginError, match=r"loss of shape \(2,\), not a scalar"):
        Guarded(DESCRIPTOR, {}).batch_loss(batch)


@pytest.mark.parametrize(
    ("rejected", "message"),
    [
        (None, "gave 0 rejected answers to 2 samples, and needs_pairs is True"),
        (["no"], "gave 1 rejected answers to 2 samples"),
        (["no", " "], "rejects str .* for sample '1', whose answer is 'yes'"),
        (["yes", "no"], "rejects str 'yes' for sample '0', whose answer is 'yes'"),
        (["no", 1], "rejects int 1"),
    ],
)
def test_pairs_are_answers_that_are_not_taught(
    monkeypatch: pytest.MonkeyPatch, rejected: Any, message: str
) -> None:
    monkeypatch.setattr(Odd, "needs_pairs", True)
    with pytest.raises(PluginError, match=message):
        epoch(monkeypatch, lambda: Epoch([0, 1], rejected=rejected))


def test_pairs_nobody_asked_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PluginError, match=r"gave 1 rejected answers .* needs_pairs is False"):
        epoch(monkeypatch, lambda: Epoch([0], rejected=["no"]))


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, float("nan")]])
def test_token_weights_are_one_for_each_token(
    monkeypatch: pytest.MonkeyPatch, weights: list[float]
) -> None:
    monkeypatch.setattr(Odd, "token_weights", lambda *_: weights, raising=False)
    recipe = Guarded(DESCRIPTOR, {})
    assert recipe.weighs_tokens
    with pytest.raises(PluginError, match="gave sample '1' the token weights"):
        recipe.token_weights(Example("1", "t", "yes"), ["yes", ""])


def test_what_is_no_recipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness_training.guard.load_target", lambda _: lambda _: object())
    with pytest.raises(PluginError, match=r"not a harness\.training\.Recipe"):
        Guarded(DESCRIPTOR, {})
