from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from harness.engine.contrastive import contrasted, logit_gap
from harness.requests import Contrast

pytestmark = pytest.mark.torch

# Probabilities .5 .3 .16 .04 with the picture, .7 .1 .1 .1 without.
OWN = torch.tensor([[0.5, 0.3, 0.16, 0.04]]).log()
FREE = torch.tensor([[0.7, 0.1, 0.1, 0.1]]).log()


def settled(alpha: float, cutoff: float) -> list[float]:
    result = contrasted(OWN, FREE, torch.tensor([[alpha]]), torch.tensor([[cutoff]]))
    return result.softmax(-1)[0].tolist()


def test_contrast_by_hand() -> None:
    # p^2 / q: .25/.7 = .3571, .09/.1 = .9, .0256/.1 = .256, .0016/.1 = .016; sum 1.5291.
    assert settled(1.0, 0.0) == pytest.approx([0.23355, 0.58857, 0.16742, 0.01046], abs=1e-4)
    # .04 is less than a tenth of .5, .16 is not: sum 1.5131.
    assert settled(1.0, 0.1) == pytest.approx([0.23602, 0.59479, 0.16918, 0.0], abs=1e-4)
    assert settled(0.0, 0.0) == pytest.approx([0.5, 0.3, 0.16, 0.04])
    assert settled(3.0, 1.0) == [1.0, 0.0, 0.0, 0.0]


def test_an_impossible_token_stays_impossible() -> None:
    expected = torch.tensor([[0.0, -math.inf]])
    result = contrasted(expected, expected, torch.tensor([[1.0]]), torch.tensor([[0.0]]))
    assert result.tolist() == [[0.0, -math.inf]]


@pytest.mark.parametrize(
    ("token", "slack", "lost"),
    [
        (1, 0.01, 0.0),
        (0, 0.01, math.log(0.9 / (0.25 / 0.7))),
        (3, 0.01, math.inf),  # not plausible
        (3, 0.5, math.log(0.9 / 0.016)),  # it might be, if logits may be off by so much
    ],
)
def test_how_far_a_token_is_behind(token: int, slack: float, lost: float) -> None:
    result = logit_gap(OWN, FREE, torch.tensor([token]), Contrast(1.0, 0.1), slack)
    assert result.tolist() == [pytest.approx(lost, abs=1e-4)]


@pytest.mark.parametrize("arguments", [(-1.0, 0.0), (math.nan, 0.0), (1.0, 1.5), (1.0, math.nan)])
def test_a_contrast_that_is_none_is_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"alpha|cutoff"):
        Contrast(*arguments)
