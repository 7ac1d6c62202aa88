"""VQA accuracy: agreement with people, against the definition read word by word."""

from __future__ import annotations

import pytest
from harness_benchmarks.metrics.vqa import TextVqaAccuracy, VqaAccuracy, agreement
from harness_benchmarks.metrics.vqa_text import normalised, stripped
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError, UserError
from harness.metrics import ScoredSample

words = st.sampled_from(["a", "b", "c", "two", "2"])


def sample(answer: object, target: object) -> ScoredSample:
    return ScoredSample("s", "c", target, answer)  # type: ignore[arg-type]


@given(words, st.lists(words, min_size=1, max_size=12))
def test_agreement_is_the_mean_over_the_references_left_out(
    answer: str, references: list[str]
) -> None:
    scores = []
    for left in range(len(references)):
        others = [reference for index, reference in enumerate(references) if index != left]
        scores.append(min(1.0, others.count(answer) / 3))
    assert agreement(answer, references) == pytest.approx(sum(scores) / len(scores), abs=1e-12)


def test_ten_references_give_five_values() -> None:
    scores = [agreement("a", ["a"] * n + ["b"] * (10 - n)) for n in range(11)]
    assert scores == pytest.approx([0, 0.3, 0.6, 0.9, *[1] * 7])


def test_equal_references_are_compared_as_written_by_default() -> None:
    requested = sample("Yes", ["yes"] * 10)
    assert VqaAccuracy({}, ()).score(requested) == 0
    assert VqaAccuracy({"unanimous": "normalised"}, ()).score(requested) == 1
    assert VqaAccuracy({}, ()).score(sample("Yes", ["yes"] * 9 + ["yes."])) == 1
    with pytest.raises(UserError, match="unknown value 'never'"):
        VqaAccuracy({"unanimous": "never"}, ())


@pytest.mark.parametrize("metric", [VqaAccuracy({}, ()), TextVqaAccuracy({}, ())])
def test_an_unparsed_answer_scores_nothing_and_counts(metric: VqaAccuracy) -> None:
    assert metric.statistics(sample(None, ["the"] * 10)) == {0: 0.0, 1: 1.0}
    for target in ("yes", [], ["yes", 1], None):
        with pytest.raises(DataError, match="not a list of answers"):
            metric.statistics(sample("yes", target))


def test_the_two_metrics_read_texts_differently() -> None:
    requested = sample("the dog's", ["dog 's"] * 5 + ["cat"] * 5)
    assert VqaAccuracy({}, ()).score(requested) == 0
    assert TextVqaAccuracy({}, ()).score(requested) == 1


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("The Kite.", "kite"),
        ("red/white", "red white"),
        ("red / white-blue", "red white blue"),
        ("red- white-blue", "red whiteblue"),
        ("1,000 - $5", "1000 $5"),
        ("3. 2..5 .5", "3 2.5 .5"),
        ("none of two", "0 of 2"),
        ("dont somebody'd", "don't somebodyd"),
        ("lets its", "lets its"),
        ("the", ""),
        ("." * 33, "."),
    ],
)
def test_quirks_of_the_official_reading(text: str, compared: str) -> None:
    assert normalised(stripped(text)) == compared
