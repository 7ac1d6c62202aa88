"""Which of several endpoints takes a request, and how many requests each has under way."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import sub
from statistics import median
from typing import NamedTuple

_RESTS = 30.0  # seconds that an endpoint which cannot be reached is asked nothing, if others are
_FIRST_REST = 0.5  # after another error; doubles with each error in a row
_MOST_FAILURES = 3  # in a row; then the user gets a message
_MORE = 1.05  # requests a second that must have grown for a larger number to be kept
_SLOWER = 2.0  # times the latency of the number that was kept


class Pace:
    """How many requests an endpoint has under way: more as long as more are answered a second.

    After each window of answers the number grows by half while the rate rises; where it does not,
    the number that served best is kept. An error halves it; latency that doubles takes a quarter.

    Args:
        start: Requests under way at first.
        most: At most; no more than ``start`` leaves the number as it is.

    Attributes:
        limit: Requests under way now, at most.
        largest: The largest that this number was.
    """

    def __init__(self, start: int, most: int) -> None:
        self.limit, self._most, self._is_fixed = start, most, most <= start
        self.largest = start
        self._best = (0.0, start, 0.0)  # answers a second, the number, seconds for one
        self._grows = True
        self._seconds: list[float] = []
        self._ignored = 0  # answers that were asked at another number

    def done(self, seconds: float, *, failed: bool) -> None:
        """Take note of a request that ended.

        Args:
            seconds: That it took.
            failed: Whether the endpoint was the reason that it gave no answer.
        """
        if self._is_fixed:
            return
        if self._ignored:
            self._ignored -= 1
        elif failed:
            self._best, self._grows = (0.0, 1, 0.0), True
            self._change(self.limit // 2)
        else:
            self._seconds.append(seconds)
            if len(self._seconds) >= self.limit:
                self._look(median(self._seconds))

    @property
    def spread(self) -> str:
        """What to say of a number that may change; empty for one that may not."""
        return "" if self._is_fixed else f"; {self.limit} at once, {self.largest} at most"

    def _look(self, seconds: float) -> None:
        self._seconds.clear()
        rate = self.limit / max(seconds, 1e-6)
        best, number, usual = self._best
        if self._grows and rate > _MORE * best:
            self._best = rate, self.limit, seconds
            self._change(self.limit + max(1, self.limit // 2))
        elif self._grows:
            self._grows = False
            self._change(number)
        elif seconds > _SLOWER * usual:
            self._best = rate, self.limit, seconds
            self._change(self.limit * 3 // 4)

    def _change(self, limit: int) -> None:
        limit = min(self._most, max(1, limit))
        if limit != self.limit:
            self.limit, self._ignored = limit, self.limit
            self.largest = max(self.largest, limit)
            self._seconds.clear()


@dataclass(slots=True, eq=False)
class Server:
    """One endpoint.

    Attributes:
        url: Without a slash at its end.
        outstanding: Requests under way.
        answered: Requests that it answered.
        failed: Requests that it did not.
        not_before: When it may be asked again, as it said itself, by a clock that cannot be set.
        rests_until: The same, after an error of its own; 0 when the last request had none.
        failures: Such errors in a row.
        is_down: Whether the user knows that others take its work.
        downs: How often the user got this message.
        written: Requests answered and failed, and ``downs``, when counts were last taken.
        models: Names that it lists; empty for no list.
    """

    url: str
    pace: Pace
    outstanding: int = 0
    answered: int = 0
    failed: int = 0
    not_before: float = 0.0
    rests_until: float = 0.0
    failures: int = 0
    is_down: bool = False
    downs: int = 0
    written: tuple[int, int, int] = (0, 0, 0)
    models: frozenset[str] = frozenset()

    @property
    def load(self) -> float:
        """Requests under way over what it takes."""
        return self.outstanding / self.pace.limit


class Counts(NamedTuple):
    """What an endpoint did for an evaluation.

    Attributes:
        answered: Requests that it answered.
        failed: Requests that it did not.
        times_down: How often others took its work.
        at_once: Requests that it had under way in the end, at most.
        most_at_once: The largest that this number was.
    """

    answered: int
    failed: int
    times_down: int
    at_once: int
    most_at_once: int

    def joined(self, later: Counts) -> Counts:
        """Return these and those of a later connection to the same endpoint."""
        return Counts(
            self.answered + later.answered,
            self.failed + later.failed,
            self.times_down + later.times_down,
            later.at_once,
            max(self.most_at_once, later.most_at_once),
        )


class Pool:
    """Endpoints that serve one model.

    Args:
        urls: Address of each.
        concurrency: Requests that each has under way.
        most: To which that may grow.

    Attributes:
        servers: The endpoints.
        is_closed: Whether nothing more is asked of them.
    """

    def __init__(self, urls: Sequence[str], concurrency: int, most: int) -> None:
        self.servers = [Server(url, Pace(concurrency, most)) for url in urls]
        self.is_closed = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def server(self, asked: Collection[Server] = ()) -> AsyncIterator[Server]:
        """Give the least busy endpoint for one request; wait while all have enough.

        Args:
            asked: Those that have failed at this request; others go before them.
        """
        async with self._changed:
            while (server := self._least_busy(asked)) is None:
                await self._changed.wait()
            server.outstanding += 1
        try:
            yield server
        finally:
            server.outstanding -= 1
            async with self._changed:
                self._changed.notify_all()

    def _least_busy(self, asked: Collection[Server]) -> Server | None:
        now = time.monotonic()
        others = [one for one in self.servers if one not in asked] or self.servers
        awake = [one for one in others if _may_be_asked(one, now)] or others
        free = [one for one in awake if one.outstanding < one.pace.limit]
        return min(free, key=lambda one: (max(one.not_before, now), one.load), default=None)

    def has_other(self, asked: Collection[Server]) -> bool:
        """Whether an endpoint is not among those asked and may be asked soon."""
        soon = time.monotonic() + _RESTS
        others = [one for one in self.servers if one not in asked and not one.is_down]
        return any(one.not_before <= soon for one in others)

    def failed(self, server: Server, why: object, *, is_down: bool, wait: float = 0.0) -> bool:
        """Let an endpoint rest after an error of its own; return whether another one is up.

        Args:
            server: The endpoint.
            why: Told to the user.
            is_down: Whether it cannot be reached.
            wait: Seconds that it asked for.
        """
        server.failures += 1
        others = [one for one in self.servers if one is not server and not one.is_down]
        if others and not server.is_down and (is_down or server.failures >= _MOST_FAILURES):
            state = "is down" if is_down else f"failed {server.failures} times in a row"
            who = "another takes" if len(others) == 1 else f"{len(others)} others take"
            _say(f"{server.url} {state} ({why}); {who} its work")
            server.is_down = True
            server.downs += 1
        rest = _RESTS if is_down else min(_RESTS, _FIRST_REST * 2 ** min(server.failures - 1, 9))
        server.rests_until = time.monotonic() + max(rest, wait)
        return bool(others)

    def answered(self, server: Server) -> None:
        """Take note that an endpoint answers."""
        server.answered += 1
        server.failures, server.rests_until = 0, 0.0
        if server.is_down:
            server.is_down = False
            _say(f"{server.url} answers again")

    def take_counts(self) -> dict[str, Counts]:
        """Return what each endpoint did since this was last called; empty if that is nothing."""
        counts: dict[str, Counts] = {}
        anything = False
        for server in self.servers:
            now = server.answered, server.failed, server.downs
            anything |= now != server.written
            answered, failed, downs = map(sub, now, server.written)
            server.written = now
            pace = server.pace
            counts[server.url] = Counts(answered, failed, downs, pace.limit, pace.largest)
        return counts if anything else {}

    def close(self) -> None:
        """Say how many requests endpoints answered: each of several, and one whose pace varies."""
        self.is_closed = True
        paces = [one.pace.spread for one in self.servers]
        if len(self.servers) > 1 or any(paces):
            parts = [
                f"{one.url} {one.answered:,} ({one.failed:,} failed{pace})"
                for one, pace in zip(self.servers, paces, strict=True)
            ]
            _say(f"requests answered: {', '.join(parts)}")


def _may_be_asked(server: Server, now: float) -> bool:
    """Whether an endpoint had no error last time, or has rested and is tried by one request."""
    return not server.rests_until or (now >= server.rests_until and not server.outstanding)


def _say(text: str) -> None:
    print(f"openai_api: {text}", file=sys.stderr, flush=True)
