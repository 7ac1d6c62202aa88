"""Archives as folders: a zip or tar is read where it lies, nothing is unpacked to the disk.

A :class:`MountedPath` is a path like any other; below the place of an archive it answers from the
archive's index. A whole release may be one archive, and so may a folder of it: `image.zip` stands
for `image/` where that folder is not there.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import tarfile
import weakref
import zipfile
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PosixPath, PurePosixPath, WindowsPath
from threading import Lock
from typing import IO, Any, NoReturn

from harness.errors import DataError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_RATIO = 1000
"""Unpacked bytes a packed one; plain text hardly reaches 20."""

MAX_ENTRY = 64 << 30
_SMALL = 1 << 20  # below this nothing can hurt, whatever the ratio
# A packed tar is one stream. Small members share it, read whole under a lock, so that reading in
# order goes forwards only; a large one gets a stream of its own.
_LARGE = 64 << 20

if sys.platform == "win32":
    _Base = WindowsPath
else:
    _Base = PosixPath


def mounted(path: Path) -> Path:
    """Return the folder that a data path stands for: itself, or an archive read in place.

    Raises:
        DataError: an archive that is damaged or not safe to read.
    """
    if path.is_file() and _is_archive(path.name):
        archive = _MOUNTS[os.fspath(path)] = _Archive(path)
        archive.check()
        return MountedPath(path)
    found = False
    for part in path.iterdir() if path.is_dir() else ():
        name = _stem(part.name)
        if name and part.is_file() and not (path / name).exists():
            _MOUNTS[os.fspath(path / name)] = _Archive(part)
            found = True
    return MountedPath(path) if found else path


def mounts() -> tuple[tuple[str, str], ...]:
    """Return the place and the archive of each mount, for another process."""
    return tuple((place, os.fspath(archive.path)) for place, archive in _MOUNTS.items())


def mount_again(places: tuple[tuple[str, str], ...]) -> None:
    """Mount what :func:`mounts` of another process returned; no index is read yet."""
    _MOUNTS.update((place, _Archive(Path(archive))) for place, archive in places)


def _is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _stem(name: str) -> str:
    """Return an archive's name without its ending; empty for other files."""
    return next(
        (name[: -len(end)] for end in sorted(SUFFIXES, key=len, reverse=True)
         if name.lower().endswith(end)),
        "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file in an archive; ``key`` finds it again."""

    size: int
    key: Any


class _Archive:
    """The index of a zip or tar, made once and checked before anything is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()

    def check(self) -> None:
        """Read the index; raise what is wrong with it."""
        _ = self._files

    def entry(self, name: str) -> _Entry | None:
        return self._files.get(name)

    def is_dir(self, name: str) -> bool:
        return not name or self._first(f"{name}/") is not None

    def children(self, name: str) -> Iterator[str]:
        """Yield the names right under a folder, sorted."""
        start = f"{name}/" if name else ""
        place = bisect_left(self._names, start)
        while place < len(self._names) and self._names[place].startswith(start):
            child, slash, _ = self._names[place][len(start) :].partition("/")
            yield child
            # Everything below a folder is passed over at once.
            after = f"{start}{child}0" if slash else ""  # "0" follows "/"
            place = bisect_left(self._names, after, place) if slash else place + 1

    def open(self, entry: _Entry) -> IO[bytes]:
        if isinstance(entry.key, zipfile.ZipInfo):
            return self._zip.open(entry.key)
        if isinstance(entry.key, int):
            return io.BufferedReader(_Slice(self.path, entry.key, entry.size))
        if entry.size > _LARGE:
            tar = tarfile.open(self.path)  # noqa: SIM115  closed with its member
            large = _member(tar, entry.key)
            weakref.finalize(large, tar.close)
            return large
        with self._lock, _member(self._tar, entry.key) as small:
            return io.BytesIO(small.read())

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.path)

    @cached_property
    def _tar(self) -> tarfile.TarFile:
        return tarfile.open(self.path)

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self._files)

    @cached_property
    def _files(self) -> dict[str, _Entry]:
        try:
            is_zip = self.path.name.lower().endswith(".zip")
            found = self._of_zip() if is_zip else self._of_tar()
        except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, ValueError) as error:
            self._refuse(f"cannot be read: {error}")
        # An archive of a folder mostly holds that folder as its one top entry.
        top = f"{_stem(self.path.name)}/"
        if found and all(name.startswith(top) for name in found):
            return {name[len(top) :]: entry for name, entry in found.items()}
        return found

    def _first(self, start: str) -> str | None:
        place = bisect_left(self._names, start)
        there = place < len(self._names) and self._names[place].startswith(start)
        return self._names[place] if there else None

    def _of_zip(self) -> dict[str, _Entry]:
        found = {}
        for info in self._zip.infolist():
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                self._refuse(f"{info.filename!r} is a link")
            if info.flag_bits & 1:
                self._refuse(f"{info.filename!r} is encrypted")
            name = self._safe(info.filename)
            if not info.is_dir():
                self._measure(info.filename, info.file_size, info.compress_size)
                found[name] = _Entry(info.file_size, info)
        return found

    def _of_tar(self) -> dict[str, _Entry]:
        plain = self.path.name.lower().endswith(".tar")
        packed, unpacked = self.path.stat().st_size, 0
        found = {}
        for member in self._tar:
            if not (member.isfile() or member.isdir()):
                self._refuse(f"{member.name!r} is a link or a device")
            name = self._safe(member.name)
            # Seen before the next member is looked for, which would unpack this one.
            unpacked += member.size
            self._measure(member.name, member.size, member.size)
            if not plain:
                self._measure("what it holds", unpacked, packed)
            if member.isfile():
                sparse = member.issparse()
                found[name] = _Entry(
                    member.size, member.offset_data if plain and not sparse else member
                )
        return found

    def _measure(self, name: str, size: int, packed: int) -> None:
        if size > MAX_ENTRY:
            self._refuse(f"{name!r} unpacks to {size >> 30} GiB, the limit is {MAX_ENTRY >> 30}")
        if size > _SMALL and size > MAX_RATIO * max(packed, 1):
            self._refuse(f"{name!r} unpacks to over {MAX_RATIO} times its size")

    def _safe(self, name: str) -> str:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or "\x00" in name:
            self._refuse(f"{name!r} leads out of the archive")
        return str(pure)

    def _refuse(self, what: str) -> NoReturn:
        raise DataError(
            f"the archive is not read: {what}",
            where=self.path,
            fix="get it from its source again, or unpack it yourself and name the folder",
        )


def _member(tar: tarfile.TarFile, key: tarfile.TarInfo) -> IO[bytes]:
    found = tar.extractfile(key)
    assert found is not None  # the index holds regular files only
    return found


class _Slice(io.RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._size)[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        count = self._file.readinto(view) or 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


_MOUNTS: dict[str, _Archive] = {}


class MountedPath(_Base):
    """A path that may lead into an archive; what is on the disk is read from the disk."""

    def _place(self) -> tuple[_Archive, str] | None:
        """Return the archive this path leads into, and the name in it."""
        path, inside = os.fspath(self), ""
        while True:
            archive = _MOUNTS.get(path)
            if archive is not None:
                return archive, inside
            parent, name = os.path.split(path)
            if parent == path or not name:
                return None
            path, inside = parent, f"{name}/{inside}" if inside else name

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """Open a file; those in an archive for reading bytes only."""
        held = self._place()
        if held is None:
            return super().open(mode, *args, **kwargs)
        if mode != "rb":
            raise io.UnsupportedOperation("what lies in an archive is read as bytes")
        return held[0].open(self._entry(*held))

    def _entry(self, archive: _Archive, name: str) -> _Entry:
        entry = archive.entry(name)
        if entry is None:
            raise FileNotFoundError(2, "No such file in the archive", os.fspath(self))
        return entry

    def read_bytes(self) -> bytes:
        """Return a file's bytes."""
        with self.open("rb") as file:
            data: bytes = file.read()
        return data

    def is_file(self, **kwargs: Any) -> bool:
        """Whether this is a file."""
        held = self._place()
        return super().is_file(**kwargs) if held is None else held[0].entry(held[1]) is not None

    def is_dir(self, **kwargs: Any) -> bool:
        """Whether this is a folder."""
        held = self._place()
        return super().is_dir(**kwargs) if held is None else held[0].is_dir(held[1])

    def exists(self, **kwargs: Any) -> bool:
        """Whether there is anything."""
        return (
            super().exists(**kwargs) if self._place() is None else self.is_file() or self.is_dir()
        )

    def is_symlink(self) -> bool:
        """Whether this is a link; archives with links are refused."""
        return super().is_symlink() if self._place() is None else False

    def stat(self, **kwargs: Any) -> os.stat_result:
        """Return kind and size; nothing else is known of a file in an archive."""
        held = self._place()
        if held is None:
            return super().stat(**kwargs)
        if held[0].is_dir(held[1]):
            return os.stat_result((stat.S_IFDIR | 0o555, *(0,) * 9))
        entry = self._entry(*held)
        return os.stat_result((stat.S_IFREG | 0o444, 0, 0, 1, 0, 0, entry.size, 0, 0, 0))

    def iterdir(self) -> Iterator[MountedPath]:  # type: ignore[override]
        """Yield what lies in a folder; archives in it stand beside the folders they stand for."""
        held = self._place()
        if held is not None:
            yield from (self / name for name in held[0].children(held[1]))
            return
        yield from super().iterdir()
        for place in _MOUNTS:
            if os.path.dirname(place) == os.fspath(self):  # noqa: PTH120  a path of text
                yield self / os.path.basename(place)  # noqa: PTH119

    def resolve(self, strict: bool = False) -> MountedPath:
        """Return the path without links; in an archive there are none."""
        if self._place() is not None:
            return self
        return super().resolve(strict)
