"""Every error the harness raises on purpose: what happened, where, and what would fix it."""

from __future__ import annotations

import difflib
import os
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


LONGEST = 1200
"""Characters of an error's message or place at most, whatever a file or a plugin put into it."""
_ROOM = 40  # characters that say how many are left out


def quoted(value: object, most: int = 60) -> str:
    """Return what a file holds as an error may show it: quoted, and short even when it is not.

    Args:
        value: A text, or any other value, shown as Python writes it.
        most: Characters shown of it.
    """
    if isinstance(value, str):
        excess = len(value) - most
        return repr(value) if excess <= 0 else f"{value[:most]!r}... ({excess:,} characters more)"
    try:
        return short(repr(value), most + _ROOM)
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets without end
        return f"a {type(value).__name__}"


def short(text: str, most: int) -> str:
    """Return a text that is cut in its middle to ``most`` characters when it is longer."""
    if len(text) <= most:
        return text
    half = max(most - _ROOM, 2) // 2
    return f"{text[:half]} ... ({len(text) - 2 * half:,} characters more) ... {text[-half:]}"


DEBUG_VARIABLE = "HARNESS_DEBUG"
_LONGEST_NAME = 80  # characters of one of them
_LONGEST_LIST = 240  # characters of the names that are known
_LONGEST_QUOTE = 300  # characters of what a stranger's code says
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class HarnessError(Exception):
    """Base class: a message for people, a place, a fix, and the exit code the command ends with.

    As text it is short and drives no terminal, whatever stands in its parts.

    Args:
        message: What happened, in one sentence.
        where: File, ``file:line:column`` or key at which it happened.
        fix: What would mend it.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: object = None, fix: str = "") -> None:
        message = short(message, LONGEST)
        super().__init__(message)
        self.message = message
        self.where = None if where is None else short(str(where), LONGEST)
        self.fix = short(fix, LONGEST)

    def __str__(self) -> str:
        location = f"{legible(self.where)}: " if self.where else ""
        fix = f"\n  fix: {legible(self.fix)}" if self.fix else ""
        return f"{location}{legible(self.message)}{fix}"


class UserError(HarnessError):
    """The user's mistake: a wrong name, option, path or file. Exit code 2."""

    exit_code = 2


class DataError(UserError):
    """Annotations that cannot be read as the benchmark's release layout. Exit code 2."""


class CannotAnswer(UserError):
    """A task that a model cannot be asked; of a group it is left out. Exit code 2."""


class PluginError(UserError):
    """A plugin that was asked for and cannot be had, or does not keep its contract. Exit code 2."""


class ModelError(PluginError):
    """A model whose code raised, or broke its contract, while it loaded or answered.

    It ends its task; the other tasks of a run go on, and the command ends with exit code 1.
    """

    exit_code = 1


# What a plugin's code may raise that is its own fault; an interrupt is none.
FAULTS = (Exception, SystemExit)


@contextmanager
def plugin_call(  # noqa: PLR0913, PLR0917  what a message names
    plugin: str,
    method: str,
    where: str,
    passes: Callable[[Exception], bool] = lambda _: False,
    kind: type[PluginError] = PluginError,
    origin: str = "",
) -> Iterator[None]:
    """Turn what a plugin's code raises into one message; our own errors pass.

    Args:
        plugin: What is called, such as ``recipe 'NAME'``.
        method: Which of its methods.
        where: Its target.
        passes: Which other exceptions pass as they are.
        kind: The error to raise.
        origin: The plugin and its distribution.

    Raises:
        PluginError: the code raised.
    """
    try:
        yield
    except HarnessError as error:
        blame(error, f"{plugin}, in {method}", origin)
        raise
    except FAULTS as error:
        if isinstance(error, Exception) and passes(error):
            raise
        raise raised(plugin, method, where, error, kind, origin) from error


def blame(error: HarnessError, where: str, origin: str) -> None:
    """Say whose code misused what the harness gave it, where the error does not."""
    if isinstance(error, PluginError) and error.where is None:
        error.where = f"{where} ({origin})" if origin else where


_FREE_MEMORY = "free memory (nvidia-smi lists who holds a GPU's), or a smaller dtype or model"


def raised(  # noqa: PLR0913, PLR0917  what a message names
    plugin: str,
    method: str,
    where: str,
    error: BaseException,
    kind: type[PluginError] = PluginError,
    origin: str = "",
) -> PluginError:
    """Return the error for what a plugin's method raised, with where its code stood."""
    trace, location = error.__traceback__, ""
    while trace is not None:
        location = f"at {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
        trace = trace.tb_next
    beside = "; ".join(filter(None, (origin, location)))
    message = f"{plugin} raised in {method}: {error_text(error)} ({beside})"
    full = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's
    return kind(message, where=where, fix=_FREE_MEMORY if full else traceback_hint())


def error_text(error: BaseException) -> str:
    """Return what an exception says, with its type, on one short line."""
    try:
        text = str(error)
    except FAULTS:  # of a stranger's exception even this may raise
        text = ""
    return one_line(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def reason_of(error: OSError) -> str:
    """Return why a file or a disk failed, in one short line; some errors hold no reason."""
    return one_line(error.strerror or str(error)) or type(error).__name__


def one_line(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Return text of others on one line without control signs, cut to ``longest`` characters."""
    return short(flat(text), longest)


def flat(text: str) -> str:
    """Return text on one line without control signs, for any medium; nothing is cut."""
    return legible(" ".join(text.replace("\n  fix:", "; fix:").split()), len(text))


def legible(text: str, longest: int = LONGEST) -> str:
    """Return text that drives no terminal; of a long one the beginning and the end."""
    text = short(text, longest)
    if text.isprintable():
        return text
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if sign != "\n" and unicodedata.category(sign) in _UNPRINTABLE
        else sign
        for sign in text
    )


_debugging = False


def debug() -> None:
    """Show tracebacks for the rest of this process, as ``HARNESS_DEBUG=1`` does."""
    global _debugging  # noqa: PLW0603  a process shows them or does not
    _debugging = True


_YES, _NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


def debugging() -> bool:
    """Whether errors come with their traceback."""
    return _debugging or os.environ.get(DEBUG_VARIABLE, "").lower() in _YES


def refuse_unknown_debug() -> None:
    """Refuse a value of the variable for tracebacks that says neither yes nor no.

    Raises:
        UserError: it does.
    """
    value = os.environ.get(DEBUG_VARIABLE, "")
    if value.lower() not in _YES | _NO:
        raise UserError(
            f"{quoted(value)} is neither 1 nor 0", where=DEBUG_VARIABLE, fix=f"{DEBUG_VARIABLE}=1"
        )


def traceback_hint() -> str:
    """Return how to see a traceback; empty when it is seen anyway."""
    return "" if debugging() else "report it to its author; --verbose shows the traceback"


def show_traceback(error: BaseException) -> None:
    """Write a traceback to standard error when tracebacks are asked for."""
    if debugging():
        import traceback

        traceback.print_exception(error)


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


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known names, or all of a short list.

    A name that is part of others means one of them: ``csv`` of ``samples_csv``.
    """
    names = sorted(candidates)
    if close := near(name, names):
        return close
    part = name.casefold()
    if holding := [one for one in names if len(part) > 2 and part in one.casefold()]:
        return _did_you_mean(holding[:3])
    if not names:
        return "there is none"
    shortened = [short(one, _LONGEST_NAME) for one in names[:20]]
    while len(shortened) > 3 and len(", ".join(shortened)) > _LONGEST_LIST:
        shortened.pop()
    return f"known: {', '.join(shortened)}" + (", ..." if len(shortened) < len(names) else "")


def near(name: str, candidates: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest names; nothing when none is near."""
    names = sorted(candidates)
    close = difflib.get_close_matches(name[:200], names, n=3, cutoff=0.6)
    close = close or [one for one in names if one.casefold() == name.casefold()]
    return _did_you_mean(close) if close else ""


def _did_you_mean(names: Iterable[str]) -> str:
    return "did you mean " + " or ".join(map(quoted, names)) + "?"


def unknown(kind: str, name: str, names: Iterable[str], *, where: str | None = None) -> UserError:
    """Return the error for a name that is not among the known ones, with near misses."""
    return UserError(f"unknown {kind} {quoted(name)}", where=where, fix=nearest(name, names))


def each_once(names: Iterable[str], kind: str, where: str | None = None) -> list[str]:
    """Return names as a list, none of which may come twice.

    Raises:
        UserError: one does, which may be a slip for another.
    """
    listed: dict[str, None] = {}
    for name in names:
        if name in listed:
            message = f"{kind} {quoted(name)} is named twice"
            raise UserError(message, where=where, fix="name it once")
        listed[name] = None
    return list(listed)
