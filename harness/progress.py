"""Says how far something long is: a line a minute at most, where no bar can be shown."""

from __future__ import annotations

import time
from collections.abc import Callable

MINUTE = 60.0


class EachMinute:
    """A count that is said now and then; nothing before a minute has passed.

    Args:
        say: Takes a line.
        name: What is counted, such as a task's id.
        total: How far it goes.
        unit: Of the count, such as ``samples``.
        done: How far it was when it began.
        clock: Seconds, from any beginning.
    """

    def __init__(  # noqa: PLR0913  what a line is made of
        self,
        say: Callable[[str], None],
        name: str,
        total: int,
        unit: str,
        *,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._name, self._unit = say, name, unit
        self._total, self._begun, self._done = total, done, done
        self._clock = clock
        self._started = self._last = clock()

    def advance(self, count: int = 1) -> None:
        """Count so many more."""
        self.reach(self._done + count)

    def reach(self, done: int, more: str = "") -> None:
        """Be so far; ``more`` is said in the same line."""
        self._done = done
        now = self._clock()
        if now - self._last < MINUTE or done >= self._total:
            return
        self._last = now
        new = done - self._begun
        left = (now - self._started) / new * (self._total - done) if new > 0 else None
        parts = [f"{self._name}: {done:,} of {self._total:,} {self._unit}", more]
        parts.append("" if left is None else f"about {duration(left)} left")
        self._say(", ".join(filter(None, parts)))


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
