"""What each filter drops, by concept and by attribute: does it drop one group more than others?

The unit is the set, since images of a set stand and fall together: of a value the share is that of
the sets in which the filter calls an image with that value not fit. A value stands out when its
Wilson interval lies above the interval of all other values of the same attribute together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from harness.stats.intervals import wilson

from harness_counterfactuals.contract import Score
from harness_counterfactuals.manifest import Row

if TYPE_CHECKING:
    from harness.descriptors import Json

CONCEPT, GROUP = "concept", "group"


@dataclass(frozen=True, slots=True)
class Drops:
    """What a filter drops of one value.

    Attributes:
        filter: Its id; ``human`` for reviewers.
        part: ``concept``, ``group`` or an attribute; empty for all sets.
        sets: Sets with an image of this value that the filter scored.
        dropped: Those in which it calls one not fit.
        low: Lower end of the Wilson interval at 95 %.
        high: Upper end.
        stands_out: Whether the interval lies above that of all other values together.
    """

    filter: str
    part: str
    value: str
    sets: int
    dropped: int
    low: float
    high: float
    stands_out: bool

    def to_json(self) -> dict[str, Json]:
        """Return it as plain data."""
        return dict(asdict(self))

    def line(self) -> str:
        """Return one line for people."""
        of = f"{self.part} {self.value}" if self.part else "all sets"
        return (
            f"{self.filter} finds unfit images in {self.dropped:,} of {self.sets:,} sets ({of}): "
            f"{100 * self.dropped / self.sets:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"
        )


def drops_of(rows: Sequence[Row], scores: Mapping[str, Mapping[str, Score]]) -> list[Drops]:
    """Return what each filter drops: of all sets, then by concept, group and attribute.

    Args:
        rows: All rows of the folder.
        scores: Filter to file to score (:meth:`SetFolder.scores`).
    """
    report: list[Drops] = []
    for name, by_file in scores.items():
        scored = [(row, bool(by_file[row.file].drops)) for row in rows if row.file in by_file]
        report += _counted(name, "", scored, lambda _: "")
        parts = [CONCEPT, GROUP, *(rows[0].attributes if rows else ())]
        for part in parts:
            report += _counted(name, part, scored, lambda row, part=part: _value(row, part))
    return report


def _value(row: Row, part: str) -> str:
    return {CONCEPT: row.concept, GROUP: row.group}.get(part) or row.attributes[part]


def _counted(
    name: str, part: str, scored: Iterable[tuple[Row, bool]], value_of: object
) -> Iterator[Drops]:
    assert callable(value_of)
    dropped: dict[str, dict[str, bool]] = defaultdict(dict)
    for row, drops in scored:
        sets = dropped[value_of(row)]
        sets[row.set] = sets.get(row.set, False) or drops
    if part and len(dropped) < 2:
        return  # there is nobody to compare with
    for value, sets in sorted(dropped.items()):
        count = sum(sets.values())
        interval = wilson(count, len(sets))
        assert interval is not None
        others = [one for other, each in dropped.items() if other != value for one in each.values()]
        beside = wilson(sum(others), len(others))
        stands_out = beside is not None and interval.low > beside.high
        yield Drops(name, part, value, len(sets), count, interval.low, interval.high, stands_out)


def print_drops(report: Sequence[Drops]) -> None:
    """Print what each filter drops, and in red each group that it drops more."""
    import click

    for each in report:
        if not each.part:
            click.echo(each.line())
    for each in report:
        if each.stands_out:
            line = f"{each.line()}, more than the other values of {each.part}"
            click.secho(line, fg="red", bold=True)
