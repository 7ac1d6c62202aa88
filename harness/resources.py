"""Files: the YAML folders of the repository and the wheel, and a hash of any file."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError, UserError
from harness.jsonfiles import open_file

_PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """Return a data folder such as ``task_specs``: from the wheel, else from the clone.

    Raises:
        HarnessError: when the installation is damaged.
    """
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise HarnessError(
        f"the folder {name!r} of the harness is missing",
        where=_PACKAGE,
        fix="install social-harness again",
    )


def inner_folders(folder: Path, *names: str) -> str:
    """Return the end of a message: which folders in a folder hold one of these files, if any do."""
    try:
        holding = [one for one in folder.iterdir() if any((one / name).is_file() for name in names)]
    except OSError:
        return ""
    # By their numbers, so that the last of a training is the last.
    holding.sort(key=lambda path: (path.name.rstrip("0123456789"), len(path.name), path.name))
    more = f" and {len(holding) - 3} more" if len(holding) > 3 else ""
    last = ", ".join(path.name for path in holding[-3:])
    return f"; folders in it that have one: {last}{more}" if holding else ""


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    import hashlib  # slow to import, and the command line's help hashes nothing

    with open_file(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def home_path(text: str | Path, where: str | None = None) -> Path:
    """Return a path with ``~`` and ``~user`` as their home folders.

    Args:
        text: The path.
        where: Who says so, for the message.

    Raises:
        UserError: there is no such user, or a variable that no shell has expanded.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        reason = f"there is no home folder of that user: {text!s:.200}"
        raise UserError(reason, where=where, fix="write the full path") from None
    if path.parts[:1] and path.parts[0].startswith("$") and not Path(path.parts[0]).exists():
        reason = f"variables such as {path.parts[0]:.200} are not expanded in it"
        raise UserError(reason, where=where, fix="write the full path, or ~ for the home folder")
    return path
