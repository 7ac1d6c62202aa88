"""What a plugin's code is, so that a number of the code before a change is not taken for one now.

The harness's own parts have versions that are raised by hand; others' are known by a hash.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution

    from harness.descriptors import Json

CORE = "harness"
_KINDS = frozenset(
    (".py", ".so", ".pyd", ".yaml", ".yml", ".json", ".toml", ".txt", ".csv", ".tsv", ".j2")
)
_LARGEST = 8 << 20
"""Bytes; of a larger file (weights, a vocabulary) the size is taken for its content."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of one plugin.

    Attributes:
        plugin: Its entry point's name.
        sha256: Over its files; empty where none can be found.
    """

    plugin: str
    distribution: str
    version: str
    sha256: str

    def as_json(self) -> dict[str, Json]:
        """Return what a record says of it, beside the plugin's name."""
        return {"distribution": self.distribution, "version": self.version, "sha256": self.sha256}


def codes_of(codes: Iterable[Code | None]) -> dict[str, Json]:
    """Return what a record says of plugins' code, by plugin; the harness itself is left out."""
    return {code.plugin: code.as_json() for code in codes if code is not None}


def code_hash(modules: Iterable[str]) -> str:
    """Return the hash of the packages and single files that modules belong to.

    Files of code and of plain data count, each with its path in its package: a wheel and an
    editable install of the same files are the same code. The harness's own modules count for
    nothing.
    """
    import hashlib  # slow to import, and listings hash nothing

    roots = {root for name in modules for root in _roots(name)}
    files = {name: path for root in sorted(roots) for name, path in _files(root)}
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        try:
            size = path.stat().st_size
            content = path.read_bytes() if size <= _LARGEST else b"%d bytes" % size
        except OSError:
            content = b"cannot be read"
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest() if files else ""


def modules_of(distribution: Distribution | None) -> set[str]:
    """Return the outermost modules that a distribution installs, whether or not a hook names them.

    Of an editable install none but what its ``top_level.txt`` says: its files lie elsewhere.
    """
    if distribution is None:
        return set()
    top_level = distribution.read_text("top_level.txt") or ""
    files = distribution.files or ()
    paths = [path.parts for path in files if path.suffix in {".py", ".so", ".pyd"}]
    packages = {parts[:-1] for parts in paths if parts[-1] == "__init__.py"}
    modules = set(top_level.split())
    for parts in paths:
        if parts[0] == ".." or parts[0].startswith("__editable__"):
            continue
        # A folder without __init__.py may be shared with others: what lies in it is told apart.
        inside = (parts[:depth] for depth in range(1, len(parts)) if parts[:depth] in packages)
        outermost = next(inside, (*parts[:-1], parts[-1].partition(".")[0]))
        modules.add(".".join(outermost))
    return modules


def _roots(module: str) -> Iterator[Path]:
    """Yield the file or the folders of the outermost package that is not shared (a namespace)."""
    parts = module.split(".")
    if parts[0] == CORE:
        return
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):  # made by hand, or in no package
            spec = None
        if spec is None:
            file = getattr(sys.modules.get(name), "__file__", None)
            if file is not None:
                yield Path(file)
            return
        folders = list(spec.submodule_search_locations or ())
        if spec.origin is not None and spec.has_location:
            yield Path(folders[0]) if folders else Path(spec.origin)
            return
        if depth == len(parts):
            yield from map(Path, folders)


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    if root.is_file():
        yield root.name, root
        return
    for folder, inside, names in os.walk(root):
        inside[:] = [name for name in inside if name != "__pycache__" and not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if path.suffix in _KINDS and not name.startswith("."):
                yield f"{root.name}/{path.relative_to(root).as_posix()}", path
