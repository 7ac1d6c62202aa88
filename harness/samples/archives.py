"""Archives read where they lie: the index of a zip or tar, and its files; nothing is unpacked."""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import unicodedata
import weakref
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from errno import EIO
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO, Any, NoReturn

from harness.errors import DataError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_RATIO = 1000
"""Unpacked bytes a packed one; plain text hardly reaches 20."""

MAX_ENTRY = 64 << 30
_SMALL = 1 << 20  # below this nothing can hurt, whatever the ratio
# What the libraries raise for damage inside; the last for a packing or a cipher of no use here.
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError,
           RuntimeError)  # fmt: skip
# A packed tar is one stream. Small members share it, read whole under a lock, so that reading in
# order goes forwards only; a large one gets a stream of its own.
_LARGE = 64 << 20


def is_litter(name: str) -> bool:
    """Whether a file manager left a file beside those of a release (``._a.jpg``, ``.DS_Store``)."""
    return name.startswith("._") or name in {".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini"}


def stem(name: str) -> str:
    """Return an archive's name without its ending; empty for other files."""
    return next(
        (name[: -len(end)] for end in sorted(SUFFIXES, key=len, reverse=True)
         if name.lower().endswith(end)),
        "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive; ``key`` finds it again."""

    size: int
    key: Any


class Archive:
    """The index of a zip or tar, made once and checked before anything is read.

    Names are in NFC, whichever form of Unicode the archive has; names that differ in case alone are
    two, as on Linux.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()

    def check(self) -> None:
        """Read the index; raise what is wrong with it."""
        _ = self._files

    def entry(self, name: str) -> Entry | None:
        """Return a file of the archive."""
        return self._files.get(name)

    def is_dir(self, name: str) -> bool:
        """Whether files lie under a name; under none they always do."""
        return not name or self._first(f"{name}/") is not None

    def children(self, name: str) -> Iterator[str]:
        """Yield the names right under a folder, sorted."""
        start = f"{name}/" if name else ""
        position = bisect_left(self._names, start)
        while position < len(self._names) and self._names[position].startswith(start):
            child, slash, _ = self._names[position][len(start) :].partition("/")
            yield child
            # Everything below a folder is passed over at once.
            after = f"{start}{child}0" if slash else ""  # "0" follows "/"
            position = bisect_left(self._names, after, position) if slash else position + 1

    def open(self, entry: Entry) -> io.BufferedReader:
        """Return a file, whose damage is an OSError."""
        try:
            return io.BufferedReader(_Sound(self._opened(entry)))
        except _DAMAGE as error:
            raise _damage(error) from None

    def _opened(self, entry: Entry) -> IO[bytes]:
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
        opened = zipfile.ZipFile(self.path)
        weakref.finalize(self, opened.close)
        return opened

    @cached_property
    def _tar(self) -> tarfile.TarFile:
        opened = tarfile.open(self.path)  # noqa: SIM115  closed with the archive
        weakref.finalize(self, opened.close)
        return opened

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self._files)

    @cached_property
    def _files(self) -> dict[str, Entry]:
        try:
            is_zip = self.path.name.lower().endswith(".zip")
            entries = self._of_zip() if is_zip else self._of_tar()
        except (*_DAMAGE, OSError) as error:
            self._refuse(f"cannot be read: {error}")
        entries = {
            name: entry
            for name, entry in entries.items()
            if not any(map(is_litter, name.split("/")))
        }
        # An archive of a folder mostly holds that folder as its one top entry.
        top = unicodedata.normalize("NFC", f"{stem(self.path.name)}/")
        if entries and all(name.startswith(top) for name in entries):
            return {name[len(top) :]: entry for name, entry in entries.items()}
        return entries

    def _first(self, start: str) -> str | None:
        position = bisect_left(self._names, start)
        is_present = position < len(self._names) and self._names[position].startswith(start)
        return self._names[position] if is_present else None

    def _of_zip(self) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for info in self._zip.infolist():
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                self._refuse(f"{info.filename!r} is a link")
            if info.flag_bits & 1:
                self._refuse(f"{info.filename!r} is encrypted")
            name = self._safe(info.filename)
            if not info.is_dir():
                self._measure(info.filename, info.file_size, info.compress_size)
                self._refuse_second(name, entries)
                entries[name] = Entry(info.file_size, info)
        return entries

    def _of_tar(self) -> dict[str, Entry]:
        plain = self.path.name.lower().endswith(".tar")
        packed, unpacked = self.path.stat().st_size, 0
        entries: dict[str, Entry] = {}
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
                self._refuse_second(name, entries)
                sparse = member.issparse()
                entries[name] = Entry(
                    member.size, member.offset_data if plain and not sparse else member
                )
        return entries

    def _measure(self, name: str, size: int, packed: int) -> None:
        if size > MAX_ENTRY:
            self._refuse(f"{name!r} unpacks to {size >> 30} GiB, the limit is {MAX_ENTRY >> 30}")
        if size > _SMALL and size > MAX_RATIO * max(packed, 1):
            self._refuse(f"{name!r} unpacks to over {MAX_RATIO} times its size")

    def _refuse_second(self, name: str, entries: Mapping[str, Entry]) -> None:
        if name in entries and not any(map(is_litter, name.split("/"))):
            self._refuse(f"it holds {name!r} twice")

    def _safe(self, name: str) -> str:
        pure = PurePosixPath(name)
        if "\\" in name:
            self._refuse(f"{name!r} has backslashes, as old Windows tools write them")
        if pure.is_absolute() or ".." in pure.parts or "\x00" in name:
            self._refuse(f"{name!r} leads out of the archive")
        return unicodedata.normalize("NFC", str(pure))

    def _refuse(self, reason: str) -> NoReturn:
        raise DataError(
            f"the archive cannot be read: {reason}",
            where=self.path,
            fix="download it again, or unpack it yourself and give the folder",
        )


def _damage(error: Exception) -> OSError:
    return OSError(EIO, f"damaged in the archive: {' '.join(str(error).split())[:200]}")


def _member(tar: tarfile.TarFile, key: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(key)
    assert stream is not None  # the index holds regular files only
    return stream


class _Sound(io.RawIOBase):
    """A file of an archive whose damage is an OSError, as it is of any other file."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except _DAMAGE as error:
            raise _damage(error) from None

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._read(-1)

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except _DAMAGE as error:
            raise _damage(error) from None

    def close(self) -> None:
        self._file.close()
        super().close()


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
