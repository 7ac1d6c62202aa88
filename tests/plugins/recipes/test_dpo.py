"""DPO: the formula by hand on a toy, and which images teach one preference."""

from __future__ import annotations

import math
from random import Random

import pytest

from harness.errors import UserError
from harness.training import Answers, Batch, Example
from tests.made import recipe


def person(number: int, race: str, gender: str, **more: str) -> Example:
    answer, cluster = more.get("answer", "a nurse"), more.get("cluster", "set 1")
    groups = {"race": race, "gender": gender}
    return Example(f"{number}", "scounter", answer, {"concept": answer}, groups, cluster=cluster)


POOL = [
    person(0, "Black", "female"),
    person(1, "Black", "male"),
    person(2, "White", "male"),
    person(3, "Indian", "female"),
    person(4, "Black", "female", answer="a chef", cluster="set 2"),
    person(5, "Black", "male", answer="a chef", cluster="set 2"),
    person(6, "White", "male", answer="a pilot", cluster="set 3"),
]


def no_skew() -> dict[tuple[str, str, str], float]:
    raise AssertionError("it does not measure")


def test_pairs_differ_in_one_trait_and_teach_one_preference() -> None:
    dpo = recipe("dpo")
    (note,) = dpo.check(POOL)
    assert note == (
        "pairs=one_trait: 2 pairs that differ in one trait, of 4 samples; "
        "3 samples without a partner are left out"
    )
    epoch = dpo.epoch(0, POOL, no_skew, Random(0))
    assert epoch.rejected is not None
    pairs = list(zip(epoch.order[::2], epoch.order[1::2], strict=True))
    assert sorted(pairs) == [(0, 1), (4, 5)]
    assert epoch.figures == {"groups": 2, "unpaired": 3}
    for at in (0, 2):
        assert epoch.rejected[at] == epoch.rejected[at + 1] != POOL[epoch.order[at]].answer
    again = dpo.epoch(0, POOL, no_skew, Random(0))
    assert (again.order, again.rejected) == (epoch.order, epoch.rejected)


def test_whole_sets_and_single_samples_are_options() -> None:
    epoch = recipe("dpo", pairs="set").epoch(0, POOL, no_skew, Random(0))
    assert sorted(epoch.order) == [0, 1, 2, 3, 4, 5]
    alone = recipe("dpo", pairs="none")
    assert (alone.needs_fields, alone.needs_groups) == ((), False)
    assert sorted(alone.epoch(0, POOL, no_skew, Random(0)).order) == list(range(7))


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (POOL[:2], "every sample of 'scounter' has the answer 'a nurse'"),
        ([POOL[0], POOL[2], POOL[6]], "no two samples are a counterfactual pair"),
    ],
)
def test_data_without_pairs_are_refused(pool: list[Example], message: str) -> None:
    with pytest.raises(UserError, match=message):
        recipe("dpo").check(pool)


def test_beta_is_above_zero() -> None:
    with pytest.raises(UserError, match="0 is not above 0"):
        recipe("dpo", beta=0)


@pytest.mark.torch
def test_the_loss_is_the_paper_s_formula() -> None:
    import torch

    def answers(*rows: list[float]) -> Answers:
        values = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        return Answers(values, torch.tensor([[1.0, 1.0], [1.0, 0.0]]))

    taught, rejected = answers([-1.0, -0.5], [-0.2, -9.0]), answers([-2.0, -0.1], [-0.7, -9.0])
    before, before_rejected = answers([-1.5, -0.5], [-0.4, -9.0]), answers([-1.0, -0.3], [-0.6, 0])
    batch = Batch(torch.tensor([1.0, 0.5]), taught, rejected, before, before_rejected)
    loss = recipe("dpo", beta=0.3).batch_loss(batch)
    # By hand: log-ratios 0.5 and -0.8 of the first sample, 0.2 and -0.1 of the second.
    margins = [0.3 * (0.5 + 0.8), 0.3 * (0.2 + 0.1)]
    each = [math.log1p(math.exp(-margin)) for margin in margins]
    assert loss.item() == pytest.approx((each[0] + 0.5 * each[1]) / 2)
    gradient = torch.autograd.grad(loss, taught.logprobs)[0]
    slope = -0.3 / (1 + math.exp(margins[0])) / 2
    assert gradient[0].tolist() == pytest.approx([slope, slope])
    assert gradient[1, 1] == 0  # no token there
