"""A run: what it leaves, what it does not compute again, and how it survives being killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.errors import UserError
from harness.evaluation.requests import NOT_THERE
from harness.runs.lock import writing
from harness.runs.record import EvaluationRecord
from harness.runs.seal import SEALED
from tests.evaluation.forked import forked

Faces = Callable[[int], Path]
HERE = Path(__file__).parent
PATH = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))

READY = """
import sys
from importlib.metadata import EntryPoint
from harness import plugins
point = EntryPoint(name="slow_model", value="slow_model", group="harness")
installed = plugins.entry_points
plugins.entry_points = lambda group: [*installed(group=group), point]
from harness.cli.main import entry
"""
LOOK = f"{READY}entry(sys.argv[1:])"
# What a run imports before it asks; plugins are found anew by each.
IMPORTED = """
import jsonschema, numpy, PIL.Image
import harness.api, harness.cli.run, harness.evaluation.execute, harness.evaluation.run
import harness.workers.start, harness_benchmarks.readers.raf_db
from harness_demo_world import source
plugins.plugins()
plugins.plugins.cache_clear()
"""


def look(results: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the looker on RAF-DB in a process of its own."""
    command = [
        "run", "--model", "looker", "--tasks", "raf_db", "--data", "raf_db=raf",
        "--results", str(results), *arguments,
    ]  # fmt: skip
    variables = {**os.environ, "PYTHONPATH": PATH, **environment}
    return forked(READY + IMPORTED, command, variables, PATH)


def sealed_files(results: Path) -> dict[str, bytes]:
    """Return the sealed files of the one evaluation under a results folder."""
    (seal,) = results.rglob("seal.json")
    return {name: (seal.parent / name).read_bytes() for name in (*SEALED, "seal.json")}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw into the user's cache, once for all tests; a world is there whole, or not at all."""
    monkeypatch.delenv("HARNESS_CACHE")


def test_a_killed_run_continues_to_the_same_bytes(faces: Faces, tmp_path: Path) -> None:
    faces(150)
    full = look(tmp_path / "whole")
    assert full.returncode == 0, full.stderr
    for block in ("0", "1", "2"):
        results = tmp_path / f"killed-{block}"
        killed = look(results, LOOKER_DIES_AT=block)
        assert killed.returncode == -9
        assert not list(results.rglob("seal.json"))
        again = look(results)
        assert again.returncode == 0, again.stderr
        assert sealed_files(results) == sealed_files(tmp_path / "whole")
        assert not list(results.rglob("journal"))


def test_a_torn_line_costs_its_block_only(faces: Faces, tmp_path: Path) -> None:
    faces(150)
    look(tmp_path / "whole")
    look(tmp_path / "torn", LOOKER_DIES_AT="2")
    (segment,) = (tmp_path / "torn").rglob("0000.jsonl")
    segment.write_bytes(segment.read_bytes()[:-7])
    assert look(tmp_path / "torn").returncode == 0
    assert sealed_files(tmp_path / "torn") == sealed_files(tmp_path / "whole")


def test_a_finished_run_returns_without_loading_the_model(faces: Faces, tmp_path: Path) -> None:
    faces(10)
    assert look(tmp_path / "r").returncode == 0
    again = look(tmp_path / "r", LOOKER_DIES_AT="0")  # it would die if it were asked anything
    assert again.returncode == 0
    assert "done" in again.stdout


def test_a_failed_request_is_counted_and_the_run_says_so(faces: Faces, tmp_path: Path) -> None:
    faces(10)
    ended = look(tmp_path / "r", "-o", "fails_on=test_0003")
    record = harness.read_evaluation(next((tmp_path / "r").rglob("seal.json")).parent)
    assert (record.counts.errors, record.counts.scored) == (1, 9)
    assert "errored" in record.marks
    assert ended.returncode == 1
    assert "1 of 10 samples errored" in ended.stderr
    assert "the first is test_0003: told to fail" in ended.stderr
    patient = look(tmp_path / "r", "-o", "fails_on=test_0003", "--max-errors", "0.2")
    assert patient.returncode == 0


def test_a_variant_that_failed_is_named(faces: Faces, tmp_path: Path) -> None:
    faces(10)
    ended = look(tmp_path / "r", "-o", "fails_on=test_0003", "--variants", "flip")
    failed = [line for line in ended.stderr.splitlines() if line.startswith("check failed")]
    assert [line.split(":")[1] for line in failed] == [" raf_db", " raf_db, flip 1"]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda path: path.unlink(), "image_missing"),
        (lambda path: path.write_bytes(b""), "image_empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "image_unreadable"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/hostname")), "image_outside_root"),
    ],
)
def test_a_bad_image_is_recorded_never_fatal(
    faces: Faces, tmp_path: Path, damage: Callable[[Path], object], kind: str
) -> None:
    root = faces(10)
    damage(root / "basic" / "Image" / "aligned" / "test_0004_aligned.jpg")
    assert look(tmp_path / "r", "--max-errors", "0.5").returncode == 0
    lines = next((tmp_path / "r").rglob("samples.jsonl")).read_text().splitlines()
    errors = [content["error"]["kind"] for content in map(json.loads, lines) if content["error"]]
    assert errors == [kind]


def test_errors_are_asked_again_and_nothing_else(faces: Faces, tmp_path: Path) -> None:
    root = faces(150)
    assert look(tmp_path / "whole").returncode == 0
    image = root / "basic" / "Image" / "aligned" / "test_0070_aligned.jpg"
    content = image.read_bytes()
    image.unlink()
    results = tmp_path / "r"
    assert look(results).returncode == 0
    image.write_bytes(content)
    plain = look(results, LOOKER_DIES_AT="0")  # it would die if it were asked anything
    assert plain.returncode == 0
    assert "retries 1 error" in look(results, "--retry-errors", "--dry-run").stdout
    killed = look(results, "--retry-errors", LOOKER_DIES_AT="0")
    assert killed.returncode == -9
    assert look(results, "--retry-errors").returncode == 0
    assert sealed_files(results) == sealed_files(tmp_path / "whole")
    nothing = look(results, "--retry-errors", LOOKER_DIES_AT="0")
    assert nothing.returncode == 0


def test_notes_of_a_model_survive_whatever_interrupts(faces: Faces, tmp_path: Path) -> None:
    root = faces(150)
    image = root / "basic" / "Image" / "aligned" / "test_0070_aligned.jpg"
    remaining = image.read_bytes()
    image.unlink()
    results = tmp_path / "r"
    assert look(results, LOOKER_SAYS="sharing is off", LOOKER_DIES_AT="1").returncode == -9
    torn = look(results, LOOKER_SAYS="another", LOOKER_DIES_AT="1")
    assert (torn.returncode, "another" in torn.stderr + torn.stdout) == (-9, True)
    assert look(results).returncode == 0

    def notes() -> list[str]:
        content = json.loads(
            (next(results.rglob("seal.json")).parent / "evaluation.json").read_text()
        )
        return list(content["notes"])

    assert notes() == ["sharing is off", "another"]
    image.write_bytes(remaining)
    assert look(results, "--retry-errors", LOOKER_SAYS="another").returncode == 0
    assert notes() == ["sharing is off", "another"]


def test_an_image_over_the_limit_is_an_error(faces: Faces, tmp_path: Path) -> None:
    root = faces(3)
    from PIL import Image

    path = root / "basic" / "Image" / "aligned" / "test_0002_aligned.jpg"
    Image.new("L", (1100, 1000)).save(path)
    assert look(tmp_path / "r", "--max-megapixels", "1", "--max-errors", "1").returncode == 0
    text = next((tmp_path / "r").rglob("samples.jsonl")).read_text()
    assert "image_too_large" in text


def test_two_runs_do_not_write_into_one_evaluation(faces: Faces, tmp_path: Path) -> None:
    faces(10)
    with (
        pytest.raises(UserError, match="another run"),
        writing(tmp_path / "e"),
        writing(tmp_path / "e"),
    ):
        pass


def test_the_python_function_does_what_the_command_does(faces: Faces, tmp_path: Path) -> None:
    data = {"raf_db": faces(21)}
    result = harness.run("majority", "raf_db", data=data, results=tmp_path / "r")
    (record,) = result.records
    assert record.main.value == pytest.approx(3 / 21)
    assert result.failed == ()
    assert harness.leaderboard(result.manifest).rows
    lines = (record.directory / "samples.jsonl").read_text().splitlines()
    # Every class is equally frequent in the train split; the first label wins.
    assert {json.loads(line)["answer"] for line in lines} == {"surprise"}


@pytest.mark.usefixtures("faces", "drawn")
def test_adding_a_task_computes_that_task_only(faces: Faces, tmp_path: Path) -> None:
    data = {"raf_db": faces(5)}
    first = harness.run("null", "raf_db", data=data, results=tmp_path / "r")
    stamp = (first.records[0].directory / "seal.json").stat().st_mtime_ns
    both = harness.run("null", "raf_db,pisc_fine", data=data, results=tmp_path / "r")
    assert [record.task for record in both.records] == ["raf_db", "pisc_fine"]
    assert (first.records[0].directory / "seal.json").stat().st_mtime_ns == stamp


@pytest.mark.usefixtures("faces", "drawn")
def test_only_drawn_data_are_marked_demo(faces: Faces, tmp_path: Path) -> None:
    outcome = harness.run("null", "raf_db", data={"raf_db": faces(5)}, results=tmp_path / "r")
    assert "demo" not in outcome.records[0].marks
    drawn = harness.run("null", "raf_db", results=tmp_path / "r", limit=4)
    assert {"demo", "limited"} <= set(drawn.records[0].marks)
    assert drawn.records[0].counts.samples == 4


def test_predictions_made_elsewhere_are_scored(faces: Faces, tmp_path: Path) -> None:
    data = {"raf_db": faces(7)}
    names = [
        "fear",
        "disgust",
        "happiness",
        "sadness",
        "anger",
        "neutral",
    ]  # the seventh is missing
    lines = [
        json.dumps({"id": f"test_{index:04d}", "answer": name})
        for index, name in enumerate(names, start=1)
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(lines))
    result = harness.run(
        "predictions", "raf_db", options={"path": str(path)}, data=data, results=tmp_path / "r"
    )
    (record,) = result.records
    assert record.main.value == 1.0
    assert record.counts.errors == 1
    assert result.failed


def test_ctrl_c_keeps_blocks_and_exits_130(faces: Faces, tmp_path: Path) -> None:
    faces(150)
    look(tmp_path / "whole")
    command = [
        sys.executable, "-c", LOOK, "run", "--model", "looker", "--tasks", "raf_db",
        "--data", "raf_db=raf", "--results", str(tmp_path / "r"),
    ]  # fmt: skip
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(HERE), "LOOKER_SLEEPS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A shell that runs the tests in the background hands on that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as running:
        while running.poll() is None and not list((tmp_path / "r").rglob("0000.jsonl")):
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, message = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "the same command continues" in message
    assert "Traceback" not in message
    assert look(tmp_path / "r").returncode == 0
    assert sealed_files(tmp_path / "r") == sealed_files(tmp_path / "whole")


def test_a_changed_file_breaks_the_seal(faces: Faces, tmp_path: Path) -> None:
    result = harness.run("null", "raf_db", data={"raf_db": faces(3)}, results=tmp_path / "r")
    directory = result.records[0].directory
    (directory / "metrics.json").write_text("{}")
    with pytest.raises(UserError, match="changed since it was sealed"):
        harness.read_evaluation(directory)


def test_reasoning_is_an_option_of_every_model_that_writes(faces: Faces, tmp_path: Path) -> None:
    data = {"raf_db": faces(7)}
    words = (
        "Surprise.",
        "It is fear",
        "not anger",
        "<think>sadness</think> Happiness",
        "x",
        "anger",
    )
    ids = [sample.id for sample in harness.load_task("raf_db", data=data["raf_db"]).samples()]
    path = tmp_path / "answers.jsonl"
    lines = [{"id": name, "answer": word} for name, word in zip(ids, words, strict=False)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run(**options: str) -> EvaluationRecord:
        arguments = {"path": str(path), **options}
        outcome = harness.run(
            "predictions", "raf_db", options=arguments, data=data, results=tmp_path
        )
        return outcome.records[0]

    plain, stripped = run(), run(reasoning="strip")
    (note,) = harness.plan(
        "predictions", "raf_db", options={"path": str(path), "reasoning": "strip"}, data=data,
        results=tmp_path,
    ).settings.notes  # fmt: skip
    assert note == "-o reasoning changes no choice here but those that are answered in words"
    assert plain.model_fingerprint != stripped.model_fingerprint
    assert "reasoning" not in plain.model_options
    assert stripped.model_options["reasoning"] == "strip"
    # One sample has no line; "not anger" and "x" name nothing, one text names two labels.
    assert (plain.counts.errors, plain.counts.scored, plain.counts.unparsed) == (1, 6, 3)
    assert (stripped.counts.errors, stripped.counts.unparsed) == (1, 2)
    assert "-o reasoning=strip" in plain.notes[0]
    assert stripped.notes == ()
    with pytest.raises(UserError, match="unknown value 'no'"):
        run(reasoning="no")


@pytest.mark.usefixtures("faces", "drawn")
def test_a_perfect_model_in_another_scale_is_unparsed_until_its_scale_is_named(
    faces: Faces, tmp_path: Path
) -> None:
    del faces  # its place to work in is wanted
    points: dict[str, list[float]] = {}
    for sample in islice(harness.load_task("gazefollow").samples(), 8):
        assert isinstance(sample.target, list)
        points[sample.id] = np.mean(np.array(sample.target, dtype=float), axis=0).tolist()

    def run(form: str, scale: int = 100, size: int = 1) -> EvaluationRecord:
        path = tmp_path / "points.jsonl"
        lines = [
            {"id": name, "answer": form.format(*(size * value for value in point))}
            for name, point in points.items()
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        outcome = harness.run(
            "predictions",
            "gazefollow",
            options={"path": str(path)},
            spec_options={"gazefollow.scale": scale},
            ids=list(points),
            results=tmp_path / "r",
        )
        return outcome.records[0]

    for form, size in (("({:.0f}, {:.0f})", 1000), ("{:.2f}, {:.2f}", 1)):
        assert run(form, size=size).counts.unparsed == len(points)
    for form, scale, size in (
        ("{:.3f}, {:.3f}", 1, 1),
        ("({:.1f}, {:.1f})", 1000, 1000),
        ("{:.1f} {:.1f}", 100, 100),
    ):
        record = run(form, scale, size)
        assert record.counts.unparsed == 0
        assert record.main.value is not None
        assert record.main.value < 0.002
        assert record.task_options["scale"] == scale


def test_who_opens_no_images_counts_those_that_are_not_there(faces: Faces, tmp_path: Path) -> None:
    data = faces(8)
    images = sorted(data.rglob("*.jpg"))
    images[0].unlink()
    for model in ("null", "random"):
        (record,) = harness.run(
            model, "raf_db", data={"raf_db": data}, results=tmp_path / "results"
        ).records
        assert (record.counts.samples, record.counts.errors) == (8, 0)
        assert record.counts.notes[NOT_THERE] == 1
        assert any(NOT_THERE in note for note in harness.leaderboard([record]).notes)
    assert look(tmp_path / "seen").returncode == 1
    (seal,) = (tmp_path / "seen").rglob("seal.json")
    seen = harness.read_evaluation(seal.parent)
    assert (seen.counts.errors, NOT_THERE in seen.counts.notes) == (1, False)
