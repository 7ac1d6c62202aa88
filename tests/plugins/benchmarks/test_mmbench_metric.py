"""Circular accuracy: a question counts when every round is right; weights are questions'."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from harness_benchmarks.metrics.mmbench import (
    ALIKE,
    FEWER,
    NO_FIRST,
    ONE_LETTER,
    UNEVEN,
    UNSCORED,
    CircularAccuracy,
    VanillaAccuracy,
)
from hypothesis import given
from hypothesis import strategies as st

from harness.descriptors import Json
from harness.errors import DataError
from harness.metrics import ScoredSample


def question(name: str, *right: bool, rounds: int | None = None) -> list[ScoredSample]:
    return [
        ScoredSample(f"{name}/{turn}", name, letter, letter if is_right else None,
                     fields={"round": turn, "rounds": rounds or len(right)})
        for turn, (letter, is_right) in enumerate(zip("ABCDEFGH", right, strict=False))
    ]  # fmt: skip


def circular(samples: list[ScoredSample], weights: list[float] | None = None) -> float:
    metric = CircularAccuracy({}, ())
    array = np.array([weights or [1.0] * len(samples)])
    return float(metric.value(metric.prepare(samples), array)[0])


def vanilla(samples: list[ScoredSample]) -> float:
    totals = np.zeros(2)
    for sample in samples:
        for position, value in VanillaAccuracy({}, ()).statistics(sample).items():
            totals[position] += value
    return float(VanillaAccuracy({}, ()).finalize(totals))


def test_one_wrong_round_loses_the_question() -> None:
    samples = question("1", True, True, True) + question("2", True, False)
    assert circular(samples) == 0.5
    assert vanilla(samples) == 1.0


def test_a_question_with_a_round_missing_is_not_counted() -> None:
    samples = question("1", True, rounds=2) + question("2", False, False)
    assert circular(samples) == 0.0
    assert np.isnan(circular(question("1", True, rounds=2)))


def told(samples: list[ScoredSample]) -> dict[str, int]:
    return dict(CircularAccuracy({}, ()).notes(samples))


def test_a_file_with_fewer_rounds_than_options_is_not_circular() -> None:
    options: dict[str, Json] = {"A": "cat", "B": "dog", "C": "", "E": "fly"}
    first = [replace(item, fields={**item.fields, **options}) for item in question("1", True)]
    assert np.isnan(circular(first))
    assert told(first) == {FEWER: 1}
    full = [replace(item, fields={**item.fields, **options}, target=letter, answer=letter)
             for item, letter in zip(question("2", *[True] * 3), "ABE", strict=True)]  # fmt: skip
    assert circular(first + full) == 1.0
    assert told(first + full[:2]) == {FEWER: 1, UNSCORED: 1}


def test_rounds_that_do_not_move_the_right_letter_are_told() -> None:
    one_letter = [replace(item, target="A", answer="A") for item in question("1", True, True)]
    assert np.isnan(circular(one_letter))  # whoever always says A would be right
    assert told(one_letter) == {ONE_LETTER: 1}
    twice = question("2", True, True, True)
    twice[2] = replace(twice[2], target="A", answer="A")
    assert told(twice) == {ALIKE: 1}
    assert circular(one_letter + twice) == 1.0


def test_rounds_of_other_options_and_questions_without_a_first_round_are_told() -> None:
    uneven = question("1", True, True)
    uneven[1] = replace(uneven[1], fields={**uneven[1].fields, "A": "cat", "B": "dog", "C": "cow"})
    assert told(uneven) == {UNEVEN: 1}
    later = [replace(item, fields={**item.fields, "round": 1 + number})
             for number, item in enumerate(question("2", True, True))]  # fmt: skip
    assert told(later) == {NO_FIRST: 1}
    assert (circular(later), np.isnan(vanilla(later))) == (1.0, True)
    assert told(question("3", True, True)[1:]) == {UNSCORED: 1}  # an error is not the file's fault


def test_the_vanilla_value_is_of_first_rounds() -> None:
    samples = question("1", False, True) + question("2", True, False)
    assert vanilla(samples) == 0.5
    assert np.isnan(vanilla(samples[1:2]))


@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_weights_repeat_whole_questions(rounds: list[list[bool]], rng: object) -> None:
    drawn = [rng.randrange(4) for _ in rounds]  # type: ignore[attr-defined]
    samples = [
        sample for number, right in enumerate(rounds) for sample in question(str(number), *right)
    ]
    rng.shuffle(samples)  # type: ignore[attr-defined]
    weights = [float(drawn[int(sample.cluster)]) for sample in samples]
    repeated = [all(right) for right, times in zip(rounds, drawn, strict=True)
                for _ in range(times)]  # fmt: skip
    if repeated:
        assert circular(samples, weights) == pytest.approx(np.mean(repeated))
    else:
        assert np.isnan(circular(samples, weights))


def test_samples_without_rounds_are_refused() -> None:
    (sample,) = question("1", True)
    bare = ScoredSample(sample.id, sample.cluster, sample.target, sample.answer)
    with pytest.raises(DataError, match="with data"):
        circular([bare])
    with pytest.raises(DataError, match="the field 'round'"):
        VanillaAccuracy({}, ()).statistics(bare)
