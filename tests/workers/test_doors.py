"""What is refused of ``--on`` and ``-e``, before anything is planned or started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.cli.main import entry
from harness.descriptors import ModelDescriptor
from harness.errors import UserError
from harness.plugins import plugins
from harness.workers.start import as_json

Faces = Callable[[int], Path]
RUN = ("run", "--model", "random", "--tasks", "raf_db", "--data", "raf_db=raf", "--results", "r")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--on", "proceses"), "unknown executor 'proceses'"),
        (("--on", "proceses"), "did you mean 'processes'?"),
        (("--on", "processes", "-e", "wokers=2"), "did you mean 'workers'?"),
        (("--on", "processes", "-e", "workers=two"), "'two' is not a whole number"),
        (("--on", "processes", "-e", "workers=0"), "executor 'processes': 0 is less than 1"),
        (("--on", "processes", "-e", "workers=3", "-e", "gpus=1"), "need 3 GPUs, and this machine"),
        (("--on", "processes", "-e", "patience=0"), "0 is less than 1"),
        (("-e", "workers=2"), "options of an executor are given, but no executor"),
        (("--on", "processes", "--device", "cuda:1"), "--device cuda:1 names one GPU"),
        (("--on", "processes", "-e", "workers"), "-e 'workers' is not KEY=VALUE"),
    ],
)
def test_wrong_words_are_one_message(
    faces: Faces,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    faces(5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(SystemExit) as ended:
        entry([*RUN, *arguments])
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert message in err
    assert "Traceback" not in err
    assert not Path("r").exists()


def test_a_dry_run_starts_nothing(faces: Faces, capsys: pytest.CaptureFixture[str]) -> None:
    faces(5)
    with pytest.raises(SystemExit) as ended:
        entry([*RUN, "--on", "processes", "--dry-run"])
    assert not ended.value.code
    assert "RAF-DB" in capsys.readouterr().out or not Path("r").exists()


def test_a_model_in_memory_cannot_travel(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    faces(5)
    mine = ModelDescriptor(
        id="mine",
        target="harness.models.null:Null",
        summary="Of this process.",
        capabilities=frozenset({"choose"}),
    )
    loaded = plugins()
    monkeypatch.setitem(loaded._objects["models"], "mine", (mine, loaded.infos[-1]))
    monkeypatch.setattr(loaded, "_points", {})
    monkeypatch.setattr(loaded, "core", None)
    with pytest.raises(UserError, match=r"'mine' is only in the memory of this process"):
        harness.plan("mine", "raf_db", data={"raf_db": "raf"}, on="processes")


def test_idle_gpus_are_said(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.workers import gpus

    faces(5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert gpus.gpus() == ("0", "1", "2")
    model = harness.find_model("socialfusion")
    assert "one of 3 GPUs is used; --on processes" in gpus.unused_gpus(model)
    assert gpus.unused_gpus(harness.find_model("random")) == ""


def test_paths_travel_as_absolute_ones_and_data_of_the_hub_by_their_name() -> None:
    data = as_json({"raf_db": Path("raf"), "scounter": Path("hf:Intel/SocialCounterfactuals")})
    assert data == {
        "raf_db": str(Path("raf").absolute()),
        "scounter": "hf:Intel/SocialCounterfactuals",
    }
