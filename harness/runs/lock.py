"""One writer per evaluation: an advisory lock that the system drops when the process dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError, reason_of


@contextmanager
def writing(directory: Path, flag: str = "--results") -> Iterator[None]:
    """Make the directory and hold it for writing.

    Args:
        directory: The folder.
        flag: Which flag named it or a folder above it, for messages.

    Raises:
        UserError: when another process holds it, or it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = open(directory / ".lock", "w", opener=_at_once)  # noqa: SIM115  held while it is written
    except OSError as error:
        raise UserError(
            f"the folder cannot be written: {reason_of(error)}",
            where=directory,
            fix=f"{flag} FOLDER, or mend the permissions",
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another run is writing into this folder",
                where=directory,
                fix="wait for it; the same command then returns its result",
            ) from None
        except OSError:  # a network's file system without locks
            pass  # no two segments of a journal have one name, so that nothing is written over
        yield


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for a reader of a pipe of this name."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)
