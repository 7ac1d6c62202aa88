"""Says where a release's files lie when the folder that was given does not hold them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from harness.errors import DataError, quoted
from harness.readers.shards import SUFFIX, last_part
from harness.samples import DataRoot

_FOLDERS = 200
"""Folders that are looked into, the upper ones first."""
_DEEP = 3
_SHOWN = 3
_ABOVE = 3


def elsewhere(root: DataRoot, missing: Sequence[str]) -> str:
    """Return what to say of files that are not where the release has them; nothing if unknown.

    The folder given may be too high (the release lies in a folder of it), too deep (it is one of
    the release's own), or hold the files without their folders or with others.

    Args:
        root: The folder given.
        missing: Names of the files.
    """
    return _without_folders(root, missing) or _above(root, missing) or _below(root, missing)


def _without_folders(root: DataRoot, missing: Sequence[str]) -> str:
    steps = missing[0].split("/")
    for cut in range(1, len(steps)):
        if not all(root.is_file(name.split("/", cut)[-1]) for name in missing):
            continue
        folder = "/".join(steps[:cut])
        if str(root).replace("\\", "/").endswith(folder):
            return f"; the folder given is the release's own {folder!r}: name the one it lies in"
        shorter = "/".join(steps[cut:-1]) or "the folder itself"
        return f"; {steps[-1]} lies in {shorter}: move it to {'/'.join(steps[:-1])}"
    return ""


def _above(root: DataRoot, missing: Sequence[str]) -> str:
    folder = root.local("")
    for above in [] if folder is None else [*folder.parents][:_ABOVE]:
        try:
            if all((above / name).is_file() for name in missing):
                return f"; they lie in {above}, above the folder given: name that one"
        except OSError:  # what may not be looked into
            break
    return ""


def _below(root: DataRoot, missing: Sequence[str]) -> str:
    homes: dict[str, str] = {}  # of misplaced files, each with the folder that it lies in
    for folder in _folders(root):
        if all(root.is_file(f"{folder}/{name}") for name in missing):
            return f"; they lie in its folder {quoted(folder)}: name that one"
        for name in _in_folder(root, folder, missing):
            homes.setdefault(name, folder)
    if not homes:
        return ""
    first = next(iter(homes))
    home = first.rpartition("/")[0]
    moved = [name for name in homes if name.rpartition("/")[0] == home]
    folders = [*dict.fromkeys(homes[name] for name in moved)]
    more = f" and {len(folders) - _SHOWN} more" if len(folders) > _SHOWN else ""
    among = f"{len(moved)} of them lie" if len(moved) > 1 else f"{last_part(first)} lies"
    them = "them" if len(moved) > 1 else "it"
    lie = f"{among} in {', '.join(folders[:_SHOWN])}{more}"
    return f"; {lie}: move {them} to {home or 'the folder itself'}"


def _in_folder(root: DataRoot, folder: str, missing: Sequence[str]) -> Iterator[str]:
    """Yield the files that lie right in a folder; a shard there may have a hash in its name."""
    shards = [name for name in missing if name.endswith(SUFFIX)]
    listed = [last_part(path) for path in root.list(folder)] if shards else []
    for name in missing:
        start = f"{last_part(name).removesuffix(SUFFIX)}-"
        if root.is_file(f"{folder}/{last_part(name)}") or (
            name in shards and any(path.startswith(start) for path in listed)
        ):
            yield name


def _folders(root: DataRoot) -> Iterator[str]:
    """Yield folders of a folder, those nearest to it first, as far as is looked."""
    waiting, seen = deque([""]), 0
    while waiting:
        try:
            names = root.list(waiting.popleft())
        except DataError:  # it may not be listed
            continue
        for name in names:
            if seen == _FOLDERS:
                return
            if "." not in name.rpartition("/")[2] and root.is_dir(name):
                seen += 1
                yield name
                if name.count("/") + 1 < _DEEP:
                    waiting.append(name)
