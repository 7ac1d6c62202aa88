"""The kit of readers: streams, ids, the same samples from any place, and reports of damage."""

from __future__ import annotations

import pickle
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, PluginError, SampleError
from harness.guard import not_plain
from harness.readers.contract import HashesContents, Reader
from harness.readers.guard import guarded_reader
from harness.samples import DataRoot, ImageRef, Sample
from harness.samples.images import open_image
from harness.samples.roots import data_root

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.kits.tasks import task_using
from harness_authoring.subjects import Subject

_MOST = 5_000  # samples that are looked at
_OPENED = 20  # images that are opened
_COPIED = 200 << 20  # bytes of data that are copied into an archive, or to be damaged
_GARBAGE = bytes(range(256)) * 8


@dataclass(slots=True)
class _Data:
    """A folder of data with the options and the split that go with it."""

    root: DataRoot
    folder: Path
    split: str
    options: dict[str, Any]


def _data(subject: Subject) -> _Data:
    if "data" not in subject.cache:
        subject.cache["data"] = _located(subject)
    data: _Data = subject.cache["data"]
    return data


def _located(subject: Subject) -> _Data:
    options: dict[str, Any] = {}
    task = task_using(subject)
    if task is not None:
        options = {**task.spec.data.options, **task.located.reader_options}
        declared = {option.name for option in subject.descriptor.options}
        handed = {"unit": task.spec.unit, "choose_labels": [*task.spec.labels]}
        options |= {name: value for name, value in handed.items() if name in declared}
        split = subject.split or task.spec.data.split
        return _Data(task.located.root, Path(str(task.located.root)), split, options)
    if subject.data is None:
        raise NotApplicableError("no task uses it, so there are no data: give them with --data")
    split = subject.split or next(iter(subject.descriptor.splits), "test")
    return _Data(data_root(subject.data), subject.data, split, options)


def _reader(subject: Subject) -> Reader:
    return guarded_reader(subject.make(**_data(subject).options), subject.contract)


def _read(subject: Subject, root: DataRoot | None = None) -> list[Sample]:
    data = _data(subject)
    return list(islice(_reader(subject).samples(root or data.root, data.split), _MOST))


def _samples(subject: Subject) -> list[Sample]:
    if "samples" not in subject.cache:
        subject.cache["samples"] = _read(subject)
        if not subject.cache["samples"]:
            raise ContractError(f"the split {_data(subject).split!r} has no sample")
    samples: list[Sample] = subject.cache["samples"]
    return samples


def named_files(subject: Subject) -> None:
    """Name files that are there, once each, by their way from the root."""
    data, reader = _data(subject), _reader(subject)
    names = list(reader.annotations(data.root, data.split))
    opened: list[str] = []
    with _listening(opened):
        _read(subject)
    # Small files may enter the hash of a file that is named, as RAF-DB's attributes do.
    hashed: list[str] = []
    if isinstance(reader, HashesContents):
        with _listening(hashed):
            for name in names:
                reader.content_hash(data.root, name)
    images = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
    files = {str((data.folder / name).resolve()) for name in names}
    inside = {path for path in opened if Path(path).is_relative_to(data.folder.resolve())}
    if unnamed := {
        path for path in inside - files - set(hashed) if not path.lower().endswith(images)
    }:
        raise ContractError(
            f"{Path(min(unnamed)).name!r} is read and neither named nor hashed, so it enters no "
            "fingerprint"
        )
    if not names:
        raise NotApplicableError("it lists no file: it only reads names of images")
    if len(set(names)) != len(names):
        raise ContractError("a file is listed twice")
    for name in names:
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            raise ContractError(f"{name!r} is not a path relative to the root")
        if not data.root.is_file(name):
            raise ContractError(f"{name!r} is listed but does not exist")
    if list(_reader(subject).annotations(data.root, data.split)) != names:
        raise ContractError("a second call lists other files")
    if isinstance(reader, HashesContents):
        hashes = [reader.content_hash(data.root, name) for name in names]
        if hashes != [_reader_hash(subject, name) for name in names]:
            raise ContractError("the hash of an annotation file changes")


def _reader_hash(subject: Subject, name: str) -> str:
    reader: Any = _reader(subject)
    text: str = reader.content_hash(_data(subject).root, name)
    return text


def streaming(subject: Subject) -> None:
    """Yield samples one by one, and open no image."""
    data = _data(subject)
    made = subject.make(**data.options)
    stream = made.samples(data.root, data.split)
    if not isinstance(stream, Iterator):
        raise ContractError(f"samples returns {type(stream).__name__}: yield them one by one")
    opened: list[str] = []
    with _listening(opened):
        read = list(islice(stream, _MOST))
    files = {_path(data, ref) for sample in read for ref in sample.images if _is_file(ref)}
    if touched := files.intersection(opened):
        raise ContractError(
            f"the image {Path(min(touched)).name!r} is opened while samples are read"
        )


def ids(subject: Subject) -> None:
    """Give each sample an id and a cluster of its own, without a folder of this machine."""
    seen: set[str] = set()
    folder = str(_data(subject).folder.resolve())
    for sample in _samples(subject):
        if not sample.id or sample.id in seen:
            raise ContractError(
                f"the id {sample.id!r} {'is empty' if not sample.id else 'repeats'}"
            )
        seen.add(sample.id)
        if not sample.cluster:
            raise ContractError(f"sample {sample.id!r} has no cluster")
        for text in (sample.id, sample.cluster, *(ref.name for ref in sample.images)):
            if folder in text:
                raise ContractError(f"sample {sample.id!r} names a folder of this machine: {text}")


def values(subject: Subject) -> None:
    """Give targets, fields and groups as plain data; groups say who labelled them."""
    for sample in _samples(subject):
        for name, value in (("target", sample.target), ("fields", dict(sample.fields))):
            if fault := not_plain(value):
                raise ContractError(f"sample {sample.id!r}: {name} is not plain data: {fault}")
        for name, group in sample.groups.items():
            if not isinstance(group.value, str) or not group.value:
                raise ContractError(f"sample {sample.id!r}: group {name!r} has no value")


def images(subject: Subject) -> None:
    """Give images that open, or say which do not; references can be pickled."""
    opened = 0
    refs = [ref for sample in _samples(subject) for ref in sample.images]
    for ref in refs[:_OPENED]:
        try:
            open_image(pickle.loads(pickle.dumps(ref)))  # noqa: S301  what was just written
            opened += 1
        except SampleError:
            continue
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ContractError(
                f"the reference to {ref.name!r} cannot be pickled: {error}"
            ) from error
    if refs and not opened:
        raise ContractError(f"of {len(refs[:_OPENED])} images none can be opened")


def determinism(subject: Subject) -> None:
    """Yield the same samples in the same order, again and by another reader."""
    _same("read again", _samples(subject), _read(subject))


def archive(subject: Subject) -> None:
    """Yield the same samples of a zip file as of a folder."""
    data = _data(subject)
    with tempfile.TemporaryDirectory() as name:
        packed = Path(name) / "data.zip"
        with zipfile.ZipFile(packed, "w") as target:
            for path in _files(data):
                target.write(path, path.relative_to(data.folder))
        # The only folder of an archive is its root.
        samples = _read(subject, data_root(packed))
        _same("read from a zip file", _samples(subject), samples, places=False)


def splits(subject: Subject) -> None:
    """Refuse a split that is not there in a message, or find no file of it."""
    data, reader = _data(subject), _reader(subject)
    unknown = "no_such_split"
    try:
        names = list(reader.annotations(data.root, unknown))
        if not all(data.root.is_file(name) for name in names):
            return
        if next(iter(reader.samples(data.root, unknown)), None) is not None:
            raise ContractError(f"the split {unknown!r} has samples")
    except PluginError as error:
        raise ContractError(f"the split {unknown!r}: {error.message}") from None
    except HarnessError:
        return


def damage(subject: Subject) -> None:
    """Say of a damaged annotation file which it is, in one message; never raise anything else."""
    data = _data(subject)
    names = list(_reader(subject).annotations(data.root, data.split))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "data"
        for path in _files(data):
            target = copy / path.relative_to(data.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        for name in names[:3]:
            intact = (copy / name).read_bytes()
            for how, change in _DAMAGES.items():
                (copy / name).write_bytes(change(intact))
                _read_damaged(subject, copy, name, how)
            (copy / name).write_bytes(intact)


_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut in its middle": lambda intact: intact[: len(intact) // 2],
    "replaced by other bytes": lambda _: _GARBAGE,
    "with a line of other bytes": lambda intact: intact + b"\n\xff\xfe\x00\x81,,,{\n",
    "written as UTF-16": lambda intact: intact.decode("latin-1").encode("utf-16"),
}


def _read_damaged(subject: Subject, folder: Path, name: str, how: str) -> None:
    data, root = _data(subject), data_root(folder)
    try:
        samples = list(islice(_reader(subject).samples(root, data.split), _MOST))
    except PluginError as error:
        raise ContractError(f"{name} {how}: {error.message}") from None
    except HarnessError as error:
        if name.rpartition("/")[2] not in str(error):
            raise ContractError(
                f"{name} {how}: the message names no file: {error.message}"
            ) from None
        return
    if samples and how == "replaced by other bytes" and len(_names(subject)) == 1:
        raise ContractError(
            f"{name} {how}: {len(samples)} samples are read from it without an error"
        )


def _names(subject: Subject) -> Sequence[str]:
    data = _data(subject)
    return list(_reader(subject).annotations(data.root, data.split))


def _files(data: _Data) -> list[Path]:
    """Return the files of a folder, where it is one and small enough to be copied."""
    if not data.folder.is_dir():
        raise NotApplicableError("the data are not in a folder")
    paths, size = [], 0
    for path in sorted(data.folder.rglob("*")):
        if path.is_file():
            paths.append(path)
            size += path.stat().st_size
            if size > _COPIED:
                raise NotApplicableError(f"the data have more than {_COPIED >> 20} MiB")
    return paths


def _same(
    how: str, first: Sequence[Sample], second: Sequence[Sample], *, places: bool = True
) -> None:
    if len(first) != len(second):
        raise ContractError(f"{how}: {len(second)} samples, not {len(first)}")
    for sample, other in zip(first, second, strict=True):
        if _plain(sample, places=places) != _plain(other, places=places):
            raise ContractError(
                f"{how}: sample {other.id!r} is not the same as {sample.id!r} before"
            )


def _plain(sample: Sample, *, places: bool) -> tuple[Any, ...]:
    """Return what a sample says, images with or without the folders they lie in."""
    names = [ref.name if places else ref.name.rpartition("/")[2] for ref in sample.images]
    refs = tuple(zip(names, (ref.data for ref in sample.images), strict=True))
    return (
        sample.id, refs, sample.target, sample.cluster, dict(sample.fields), dict(sample.groups),
        sample.boxes, sample.stratum, dict(sample.notes), sample.fault,
    )  # fmt: skip


def _is_file(ref: ImageRef) -> bool:
    return ref.root is not None and ref.data is None and ref.load is None


def _path(data: _Data, ref: ImageRef) -> str:
    return str((data.folder / ref.name).resolve())


class _Listener:
    """An audit hook cannot be removed, so there is only one, which is switched on and off."""

    def __init__(self) -> None:
        self.into: list[str] | None = None
        self.added = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.into is not None and event == "open" and isinstance(arguments[0], str):
            self.into.append(arguments[0])


_LISTENER = _Listener()


@contextmanager
def _listening(into: list[str]) -> Iterator[None]:
    if not _LISTENER.added:
        sys.addaudithook(_LISTENER)
        _LISTENER.added = True
    _LISTENER.into = into
    try:
        yield
    finally:
        _LISTENER.into = None


CHECKS = (
    Check("annotations", "names its files, which are there, always the same", named_files),
    Check("streaming", "samples come one by one; no image is opened", streaming),
    Check("ids", "each id once; no folder of this machine in it", ids),
    Check("values", "targets, fields and groups are plain data", values),
    Check("images", "images open; references can be pickled", images),
    Check("determinism", "the same samples in the same order", determinism),
    Check("archive", "the same samples from a zip file", archive),
    Check("splits", "a split that is not there is refused or has no files", splits),
    Check("damage", "a damaged file is named in one message", damage),
)
