"""Each check passes a model that keeps its promise and catches one that does not."""

from __future__ import annotations

import pytest
from harness_authoring.contract import ContractError, NotApplicableError
from harness_authoring.models.candidate import Candidate
from harness_authoring.models.checks import CHECKS

from harness.errors import UserError
from harness.models import Runtime
from harness.testing import ModelConformance
from tests.plugins.authoring import models

BY_NAME = {check.name: check for check in CHECKS}


class TestGood(ModelConformance):
    model = models.describe(models.Good)
    changes = {"scale": 2}


@pytest.mark.parametrize(
    ("kind", "check", "message"),
    [
        (models.Claims, "capabilities", "answers 'embed' with Vectors"),
        (models.Refuses, "capabilities", "claims to answer"),
        (models.Forgets, "capabilities", "8 responses|17 responses"),
        (models.Positive, "scores", "above 0"),
        (models.NotANumber, "scores", "not finite"),
        (models.WrongBytes, "scores", "the options have"),
        (models.ByPlace, "option_order", "in another order: scores differ"),
        (models.ByNeighbour, "padding", "scores differ"),
        (models.ByNeighbour, "batch_invariance", "alone: scores differ"),
        (models.ByBatchSize, "deterministic_mode", "at batch size 3: scores differ"),
        (models.Raises, "unanswerable", "raised IndexError: no picture"),
        (models.ScoresNothing, "unanswerable", "an option without text"),
        (models.Random, "determinism", "asked again: scores differ"),
        (models.Blind, "images", "four different images"),
        (models.Unpickles, "no_pickle", "loading unpickles"),
        (models.OtherEachTime, "identity", "identity changes"),
        (models.NotPlain, "identity", "not plain data"),
        (models.NamesFolder, "identity", "holds the folder given as 'path'"),
        (models.SameForAll, "fingerprint", "scale=2 does not change"),
        (models.SpeedMatters, "fingerprint", "speed=2 changes the fingerprint"),
    ],
)
def test_a_broken_promise_is_caught(kind: type[models.Good], check: str, message: str) -> None:
    candidate = Candidate(models.describe(kind), changes={"scale": 2})
    with pytest.raises(ContractError, match=message):
        BY_NAME[check].run(candidate)


def test_options_that_were_only_guessed_fail_nothing() -> None:
    with pytest.raises(NotApplicableError, match="nothing tried changes"):
        BY_NAME["fingerprint"].run(Candidate(models.describe(models.SameForAll)))


def test_an_option_to_change_must_be_there() -> None:
    with pytest.raises(UserError, match="unknown option of model 'under-check' 'scael'"):
        Candidate(models.describe(models.Good), changes={"scael": 2})


def test_a_change_must_be_one() -> None:
    with pytest.raises(UserError, match="'scale' of model 'under-check' has this value already"):
        Candidate(models.describe(models.Good), changes={"scale": "1"})


def test_sixteen_bits_are_given_more_room_than_float32() -> None:
    descriptor = models.describe(models.Good)
    exact = Candidate(descriptor).tolerance
    rough = Candidate(descriptor, runtime=Runtime(device="cpu", dtype="bfloat16")).tolerance
    assert exact == 1e-4
    assert rough > exact


def test_baselines_that_need_a_task_are_refused() -> None:
    with pytest.raises(UserError, match="'majority' needs a task's labels"):
        Candidate("majority")


def test_weights_that_stay_after_close_are_told() -> None:
    torch = pytest.importorskip("torch")

    class Keeps(models.Good):
        held: list[object] = []

        def load(self, runtime: Runtime) -> object:
            Keeps.held.append(torch.nn.Linear(4, 4))
            return super().load(runtime)

    models.Keeps = Keeps  # type: ignore[attr-defined]
    Keeps.__module__ = models.__name__
    try:
        with pytest.raises(ContractError, match="80 bytes of weights of 80 stay"):
            BY_NAME["close"].run(Candidate(models.describe(Keeps)))
    finally:
        del models.Keeps  # type: ignore[attr-defined]
