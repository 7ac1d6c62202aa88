"""A results folder in a world of faults: one message, exit 2, and nothing computed is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import invoke, main
from harness.errors import UserError
from harness.models.majority import Majority
from harness.runs.folder import is_written
from harness.runs.journal import Journal, encode
from harness.runs.lock import writing
from harness.runs.seal import SEAL, seal, write_whole
from tests.runs.sealed import answers, sample, write

Capture = pytest.CaptureFixture[str]
NOBODY = 65534
RUN = ("run", "--model", "majority", "--tasks", "raf_db", "--limit", "70", "--results", "r")


@pytest.fixture(scope="module")
def drawn() -> Iterator[Path]:
    """Return a folder of drawn data that anyone may look into: permissions bind no superuser."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, drawn: Path) -> Iterator[Path]:
    """Work in a folder that anyone may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HARNESS_CACHE", str(drawn))
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a while, where the tests are run by root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def ended(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = invoke(main, list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def is_one_message(err: str) -> bool:
    return err.count("error:") == 1 and "Traceback" not in err and len(err) < 600


def evaluation(results: str = "r") -> Path:
    return next(path for path in Path(results, "evaluations", "raf_db").iterdir())


def read_only(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "run.json"

    def slow() -> Iterator[bytes]:
        yield b"one"
        write_whole(path, [b"another"])
        assert path.read_bytes() == b"another"

    write_whole(path, slow())
    assert path.read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link.json", tmp_path / "pipe"
    link.symlink_to("far/away/run.json")
    write_whole(link, [b"new"])
    assert link.is_symlink()
    assert Path(tmp_path, "far/away/run.json").read_bytes() == b"new"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, [b"through"])
        assert os.read(reading, 100) == b"through"
    finally:
        os.close(reading)
    write_whole(Path("/dev/null"), [b"gone"])
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()
    for path in (tmp_path / ("x" * 300), tmp_path / "link.json" / "in a file"):
        with pytest.raises(UserError, match="cannot be written"):
            write_whole(path, [b"new"])


def test_a_file_that_cannot_be_written_stays_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_whole(path, [b"old"])

    def full() -> Iterator[bytes]:
        yield b"new"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UserError, match="No space left") as caught:
        write_whole(path, full())
    assert caught.value.exit_code == 2
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_when_sealing_loses_no_answer(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    del here
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _full_after(1))  # what the evaluation will be is written
        code, _, err = ended(capsys, *RUN)
    assert (code, is_one_message(err)) == (2, True), err
    assert "No space left" in err
    assert Journal(evaluation()).samples == 70
    monkeypatch.setattr(Majority, "load", _never)
    code, out, err = ended(capsys, *RUN)
    assert code == 0, err
    assert "continues at 70" in out


def _never(*_: object) -> None:
    raise AssertionError("everything was answered")


def _full_after(number: int) -> Callable[[int], None]:
    """Return a disk's sync that fails once it was called so many times."""
    left = iter(range(number))

    def sync(_: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return sync


@pytest.mark.parametrize(
    ("place", "is_folder"),
    [
        ("r/evaluations", False),
        ("r/evaluations/raf_db", False),
        ("r", False),
        ("EVALUATION/metrics.json", True),
        ("EVALUATION/seal.json", True),
        ("EVALUATION/journal", False),
    ],
)
def test_something_else_where_a_file_or_folder_should_be(
    here: Path, capsys: Capture, place: str, *, is_folder: bool
) -> None:
    del here
    if "EVALUATION" in place:
        assert ended(capsys, *RUN)[0] == 0
        folder = evaluation()
        (folder / SEAL).unlink()
        path = folder / place.rpartition("/")[2]
        path.unlink(missing_ok=True)
    else:
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
    if is_folder:
        path.mkdir()
    else:
        path.write_text("taken")
    code, _, err = ended(capsys, *RUN)
    assert (code, is_one_message(err)) == (2, True), err


@pytest.mark.parametrize("name", ["seal.json", "samples.jsonl", "evaluation.json", "metrics.json"])
def test_a_pipe_where_a_file_should_be_is_not_waited_for(
    here: Path, capsys: Capture, name: str
) -> None:
    good, bad = (write(here / "r" / model, answers(), model=model) for model in ("good", "bad"))
    (bad / name).unlink()
    os.mkfifo(bad / name)
    code, out, err = ended(capsys, "leaderboard", "r", "--format", "csv")
    assert code == 0
    assert good.name in out
    assert f"left out: {Path('r', 'bad', name)}: " in err


def test_a_lock_or_a_segment_that_is_a_pipe_is_not_waited_for(here: Path) -> None:
    os.mkfifo(here / ".lock")
    with pytest.raises(UserError, match="the folder cannot be written"), writing(here):
        pass
    assert not is_written(here)
    (here / "journal").mkdir()
    os.mkfifo(here / "journal" / "1-1.jsonl")
    with pytest.raises(UserError, match="is not a file"):
        Journal(here)


def test_a_name_that_is_too_long(here: Path, capsys: Capture) -> None:
    del here
    for name in ("n" * 300, "/".join(["n" * 200] * 30)):
        code, _, err = ended(capsys, *RUN[:-1], name)
        assert (code, err.count("error:"), "Traceback" in err) == (2, 1, False), err
        assert "too long" in err


def test_a_results_folder_that_may_not_be_written(here: Path, capsys: Capture) -> None:
    (here / "r").mkdir()
    assert ended(capsys, "run", *RUN[1:-1], "other")[0] == 0  # draws the data
    with unprivileged():
        code, _, err = ended(capsys, *RUN)
    assert (code, is_one_message(err)) == (2, True), err
    assert "cannot be written: Permission denied" in err


def test_a_sealed_archive_that_is_only_read_returns_at_once(here: Path, capsys: Capture) -> None:
    assert ended(capsys, *RUN)[0] == 0
    files = {path: path.stat().st_mtime_ns for path in (here / "r").rglob("*")}
    read_only(here / "r")
    with unprivileged():
        code, out, err = ended(capsys, *RUN)
    assert (code, err) == (0, "")
    assert "done" in out
    assert {path: path.stat().st_mtime_ns for path in (here / "r").rglob("*")} == files
    shutil.rmtree(here / "r" / "runs")
    (here / "r").chmod(0o555)
    with unprivileged():
        code, out, err = ended(capsys, *RUN)
    assert code == 0
    assert "the run's manifest was not" in " ".join(out.split())


def test_a_folder_that_may_not_be_looked_into_is_said(here: Path, capsys: Capture) -> None:
    for name in ("open", "closed"):
        write(here / "r" / "evaluations" / name / "one", answers(), model=name)
    (here / "r" / "evaluations" / "closed").chmod(0)
    with unprivileged():
        code, out, err = ended(capsys, "leaderboard", "r", "--format", "csv")
        strict, _, _ = ended(capsys, "leaderboard", "r", "--strict")
    assert code == 0
    assert "open" in out
    assert "closed: cannot be looked into: Permission denied" in err
    assert strict == 1


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"format": ' + b"1" * 5_000 + b', "sha256": {}}',
        b'{"format": 1e999, "sha256": {}}',
        b'{"format": 1, "sha256": []}',
        b"\xff\xfe",
        b"3",
    ],
)
def test_one_damaged_seal_costs_one_row(here: Path, capsys: Capture, content: bytes) -> None:
    good, bad = (write(here / "r" / name, answers(), model=name) for name in ("good", "bad"))
    (bad / SEAL).write_bytes(content)
    code, out, err = ended(capsys, "leaderboard", "r", "--format", "csv")
    assert code == 0
    assert good.name in out
    assert f"left out: {Path('r') / 'bad' / SEAL}: the seal is damaged" in err
    assert ended(capsys, "leaderboard", "r", "--strict")[0] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"counts": {"samples": "many"}},
        {"counts": []},
        {"model": "x"},
        {"model": {"id": "x", "fingerprint": "f", "options": {}, "training": {"recipe": "ft"}}},
        {"marks": [1]},
        {"task": {"id": 3}},
        {"images": 3},
    ],
)
def test_one_record_of_the_wrong_shape_costs_one_row(
    here: Path, capsys: Capture, change: dict[str, Any]
) -> None:
    write(here / "r" / "good", answers(), model="good")
    bad = write(here / "r" / "bad", answers(), model="bad")
    path = bad / "evaluation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    (bad / SEAL).unlink()
    seal(bad)
    code, _, err = ended(capsys, "leaderboard", "r", "--format", "csv")
    assert code == 0
    assert "bad: not an evaluation record" in err


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"[]", b'{"evaluations": 3}', b'{"evaluations": [3]}', b"\xff"]
)
def test_a_manifest_that_is_none(here: Path, capsys: Capture, content: bytes) -> None:
    (here / "run.json").write_bytes(content)
    code, _, err = ended(capsys, "leaderboard", "run.json")
    assert (code, is_one_message(err)) == (2, True), err


def test_a_line_with_other_spaces_is_refused_before_it_is_copied(
    here: Path, capsys: Capture
) -> None:
    del here
    assert ended(capsys, *RUN)[0] == 0
    samples = (evaluation() / "samples.jsonl").read_text("utf-8").splitlines()
    journal = begun(capsys) / "journal" / "0000.jsonl"
    body = json.dumps([0, [json.loads(line) for line in samples[:64]]]).encode()
    journal.write_bytes(b"%08x " % zlib.crc32(body) + body + b"\n")
    code, _, err = ended(capsys, *RUN)
    assert (code, is_one_message(err)) == (2, True), err
    assert "0000.jsonl:1: this line was not written by a run of this evaluation" in err


@pytest.mark.parametrize(
    "value",
    [
        3,
        [0, [{"id": "a"}]],
        [-1, [{"text": "no note"}]],
        *(
            pytest.param(value, marks=pytest.mark.slow)
            for value in (
                [0],
                ["0", []],
                [0, {}],
                [0, ["text"]],
                [0, [{**sample("test_0001", "fear", "fear"), "error": "text"}] * 64],
                [0, [sample("test_0001", "fear", "fear")]],
                [7, [sample("test_0001", "fear", "fear")] * 64],
                [-2, []],
            )
        ),
    ],
)
def test_a_whole_line_of_the_wrong_shape_is_refused(
    here: Path, capsys: Capture, value: Any
) -> None:
    del here
    folder = begun(capsys)
    body = json.dumps(value, separators=(",", ":")).encode()
    line = b"%08x " % zlib.crc32(body) + body + b"\n"
    (folder / "journal" / "0000.jsonl").write_bytes(line)
    code, _, err = ended(capsys, *RUN)
    assert (code, is_one_message(err)) == (2, True), err
    assert "0000.jsonl:1: this line was not written by a run of this evaluation" in err
    assert (
        ended(capsys, "results", "rm", f"raf_db/{folder.name}", "--results", "r", "--yes")[0] == 0
    )
    assert ended(capsys, *RUN)[0] == 0


def test_a_journal_of_other_samples_is_not_sealed(here: Path, capsys: Capture) -> None:
    del here
    folder = begun(capsys)
    other = [sample(f"other_{number}", "fear", "fear") for number in range(64)]
    (folder / "journal" / "0000.jsonl").write_bytes(encode(0, other))
    code, _, err = ended(capsys, *RUN)
    assert (code, is_one_message(err)) == (2, True), err
    assert "samples that are not in the plan" in err
    assert not (folder / SEAL).exists()


def begun(capsys: Capture) -> Path:
    """Begin an evaluation and leave it unfinished; return its folder."""
    assert ended(capsys, *RUN)[0] == 0
    folder = evaluation()
    for path in folder.glob("*.json*"):
        path.unlink()
    (folder / "journal").mkdir()
    return folder


def test_a_clock_that_stands_still_seals_all_the_same(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    del here
    monkeypatch.setattr("harness.evaluation.writer.time.perf_counter", lambda: 1.0)
    assert ended(capsys, *RUN)[0] == 0
    clocks = json.loads((evaluation() / "timings.json").read_text())
    assert (clocks["seconds"], clocks["samples_per_second"]) == (0.0, None)
