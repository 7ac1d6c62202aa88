"""What reviewers decided, counted: by reviewer, by value of each column, and set by set."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.stats.intervals import wilson

from harness_review.agreement import Agreement, Outcome, Rule, agreement, outcome
from harness_review.decisions import Decision, Plan, Reviewed, by_set
from harness_review.sets import Material

_FEW = 40  # values of a column at most that are reported
OUTCOMES: tuple[Outcome, ...] = ("kept", "dropped", "tied", "open")


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """A set, what becomes of it, and who said what."""

    set: str
    outcome: Outcome
    decisions: Mapping[str, Decision]


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many of the decided sets with one value of a column were dropped.

    Attributes:
        low: Lower end of the Wilson interval at 95 %.
        high: Upper end.
        stands_out: Whether the interval lies above the share of all other sets' interval.
    """

    column: str
    value: str
    decided: int
    dropped: int
    low: float
    high: float
    stands_out: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a review.

    Attributes:
        sets: In the order of the data.
        reviewers: By name: counts of verdicts and of reasons, and decisions taken back.
        values: By column and value.
        plans: How sets were dealt in each reviewer's last session.
    """

    rule: Rule
    sets: Sequence[SetOutcome]
    reviewers: Mapping[str, Counter[str]]
    reasons: Counter[str]
    values: Sequence[Dropped]
    agreement: Agreement
    plans: Mapping[str, Plan]

    def counts(self) -> Counter[str]:
        """Return how many sets have each outcome."""
        return Counter(each.outcome for each in self.sets)


def report_of(
    material: Material,
    reviews: Sequence[Reviewed],
    stale: Mapping[str, Iterable[Decision]],
    rule: Rule,
) -> Report:
    """Count what reviewers decided.

    Args:
        material: All sets.
        reviews: Their files.
        stale: By reviewer, decisions that do not count: the images have changed since.
        rule: What keeps a set; see :func:`harness_review.agreement.outcome`.
    """
    ignored = {(who, each.set) for who, decisions in stale.items() for each in decisions}
    decided = {
        name: {who: each for who, each in votes.items() if (who, name) not in ignored}
        for name, votes in by_set(reviews).items()
    }
    sets = [
        SetOutcome(group.id, outcome([*decided.get(group.id, {}).values()], rule),
                   decided.get(group.id, {}))
        for group in material.sets
    ]  # fmt: skip
    reviewers: dict[str, Counter[str]] = {
        review.reviewer: Counter({"undone": review.undone}) for review in reviews
    }
    reasons: Counter[str] = Counter()
    for each in sets:
        for who, decision in each.decisions.items():
            reviewers[who][decision.verdict] += 1
            reasons.update(decision.reasons or (["(a note alone)"] if decision.note else []))
    plans = {review.reviewer: review.plan for review in reviews if review.plan is not None}
    return Report(rule, sets, reviewers, reasons, [*_values(material, sets)],
                  agreement(decided.values()), plans)  # fmt: skip


def _values(material: Material, sets: Sequence[SetOutcome]) -> Iterator[Dropped]:
    """Yield each value that all images of a set share, of columns with a few of them."""
    settled = {each.set: each.outcome for each in sets if each.outcome in {"kept", "dropped"}}
    common = {group.id: group.common() for group in material.sets}
    for column in material.columns.show:
        counts: dict[str, Counter[Outcome]] = {}
        distinct = {fields[column] for fields in common.values() if column in fields}
        if not 2 <= len(distinct) <= _FEW:
            continue
        for name, result in settled.items():
            if column in common[name]:
                counts.setdefault(common[name][column], Counter())[result] += 1
        everything = sum(counts.values(), Counter[Outcome]())
        for value, count in sorted(counts.items()):
            n, dropped = count.total(), count["dropped"]
            interval = wilson(dropped, n)
            others = wilson(everything["dropped"] - dropped, everything.total() - n)
            assert interval is not None
            yield Dropped(column, value, n, dropped, interval.low, interval.high,
                          others is not None and interval.low > others.high)  # fmt: skip


def outcomes_csv(report: Report) -> str:
    """Return one row per set: its outcome, counts of verdicts, reasons and notes."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("set", "outcome", "yes", "no", "skip", "reviewers", "reasons", "notes"))
    for each in report.sets:
        verdicts = Counter(decision.verdict for decision in each.decisions.values())
        reasons = sorted({one for decision in each.decisions.values() for one in decision.reasons})
        notes = [decision.note for decision in each.decisions.values() if decision.note]
        rows.writerow(
            (each.set, each.outcome, *(verdicts[verdict] for verdict in ("yes", "no", "skip")),
             " ".join(sorted(each.decisions)), "; ".join(reasons), " | ".join(notes))
        )  # fmt: skip
    return text.getvalue()
