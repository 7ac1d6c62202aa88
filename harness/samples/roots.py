"""The files of one benchmark, wherever they lie: on the disk, in an archive, in the hub's cache."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Set
from functools import lru_cache
from io import BufferedReader
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, NoReturn, final

from harness.errors import DataError, PluginError, quoted

if TYPE_CHECKING:
    from harness.samples.archives import Archive, Entry

_INSTEAD = {
    "glob": "walk(folder)", "rglob": "walk(folder)", "iterdir": "list(folder)",
    "joinpath": "sub(folder), or the name as one text", "stat": "size(name)",
    "name": "str(root)", "parent": "names within the root",
}  # fmt: skip


_LINK_OUT = "a link leads out of the data folder"
_PUT_INSIDE = "put the file itself there, or give a folder that holds all of the data"


class FileMissing(DataError):
    """No file or folder of that name."""


class LeadsOut(DataError):
    """A name, or a link on its way, leads out of the data folder."""


class NotReadable(DataError):
    """There, and no file that can be read."""


class TooLarge(NotReadable):
    """A file of more bytes than the caller takes."""


class NoPath(PluginError, AttributeError, TypeError):
    """A data root used as a path."""


@final
class DataRoot:
    """A folder of a release, and whatever lies below it.

    A file is named by a text: its way from the root, with ``/`` between its parts. A root is no
    path and takes no ``/``: it may lie in an archive, which no path leads into.

    Made by :func:`data_root`. Roots are equal when they are of one place, and can be pickled.
    """

    __slots__ = ("_archives", "_below", "_bounds", "_folder", "_place")

    def __init__(
        self, location: str, folder: Path, archives: Mapping[str, Archive], below: str = ""
    ) -> None:
        self._place = location
        self._folder = folder  # without links
        self._archives = archives
        self._bounds = _bounds(folder)
        self._below = below

    def open(self, name: str) -> BufferedReader:
        """Return a file, opened for reading bytes.

        Raises:
            DataError: no such file, none that can be read, or a name that leads out of the root.
        """
        try:
            where = self._find(name)
            if isinstance(where, Path):
                if not stat.S_ISREG(where.stat().st_mode):  # opening a pipe would block for ever
                    raise NotReadable("not a regular file", where=self.where(name))
                return where.open("rb")
            archive, inside = where
            return archive.open(self._entry(archive, inside, name))
        except (FileNotFoundError, NotADirectoryError):
            raise FileMissing("no such file", where=self.where(name)) from None
        except (OSError, ValueError) as error:
            self._refuse(name, error)

    def read_bytes(self, name: str, most: int | None = None) -> bytes:
        """Return a file's bytes.

        Args:
            name: Name of the file.
            most: Bytes it may have.

        Raises:
            DataError: as :meth:`open`; a file of more bytes.
        """
        if most is not None and self.size(name) > most:
            raise TooLarge(f"file over {most >> 20} MiB", where=self.where(name))
        with self.open(name) as file:
            try:
                return file.read()
            except OSError as error:
                self._refuse(name, error)

    def read_text(self, name: str) -> str:
        """Return a file's text, UTF-8 with or without a byte order mark.

        Raises:
            DataError: as :meth:`open`; not UTF-8.
        """
        try:
            return self.read_bytes(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error.reason}", where=self.where(name)) from None

    def size(self, name: str) -> int:
        """Return a file's size in bytes.

        Raises:
            DataError: as :meth:`open`.
        """
        try:
            where = self._find(name)
            if isinstance(where, Path):
                return where.stat().st_size
            return self._entry(*where, name).size
        except (FileNotFoundError, NotADirectoryError):
            raise FileMissing("no such file", where=self.where(name)) from None
        except (OSError, ValueError) as error:
            self._refuse(name, error)

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file, as hex.

        Raises:
            DataError: as :meth:`open`.
        """
        import hashlib  # slow to import, and listings hash nothing

        with self.open(name) as file:
            try:
                return hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                self._refuse(name, error)

    def is_file(self, name: str) -> bool:
        """Whether there is such a file; a name that leads out has none."""
        try:
            where = self._find(name)
            return where.is_file() if isinstance(where, Path) else bool(where[0].entry(where[1]))
        except (OSError, ValueError, LeadsOut):
            return False

    def is_dir(self, name: str = "") -> bool:
        """Whether there is such a folder; a name that leads out has none."""
        try:
            where = self._find(name)
            return where.is_dir() if isinstance(where, Path) else where[0].is_dir(where[1])
        except (OSError, ValueError, LeadsOut):
            return False

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return self.is_file(name) or self.is_dir(name)

    def list(self, folder: str = "") -> list[str]:
        """Return the files and folders right in a folder, sorted, by their names from the root.

        An archive that stands for a folder is listed under both names. Files that file managers
        leave (``._a.jpg``, ``.DS_Store``) are not files of a release.

        Raises:
            DataError: there is no such folder, it cannot be read, or a name is not UTF-8.
        """
        from harness.samples.archives import is_litter  # listing tasks loads this module

        if not self.is_dir(folder):
            self._find(folder)  # says so if the name leads out
            raise FileMissing("there is no such folder", where=self.where(folder))
        where = self._find(folder)
        if isinstance(where, Path):
            try:
                names = set(os.listdir(where))  # noqa: PTH208  a hundred thousand paths take seconds
            except OSError as error:
                self._refuse(folder, error)
            if where == self._folder:
                names |= set(self._archives)
        else:
            names = set(where[0].children(where[1]))
        names = {name for name in names if not is_litter(name)}
        start = f"{PurePosixPath(folder)}/" if PurePosixPath(folder).parts else ""
        for name in names:
            if not name.isascii() and name != os.fsencode(name).decode("utf-8", "replace"):
                raise NotReadable(
                    f"a file name in this folder is not UTF-8: {quoted(name)}",
                    where=self.where(folder),
                    fix="rename it, or unpack the archive with the names' own encoding",
                )
        return [f"{start}{name}" for name in sorted(names)]

    def walk(self, folder: str = "") -> Iterator[str]:
        """Yield every file below a folder by its name from the root, sorted within each folder.

        Links to folders are not followed.

        Raises:
            DataError: as :meth:`list`.
        """
        names = self.list(folder)
        plain = self._plain_files(folder)  # of every other one the way from the root is followed
        for name in names:
            if name.rpartition("/")[2] in plain or self.is_file(name):
                yield name
            elif self.is_dir(name) and not self._is_link(name):
                yield from self.walk(name)

    def _plain_files(self, folder: str) -> Set[str]:
        """Return the names of the files right in a folder of the disk that are no links."""
        where = self._find(folder)
        if not isinstance(where, Path):
            return frozenset()
        try:
            with os.scandir(where) as entries:
                names = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
        except OSError as error:
            self._refuse(folder, error)
        return names - set(self._archives) if where == self._folder else names

    def sub(self, folder: str) -> DataRoot:
        """Return a folder as a root of its own.

        Raises:
            DataError: there is no such folder, or its name leads out.
        """
        if not self.is_dir(folder):
            self._find(folder)
            raise FileMissing("there is no such folder", where=self.where(folder))
        return DataRoot(self._place, self._folder, self._archives, self._full(folder))

    def where(self, name: str) -> str:
        """Return where a file lies, for messages."""
        return f"{self}/{name}" if name else str(self)

    def local(self, name: str) -> Path | None:
        """Return a file's own path on the disk, for libraries that read it by themselves.

        ``None`` in an archive.

        Raises:
            DataError: a name that leads out.
        """
        try:
            where = self._find(name)
        except (OSError, ValueError) as error:
            self._refuse(name, error)
        return where if isinstance(where, Path) else None

    def _full(self, name: str) -> str:
        if type(name) is not str:
            raise PluginError(
                f"a file of a release must be named by a text, not by {quoted(name)}",
                fix="give its path from the root, such as 'labels/a.json' (docs/plugins.md)",
            )
        parts = name.split("/")  # pathlib would take longer than opening the file
        if name.startswith("/") or ".." in parts or "\x00" in name:
            where = self.where(name.partition("\x00")[0])
            raise LeadsOut("leads out of the data folder", where=where)
        return "/".join([*filter(None, [self._below]), *(p for p in parts if p not in {"", "."})])

    def _find(self, name: str) -> Path | tuple[Archive, str]:
        """Return a file's path without links, or its archive and its name there."""
        full = self._full(name)
        root_archive = self._archives.get("")
        if root_archive is not None:
            return root_archive, unicodedata.normalize("NFC", full)
        first, _, inner = full.partition("/")
        archive = self._archives.get(unicodedata.normalize("NFC", first))
        if archive is not None:
            return archive, unicodedata.normalize("NFC", inner)
        if not self._has_link(full):
            return self._folder / full
        try:
            path = (self._folder / full).resolve()
            if not full.isascii() and not path.exists():  # macOS writes names in another form
                path = self._folder
                for part in full.split("/"):
                    both = (unicodedata.normalize(form, part) for form in ("NFC", "NFD"))
                    path = next(
                        filter(Path.exists, (path / one for one in (part, *both))), path / part
                    )
                path = path.resolve()
        except RuntimeError as error:  # a loop of links
            raise OSError(str(error)) from None
        if not path.is_relative_to(self._bounds):
            raise LeadsOut(_LINK_OUT, where=self.where(name), fix=_PUT_INSIDE)
        return path

    def _has_link(self, full: str) -> bool:
        """Whether a link lies on a way from the root, or the way does not lead to anything.

        Resolving looks at each folder from ``/`` on, for each file; the root has no links above.
        """
        way = str(self._folder)
        try:
            for part in full.split("/"):
                way = f"{way}/{part}"
                if stat.S_ISLNK(os.lstat(way).st_mode):
                    return True
        except (OSError, ValueError):
            return True
        return False

    def _entry(self, archive: Archive, inside: str, name: str) -> Entry:
        entry = archive.entry(inside)
        if entry is None:
            raise FileMissing("no such file in the archive", where=self.where(name))
        return entry

    def _is_link(self, name: str) -> bool:
        in_archive = not isinstance(self._find(name), Path)
        return not in_archive and (self._folder / self._full(name)).is_symlink()

    def _refuse(self, name: str, error: Exception) -> NoReturn:
        reason = getattr(error, "strerror", None) or "no name of a file"
        raise NotReadable(f"cannot be read: {reason}", where=self.where(name)) from None

    def __str__(self) -> str:
        return f"{self._place}/{self._below}" if self._below else self._place

    def __repr__(self) -> str:
        return f"DataRoot({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataRoot) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash((self._place, self._below))

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return _again, (self._place, self._below)

    def __truediv__(self, name: object) -> NoReturn:
        raise _no_path(f"/ {name!r}", "the name as one text, such as root.open('labels/a.json')")

    def __fspath__(self) -> NoReturn:
        raise _no_path(
            "place on the disk", "open(name), or local(name) for a library's own reading"
        )

    def __getattr__(self, name: str) -> NoReturn:
        if hasattr(PurePath, name) or hasattr(Path, name):
            raise _no_path(repr(name), _INSTEAD.get(name, "open, read_text, list, walk or exists"))
        raise AttributeError(f"'DataRoot' object has no attribute {name!r}")


def data_root(path: Path) -> DataRoot:
    """Return a folder, or an archive as the folder it was made of.

    An archive in a folder stands for the folder of its name, where that one is not there.

    Raises:
        DataError: neither, or an archive that is damaged or not safe to read.
    """
    from harness.samples.archives import Archive, stem  # listing tasks loads this module

    try:
        if path.is_file() and stem(path.name):
            archive = Archive(path)
            archive.check()
            return DataRoot(str(path), path, {"": archive})
        if not path.is_dir():
            missing = not path.exists()
            raise FileMissing(
                "there is no such folder" if missing else "neither a folder nor an archive",
                where=path,
            )
        folder, archives = path.resolve(), dict[str, Archive]()
        for part in sorted(path.iterdir()):
            name = unicodedata.normalize("NFC", stem(part.name))
            folders = (path / name, path / stem(part.name))
            if not name or not part.is_file() or any(map(Path.exists, folders)):
                continue
            if not part.resolve().is_relative_to(_bounds(folder)):
                raise LeadsOut(_LINK_OUT, where=part, fix=_PUT_INSIDE)
            if name in archives:
                raise NotReadable(
                    f"two archives stand for the folder {quoted(name)}: "
                    f"{archives[name].path.name} and {part.name}",
                    where=path,
                    fix="keep one of them here",
                )
            archives[name] = Archive(part)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no name of a file"
        raise NotReadable(f"cannot be read: {reason}", where=str(path)) from None
    return DataRoot(str(path), folder, archives)


def _bounds(folder: Path) -> Path:
    """Return what links of a folder must stay in: itself, or in the hub's cache the dataset."""
    if folder.parent.name == "snapshots" and (folder.parents[1] / "blobs").is_dir():
        return folder.parents[1]
    return folder


@lru_cache(maxsize=8)
def _opened(location: str) -> DataRoot:
    return data_root(Path(location))


def _again(location: str, below: str) -> DataRoot:
    """Return a root in another process; an archive's index is read once there."""
    root = _opened(location)
    return root.sub(below) if below else root


def _no_path(attribute: str, instead: str) -> NoPath:
    return NoPath(
        f"a data root is not a path: it has no {attribute}",
        fix=f"a reader uses {instead} (docs/plugins.md)",
    )
