"""Whatever files of a release hold: samples come, or one short message that names the file.

Every reader that is installed is tried on the drawn release of a task that asks with it.
"""

from __future__ import annotations

import os
import random
import shutil
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import harness
from harness.config.tasks import installed_catalog
from harness.errors import PluginError, SampleError, UserError
from harness.evaluation.plan import Selection, plan_task
from harness.evaluation.requests import RequestMaker
from harness.evaluation.task import Task
from harness.plugins import plugins
from harness.requests import Choose
from harness.samples import Sample
from harness.samples.images import open_image
from harness.samples.roots import data_root
from harness.specs import ChooseSpec
from tests.readers.damage import damages

LONGEST = 1200
"""Characters of a message; the place of a file under a test's folder takes some hundred."""

READERS = sorted(plugins().readers())
FEW = 40


@cache
def tasks() -> dict[str, Task]:
    """Return a task that asks with each reader, its data not drawn yet."""
    expected: dict[str, Task] = {}
    for name in installed_catalog().tasks:
        task = harness.load_task(name, profile="demo")
        expected.setdefault(task.spec.data.reader, task)
    return expected


def copied(reader: str, folder: Path) -> Task:
    """Return a reader's task on a copy of its data: links to the same bytes, to be replaced only.

    A reader that no shipped task asks with fails here: it needs a drawn release too.
    """
    task = tasks()[reader]
    shutil.copytree(str(task.located.root), folder, copy_function=linked, dirs_exist_ok=True)
    return on(task, folder)


def linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copyfile(source, target)


def on(task: Task, folder: Path) -> Task:
    """Return a task that reads a folder anew, with what the source of its data says of them."""
    again = Task(task.spec, task.settings)
    again.__dict__["located"] = replace(task.located, root=data_root(folder))
    return again


def put(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def samples_of(task: Task, *, plans: bool) -> list[Sample]:
    """Return a task's samples, by a plan if so wanted, as a run makes it."""
    if plans:
        return [sample for block in plan_task(task, Selection()).stream() for sample in block]
    return list(task.samples())


def ask(task: Task, listed: frozenset[str], *, plans: bool) -> None:
    """Make requests of a task's samples, and open the images that the undamaged release lacks."""
    samples = samples_of(task, plans=plans)
    maker = RequestMaker(task, opens_images=False)
    labels = task.spec.labels if isinstance(task.spec.ask, ChooseSpec) else ()
    for requested in maker.block(samples if plans else samples[:FEW]):
        requested.sample.id.encode()
        target = requested.sample.target
        assert not labels or not isinstance(target, str) or target in labels, target
        if requested.request is not None and isinstance(requested.request.want, Choose):
            assert all(requested.request.want.options)
        for image in requested.sample.images:
            if image.name not in listed:
                with suppress(SampleError):
                    open_image(image)


def names_of(samples: list[Sample]) -> frozenset[str]:
    return frozenset(image.name for sample in samples for image in sample.images)


def refusal(
    task: Task, folder: Path, listed: frozenset[str], tried: str, *, plans: bool = False
) -> str:
    """Return the message with which a damaged release is refused; nothing where it is read."""
    try:
        ask(on(task, folder), listed, plans=plans)
    except PluginError as error:
        pytest.fail(f"{tried}: {error!s:.600}")
    except UserError as error:
        message = str(error)
        assert len(message) <= LONGEST, f"{tried}: {message[:300]}"
        assert str(folder) in message, f"{tried}: {message[:300]}"
        return message
    except Exception as error:  # noqa: BLE001  what must not come
        pytest.fail(f"{tried}: {error!r:.600}")
    return ""


def files_of(task: Task) -> list[str]:
    """Return the first and the last of a split's annotation files."""
    names = task.reader.annotations(task.located.root, task.spec.data.split)
    return list(dict.fromkeys((names[0], names[-1]))) if names else []


@pytest.mark.parametrize("seeds", [1, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("reader", READERS)
def test_damage_is_read_or_one_short_message(tmp_path: Path, reader: str, seeds: int) -> None:
    task = copied(reader, tmp_path)
    listed = names_of(samples_of(task, plans=False))
    names = files_of(task)
    for name in names if seeds > 1 else names[:1]:
        path = tmp_path / name
        data = path.read_bytes()
        refused = 0
        for kind, damage in damages(name, data).items():
            for seed in range(seeds):
                put(path, damage(data, random.Random(f"{kind} {seed}")))
                tried = f"{name}: {kind} {seed}"
                refused += bool(refusal(task, tmp_path, listed, tried, plans=seeds > 1))
        assert refused
        path.unlink()
        assert refusal(task, tmp_path, listed, f"{name}: not there")
        path.mkdir()
        assert refusal(task, tmp_path, listed, f"{name}: a folder")
        path.rmdir()
        path.write_bytes(data)
    beside(task, tmp_path, listed)
    images(task, tmp_path)


STRANGE = (
    "x.jpg", "Thumbs.db", ".DS_Store", "a b.png", "n\u00e9.jpg", "line\nend.jpg",
    "x" * 200 + ".jpg", os.fsdecode(b"caf\xe9.jpg"),
)  # fmt: skip


def beside(task: Task, folder: Path, listed: frozenset[str]) -> None:
    """Put things beside what a release has: they are refused or passed over, and no fault."""
    first = folder / min(listed)
    path = first.parent if first.is_file() else folder
    for name in STRANGE:
        (path / name).write_bytes(b"nothing")
    (path / "a loop").symlink_to(folder)
    refusal(task, folder, listed, "strange names, all of them")
    for name in STRANGE[:-1]:
        (path / name).unlink()
    refusal(task, folder, listed, "a name that is not UTF-8")
    (path / STRANGE[-1]).unlink()
    refusal(task, folder, listed, "a loop of links")
    (path / "a loop").unlink()


def images(task: Task, folder: Path) -> None:
    """Damage the first sample's image: it is a fault of the sample, and of no other."""
    first = next(iter(task.samples()))
    if first.images[0].root is None:  # it lies in the annotations
        return
    path = folder / first.images[0].name
    data = path.read_bytes()
    for kind, content in {
        "nothing": b"", "noise": b"noise" * 99, "truncated": data[: len(data) // 2],
        "its head alone": data[:24],
    }.items():  # fmt: skip
        put(path, content)
        (requested,) = RequestMaker(task).block([first])
        assert requested.error is not None, kind
        assert len(str(requested.error)) <= LONGEST
    path.unlink()
    path.mkdir()
    (requested,) = RequestMaker(task).block([first])
    assert requested.error is not None
    assert "a folder" in str(requested.error) or requested.error.kind.startswith("image_")
