"""Standard output for a command's own text: what others print goes to standard error instead.

Under ``--json`` and ``--format`` another program reads it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

_ours: TextIO | None = None


def emit(text: str, *, nl: bool = True) -> None:
    """Print a command's own text."""
    click.echo(text, nl=nl, file=_ours)


@contextmanager
def kept_apart() -> Iterator[None]:
    """Send what anybody prints to standard error, but for what :func:`emit` prints."""
    global _ours
    if _ours is not None:
        yield
        return
    printed, _ours = sys.stdout, _apart(sys.stdout)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        # Only now may it be printed as usual; what C code has buffered still goes the other way.
        sys.stdout, _ours = printed if _ours is printed else _ours, None


def _apart(stream: TextIO) -> TextIO:
    """Return a stream of our own to where a stream goes; from now on its file is standard error.

    What is not a file of the system (a test's) is returned as it is.
    """
    if stream is not sys.__stdout__:
        return stream
    try:
        stream.flush()
        ours = os.dup(stream.fileno())
        os.dup2(sys.stderr.fileno(), stream.fileno())
    except (OSError, ValueError):
        return stream
    return os.fdopen(ours, "w", encoding=stream.encoding, errors="replace")
