"""Pictures opened by processes: what comes of it is what comes of opening them here."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

import harness
from harness.errors import SampleError, UserError
from harness.evaluation.images import Opened, Workers, ahead, open_images
from harness.runs.seal import SEALED
from harness.samples import Box, ImageRef, Sample
from harness.samples.images import FRAMES, open_image
from harness.samples.roots import data_root
from harness.samples.views import View
from tests.evaluation.test_run import HERE, LOOK, PATH, look
from tests.plugins.benchmarks.people import counterfactuals, parquet, picture, shard

Faces = Callable[[int], Path]
LIMIT = partial(open_image, max_pixels=10_000)
STOPPED = "interrupted; what is finished is kept, the same command continues"


def said(opened: list[Opened]) -> list[object]:
    return [
        (
            item.files,
            [(image.key, image.pixels.tobytes()) for image in item.shown],
            item.error and (item.error.kind, item.error.message),
        )
        for item in opened
    ]


def of_disk(root: Path, number: int = 12) -> list[Sample]:
    """Return samples of two a picture; the picture of the third and fourth is missing."""
    (root / "images").mkdir(parents=True)
    for index in range(0, number, 2):
        if index != 2:
            (root / "images" / f"{index}.png").write_bytes(picture(index))
    there = data_root(root)
    box = Box("person", 0, 0, 1, 1, "relative")
    return [
        Sample(
            str(index),
            (ImageRef(f"images/{index // 2 * 2}.png", there),),
            None,
            "",
            boxes=(box,),
        )
        for index in range(number)
    ]


def files(results: Path) -> dict[str, bytes]:
    (seal,) = results.rglob("seal.json")
    return {name: (seal.parent / name).read_bytes() for name in (*SEALED, "seal.json")}


def test_processes_open_what_a_thread_opens(tmp_path: Path) -> None:
    from harness.readers.parquet import EmbeddedImage

    notes: list[str] = []
    disk = of_disk(tmp_path / "disk")
    of_disk(tmp_path / "in_zip")
    packed = tmp_path / "release"
    packed.mkdir()
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-c", packed / "in_zip.zip", tmp_path / "in_zip/images"],
        check=True,
    )
    archived = [
        Sample(
            entries.id,
            (ImageRef(entries.images[0].name, data_root(packed).sub("in_zip")),),
            None,
            "",
        )
        for entries in disk
    ]
    table = parquet(
        tmp_path / "a.parquet", [{"image": {"bytes": picture(row), "path": ""}} for row in range(7)]
    )
    embedded = [
        Sample(
            str(row),
            (ImageRef(f"a:{row}", load=EmbeddedImage(data_root(tmp_path), table.name, row)),),
            None,
            "",
        )
        for row in range(9)  # two rows that are not there
    ]
    entries = [
        Sample("held", (ImageRef("x", data=picture(3)), ImageRef("y", data=b"GIF")), None, "")
    ]
    with Workers(2, notes.append) as workers:
        for samples, view in (
            (disk, View(crop=True, colours=("red",))),
            (disk, View()),
            (archived, View()),
            (embedded, View()),
            (entries, View()),
        ):
            folder = said(open_images(samples, view, LIMIT))
            assert said(workers.open(samples, view, LIMIT)) == folder
    assert not notes
    assert [
        open_image.error and open_image.error.kind
        for open_image in open_images(disk, View(), LIMIT)
    ][1:4] == [
        None,
        "image_missing",
        "image_missing",
    ]


def test_a_reference_that_cannot_be_pickled_is_opened_here() -> None:
    samples = [
        Sample("a", (ImageRef("a", load=lambda: picture(1)),), None, ""),
        Sample("b", (ImageRef("b", data=picture(2)),), None, ""),
    ]
    with Workers(1, print) as workers:
        opened = workers.open(samples, View(), LIMIT)
    assert said(opened) == said(open_images(samples, View(), LIMIT))
    assert [item.error for item in opened] == [None, None]


def test_a_process_that_dies_costs_one_note(tmp_path: Path) -> None:
    notes: list[str] = []
    samples = of_disk(tmp_path)
    killer = [Sample("k", (ImageRef("k", load=_Kills(os.getpid(), picture(1))),), None, "")]
    with Workers(1, notes.append) as workers:
        opened = [workers.open(each, View(), LIMIT) for each in (killer, samples)]
    assert said(opened[0])[0][0]  # type: ignore[index]
    assert said(opened[1]) == said(open_images(samples, View(), LIMIT))
    (note,) = notes
    assert "--workers" in note
    assert "nothing is lost" in note


class _Kills:
    """Kills every process that opens it but one."""

    def __init__(self, spares: int, data: bytes) -> None:
        self.spares, self.data = spares, data

    def __call__(self) -> bytes:
        if os.getpid() != self.spares:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.data


def test_a_fault_comes_out_of_a_process_whole() -> None:
    fault = SampleError("image_empty", "a.jpg: the file is empty")
    error = pickle.loads(pickle.dumps(fault))  # noqa: S301
    assert (error.kind, error.message) == ("image_empty", "a.jpg: the file is empty")


def test_records_are_the_same_with_and_without_workers(faces: Faces, tmp_path: Path) -> None:
    images = faces(150) / "basic" / "Image" / "aligned"
    (images / "test_0004_aligned.jpg").unlink()
    (images / "test_0099_aligned.jpg").write_bytes(b"no image")
    for number in ("0", "2"):
        ended = look(tmp_path / number, "--workers", number, "--max-errors", "0.5")
        assert ended.returncode == 0, ended.stderr
    assert files(tmp_path / "2") == files(tmp_path / "0")


@pytest.mark.slow
def test_records_of_shards_are_the_same_with_and_without_workers(
    faces: Faces, tmp_path: Path
) -> None:
    faces(1)
    rows = [row for number in range(40) for row in counterfactuals("cook", number)]
    for row in rows[7::12]:
        row["image"]["bytes"] = b"no image"
    shard(tmp_path / "shards", rows)
    command = [
        sys.executable, "-c", LOOK, "run", "--model", "looker", "--tasks", "scounter",
        "--data", "scounter=shards", "--max-errors", "0.5", "--workers",
    ]  # fmt: skip
    for number in ("0", "2"):
        ended = subprocess.run(
            [*command, number, "--results", number],
            env={**os.environ, "PYTHONPATH": PATH},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
    assert files(tmp_path / "2") == files(tmp_path / "0")
    assert b"image_unreadable" in files(tmp_path / "2")["samples.jsonl"]


@pytest.mark.slow
def test_ctrl_c_says_one_line_and_the_run_continues(faces: Faces, tmp_path: Path) -> None:
    faces(150)
    command = [
        sys.executable, "-c", LOOK, "run", "--model", "looker", "--tasks", "raf_db",
        "--data", "raf_db=raf", "--results", "stopped", "--workers", "2",
    ]  # fmt: skip
    running = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(HERE), "LOOKER_SLEEPS": "30"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # a terminal sends Ctrl-C to the whole group
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        text=True,
    )
    while running.poll() is None and not list(Path("stopped").rglob("journal")):
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(running.pid, signal.SIGINT)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    # One line that the task begins, one that it was stopped; no worker says anything.
    begun, *stopped = stderr.splitlines()
    assert begun == "raf_db: 150 samples"
    assert " ".join(stopped).split() == STOPPED.split()
    look(tmp_path / "whole")
    assert look(tmp_path / "stopped", "--workers", "1").returncode == 0
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")


def test_workers_load_no_model_library() -> None:
    code = (
        "import sys, harness.evaluation.images\n"
        "assert not {'torch', 'pandas', 'pyarrow', 'transformers', 'scipy'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_fewer_than_no_workers_are_refused() -> None:
    with pytest.raises(UserError, match=r"workers of .* at least 0"):
        harness.run("null", "raf_db", workers=-1)


def test_the_next_item_is_made_while_this_one_is_looked_at() -> None:
    begun = {item: Event() for item in range(3)}

    def work(item: int) -> int:
        begun[item].set()
        return -item

    collected = []
    for result in ahead(range(3), work):
        following = begun.get(1 - result)
        assert following is None or following.wait(timeout=60)
        collected.append(result)
    assert collected == [0, -1, -2]
    assert list(ahead([], work)) == []


@pytest.mark.parametrize(("size", "most"), [(0, 1), (1, 4), (200 << 20, 2), (1 << 40, 1)])
def test_as_many_items_are_made_ahead_as_memory_holds(size: int, most: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(12):
            taken.append(item)
            yield item

    ready = ahead(items(), lambda item: item, lambda _: size)
    for at, result in enumerate(ready):
        assert result == at
        # Before the first result its size is not known.
        assert len(taken) == min(12, at + 1 + (most if at else 1))


def test_what_work_raises_comes_at_its_place() -> None:
    made = ahead([2, 1, 0, 5], lambda item: 1 / item)
    assert [next(made), next(made)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_what_is_not_shown_of_an_image_is_noted_of_its_sample(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    refs = (ImageRef("a.gif", data_root(tmp_path)),)
    (opened,) = open_images([Sample("a", refs, None, "a")], View())
    assert opened.notes == {FRAMES: 1}
