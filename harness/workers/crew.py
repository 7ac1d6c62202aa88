"""The workers of a run as the coordinator knows them: what each does, and since when."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from statistics import median

from harness.descriptors import Json
from harness.errors import UserError
from harness.workers.queue import Item

SLOWEST = 20.0
"""A worker is lost when a block takes this many times as long as is usual for its samples."""
STRAGGLES = 1.0
"""A block is asked of an idle worker too when it takes this many times as long as is usual.

Asked sooner, answers that differ by rounding would meet more often; later, 64 workers wait longer.
"""
_SHORTEST = 1.0  # seconds
LEAST = 120.0
"""Seconds that a block may take in any case."""
UNKNOWN = 3600.0
"""Seconds that a block may take while no block of its evaluation was answered."""
FAILED_STARTS = 5
"""Workers in a row that may end before they have begun to answer."""
_KEPT = 64  # times of an evaluation's last blocks

_NODES_RETURN = 60.0  # seconds; a node that dies fails every start until its cluster has noticed


@dataclass(slots=True)
class Starts:
    """Workers that ended before they had begun to answer, one after the other."""

    _failed: int = 0
    _since: float = 0.0
    _was_ready: bool = False

    def ready(self) -> None:
        """Take note that a worker is ready."""
        self._failed, self._was_ready = 0, True

    def failed(self) -> bool:
        """Take note of one that ended; return whether it is no use to start another."""
        now = time.monotonic()
        self._since = self._since if self._failed else now
        self._failed += 1
        patient = self._was_ready and now - self._since < _NODES_RETURN
        return self._failed >= FAILED_STARTS and not patient


def none_takes_part(executor: str, reason: str) -> UserError:
    """Return the error of a run whose last worker was refused."""
    return UserError(
        f"no worker could join the run; the last one said: {reason}",
        where=f"--on {executor}",
        fix="give workers the same data, packages and devices as this process",
    )


def none_starts(executor: str, before: str, reason: str) -> UserError:
    """Return the error of a run whose workers end, one after the other, before they answer."""
    return UserError(
        f"{FAILED_STARTS} workers in a row ended before they {before}; the last one said: {reason}",
        where=f"--on {executor}",
        fix="use fewer workers if memory is short; run without --on to see the model's own error",
    )


@dataclass(slots=True)
class Member:
    """A worker that takes part.

    Attributes:
        device: Type of its device.
        is_ready: Whether it has loaded the model.
        item: What it is asked now.
        reserved: What it will be asked next, and opens images of.
        since: When it was asked, by a clock that cannot be set.
        busy: Seconds that its answers took.
        keeps: Whether it journals what it answers by itself.
    """

    device: str
    joined: float
    is_ready: bool = False
    item: Item | None = None
    reserved: Item | None = None
    since: float = 0.0
    busy: float = 0.0
    ready_at: float | None = None
    left_at: float | None = None
    keeps: bool = False


@dataclass(slots=True)
class Crew:
    """All workers of a run.

    Attributes:
        members: Those that take part, by name.
        lost: How many were lost.
    """

    members: dict[str, Member] = field(default_factory=dict)
    lost: int = 0
    _left: list[Member] = field(default_factory=list)
    _seconds: dict[int, list[float]] = field(default_factory=dict)

    def join(self, name: str, terms: Mapping[str, Json]) -> None:
        """Add a worker that may take part."""
        self.members[name] = Member(str(terms.get("device type")), time.monotonic())

    def leave(self, name: str) -> Member | None:
        """Remove a worker that is gone; return what it was."""
        member = self.members.pop(name, None)
        if member is not None:
            member.left_at = time.monotonic()
            self._left.append(member)
        return member

    def idle(self) -> Iterator[tuple[str, Member]]:
        """Yield the workers that are asked nothing."""
        yield from [(name, one) for name, one in self.members.items() if one.item is None]

    def steal(self) -> Item | None:
        """Return what a busy worker would be asked next, and take it from it."""
        for member in self.members.values():
            if member.reserved is not None and member.item is not None:
                item, member.reserved = member.reserved, None
                return item
        return None

    def straggler(
        self, samples: Callable[[Item], int], is_out: Callable[[Item], bool]
    ) -> Item | None:
        """Return a block that takes long and that one worker alone answers; the longest first.

        Args:
            samples: Number of samples of a block.
            is_out: Whether nobody has answered it yet.
        """
        now, late = time.monotonic(), list[tuple[float, Item]]()
        members_of = Counter(member.item for member in self.members.values())
        for member in self.members.values():
            item = member.item
            if (
                item is None
                or item.checks
                or members_of[item] > 1
                or member.keeps
                or not is_out(item)
            ):
                continue
            if times := self._seconds.get(item.evaluation):
                usual = median(times) * samples(item)
                if now - member.since > max(STRAGGLES * usual, _SHORTEST):
                    late.append((member.since, item))
        return min(late, key=itemgetter(0))[1] if late else None

    def is_asked(self, item: Item) -> bool:
        """Whether a worker is asked a block now."""
        return any(member.item == item for member in self.members.values())

    def done(self, member: Member, seconds: float, samples: int) -> None:
        """Note that a worker has answered what it was asked."""
        assert member.item is not None
        times = self._seconds.setdefault(member.item.evaluation, [])
        times.append(seconds / max(1, samples))
        del times[:-_KEPT]
        member.busy += seconds
        member.item = None

    def hung(self, samples: Mapping[Item, int], speed: Mapping[int, float]) -> Iterator[str]:
        """Yield the workers that take far longer than is usual for what they were asked.

        Args:
            samples: Number of samples of what each worker is asked.
            speed: Samples a second of an evaluation, as an earlier run had them.
        """
        now = time.monotonic()
        for name, member in list(self.members.items()):
            item = member.item
            if item is None:
                continue
            times = self._seconds.get(item.evaluation)
            each = median(times) if times else 0.0
            if not times and speed.get(item.evaluation):
                each = 1 / speed[item.evaluation]
            allowed = max(LEAST, SLOWEST * each * samples[item]) if each else UNKNOWN
            if now - member.since > allowed:
                yield name

    def summary(self, executor: str, most: int) -> dict[str, Json]:
        """Return what ``timings.json`` says of workers.

        Args:
            executor: Id of the executor.
            most: Workers that took part at once, at most.
        """
        now = time.monotonic()
        everyone = [*self.members.values(), *self._left]
        ready = [member for member in everyone if member.ready_at is not None]
        present = sum((member.left_at or now) - (member.ready_at or now) for member in ready)
        busy = sum(
            member.busy
            + (now - member.since if member.item is not None and member.left_at is None else 0.0)
            for member in ready
        )
        devices: dict[str, Json] = dict(Counter(member.device for member in everyone))
        return {
            "executor": executor,
            "workers": most,
            "devices": devices,
            "lost": self.lost,
            "idle_share": round(max(0.0, 1 - busy / present), 4) if present > 0 else None,
        }
