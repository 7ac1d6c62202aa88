"""Reports progress of long work where no bar can be shown, with at most one line per minute."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

MINUTE = 60.0
_LOOKS = 5.0  # seconds between looks at what may have to be said

_newest: weakref.ref[EachMinute] | None = None
_beating = False


def beat() -> None:
    """Let counts of this process be said also while nothing new is done, from a thread.

    It reads the newest count and prints: nothing that is computed knows of it.
    """
    global _beating  # noqa: PLW0603  a process has one such thread
    if not _beating:
        _beating = True
        threading.Thread(target=_look, name="heartbeat", daemon=True).start()


def _look() -> None:
    while True:
        time.sleep(_LOOKS)
        count = None if _newest is None else _newest()
        if count is not None:
            count.wait()


class EachMinute:
    """A count that is printed at most once a minute.

    Args:
        say: Takes a line.
        name: What is counted, such as a task's id.
        total: How far it goes.
        unit: Unit of the count, such as ``samples``.
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
        self._started = self._last = self._reached = clock()
        global _newest  # noqa: PLW0603  what a process does is one thing at a time
        _newest = weakref.ref(self)

    def advance(self, count: int = 1) -> None:
        """Count ``number`` more."""
        self.reach(self._done + count)

    def reach(self, done: int, more: str = "") -> None:
        """Set the count; ``more`` is printed in the same line."""
        self._done = done
        now = self._reached = self._clock()
        if now - self._last < MINUTE or done >= self._total:
            return
        self._last = now
        new = done - self._begun
        left = (now - self._started) / new * (self._total - done) if new > 0 else None
        parts = [f"{self._name}: {done:,} of {self._total:,} {self._unit}", more]
        parts.append("" if left is None else f"about {duration(left)} left")
        self._say(", ".join(filter(None, parts)))

    def wait(self) -> None:
        """Say that what comes next takes its time, where a minute has passed without a line."""
        now = self._clock()
        if now - self._last < MINUTE or self._done >= self._total:
            return
        self._last = now
        count = f"{self._name}: {self._done:,} of {self._total:,} {self._unit}"
        self._say(f"{count}, at work on the next for {duration(now - self._reached)}")


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, remainder = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{remainder:02d}"


def in_bytes(count: int) -> str:
    """Return a number of bytes for people: GiB from a tenth of one on, else MiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 // 10 else f"{count / 2**20:.1f} MiB"
