"""Two processes that split the model: weights, losses and answers are those of one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.training.test_train import HERE, flags, record, train, weights

pytestmark = pytest.mark.torch
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
WISH = ("--lora-dropout", "0", "--device", "cpu", "--validate", "raf_db:accuracy")
HELD = ("--hold-out", "0.1", "--shard")


def together(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TWO, *command], check=False, capture_output=True, text=True)


@pytest.mark.slow
def test_two_processes_with_half_a_model_each_train_as_one_does(
    built: Path, faces: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    full = flags(built, faces, "split", *WISH, *HELD)
    killed = flags(built, faces, "killed", *WISH, *HELD)
    done = together("-m", "harness", *full)
    assert done.returncode == 0, done.stderr
    assert together(str(HERE / "kill.py"), "3", *killed).returncode != 0
    assert [path.name for path in (tmp_path / "killed" / "epoch-000").glob("checkpoint-*/whole")]
    assert not (tmp_path / "killed" / "train.json").exists()
    done = together("-m", "harness", *killed)
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "killed") == weights(tmp_path / "split")

    assert train(*flags(built, faces, "one", *WISH, *HELD[:-1])) == 0
    for path in (tmp_path / "one").glob("*.safetensors"):
        first, two = load_file(path), load_file(tmp_path / "split" / path.name)
        assert first.keys() == two.keys()
        for name, weight in first.items():
            assert (weight - two[name]).abs().max() < 1e-6
    alone, halves, again = (record(tmp_path / name) for name in ("one", "split", "killed"))
    for key, within in (("loss", 1e-5), ("validation", 1e-9)):
        entries = [[epoch[key] for epoch in result["epochs"]] for result in (alone, halves, again)]
        assert entries[1] == entries[2]
        assert entries[0] == pytest.approx(entries[1], abs=within)
    assert halves["processes"] == 2
    assert halves["settings"]["shard"] is True
    assert "shard" not in alone["settings"]
    for key in ("all", "trained"):
        assert halves["parameters"][key] == alone["parameters"][key]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--shard",), "sharding needs several processes, and this is one"),
        (
            ("--shard", "--processes", "2", "--precision", "float16", "--dry-run"),
            "--precision: a sharded model does not train in float16",
        ),
        (
            ("--device", "cpu", "--precision", "float16"),
            "full training in float16 needs a CUDA device",
        ),
    ],
)
def test_what_cannot_be_is_one_message(
    built: Path,
    faces: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    message: str,
) -> None:
    assert train(*flags(built, faces, "out", *more)) == 2
    assert message in capsys.readouterr().err
