"""Every error the harness raises on purpose: what happened, where, and what would fix it."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


class HarnessError(Exception):
    """Base class: a message for people, a place, a fix, and the exit code the command ends with.

    Args:
        message: What happened, in one sentence.
        where: File, ``file:line:column`` or key at which it happened.
        fix: What would mend it.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str | Path | None = None, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = None if where is None else str(where)
        self.fix = fix

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f"\n  fix: {self.fix}" if self.fix else "")


class UserError(HarnessError):
    """The user's mistake: a wrong name, option, path or file. Exit code 2."""

    exit_code = 2


class DataError(UserError):
    """Annotations that cannot be read as the benchmark's release layout. Exit code 2."""


class PluginError(UserError):
    """A plugin that was asked for and cannot be had. Exit code 2."""


@contextmanager
def plugin_call(
    plugin: str, method: str, where: str, passes: Callable[[Exception], bool] = lambda _: False
) -> Iterator[None]:
    """Turn what a plugin's code raises into one message; our own errors pass.

    Args:
        plugin: What is called, such as ``recipe 'ft'``.
        method: Which of its methods.
        where: Its target.
        passes: Which other exceptions pass as they are.

    Raises:
        PluginError: the code raised.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        if passes(error):
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(f"{plugin} raised in {method}: {said}", where=where) from error


class CheckFailed(HarnessError):
    """The work completed and a check on it failed (error threshold, damaged data). Exit code 1."""


class SampleError(HarnessError):
    """One sample that cannot be asked or answered: recorded and counted, never fatal.

    Args:
        kind: A short stable word for the record, such as ``image_missing``.
        message: What happened, in one sentence.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[SampleError], tuple[str, str]]:
        # An exception is pickled by its message alone; this one has to come out of processes.
        return SampleError, (self.kind, self.message)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known names, or all of a short list."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(match) for match in close) + "?"
    if not names:
        return "there is none"
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"known: {shown}"


def unknown(kind: str, name: str, known: Iterable[str], *, where: str | None = None) -> UserError:
    """Return the error for a name that is not among the known ones, with near misses."""
    return UserError(f"unknown {kind} {name!r}", where=where, fix=nearest(name, known))
