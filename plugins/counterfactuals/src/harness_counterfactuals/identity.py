"""Whether two commands make the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.descriptors import Json


def refuse_other(ours: dict[str, Json], theirs: dict[str, Json], folder: Path) -> None:
    """Refuse a folder whose images were begun from something else.

    Raises:
        UserError: with the parts that differ.
    """
    if parts := [name for name in ours | theirs if ours.get(name) != theirs.get(name)]:
        raise UserError(
            f"the folder holds images made with other settings of {', '.join(parts)}",
            where=folder,
            fix="--out ANOTHER_FOLDER; or remove this one, and its images are made again",
        )
