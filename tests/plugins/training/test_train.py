"""A training from the command line: what it leaves, how it survives, what it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.arguments import given
from harness.cli.main import entry
from tests.made import last_of

pytestmark = pytest.mark.torch
HERE = Path(__file__).parent
ONCE = (
    "--model", "--recipe", "--tasks", "--epochs", "--batch-size", "--micro-batch", "--save-every",
    "--lora-dropout", "--out",
)  # fmt: skip


def flags(built: Path, faces: Path, out: str, *more: str) -> list[str]:
    usual = (
        "train", "--model", "socialfusion", "-o", f"path={built / 'saved'}", "--recipe", "ft",
        "--tasks", "raf_db", "--data", f"raf_db={faces}", "--epochs", "2", "--batch-size", "4",
        "--micro-batch", "2", "--save-every", "2", "--lora-dropout", "0.1", "--out", out,
    )  # fmt: skip
    return last_of((*usual, *more), *ONCE)


def train(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(last_of(arguments, *ONCE))
    return int(str(ended.value.code or 0))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def record(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "train.json").read_text())
    return content


def weights(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.safetensors"))
    }


@pytest.mark.parametrize(
    "at",
    [
        pytest.param("2", marks=pytest.mark.slow, id="before a checkpoint"),
        pytest.param("5", id="behind a checkpoint"),
        pytest.param("11", marks=pytest.mark.slow, id="in the second epoch"),
    ],
)
def test_a_killed_training_ends_in_the_same_weights(
    built: Path, faces: Path, tmp_path: Path, at: str
) -> None:
    wish = ("--validate", "raf_db:accuracy", "--hold-out", "0.1")
    command = [sys.executable, str(HERE / "kill.py"), at, *flags(built, faces, "killed", *wish)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    assert not (tmp_path / "killed" / "train.json").exists()
    assert train(*flags(built, faces, "killed", *wish)) == 0
    assert train(*flags(built, faces, "whole", *wish)) == 0
    weight_file = weights(tmp_path / "whole")
    assert set(weight_file) == {"connector.safetensors", "lora.safetensors"}
    assert weights(tmp_path / "killed") == weight_file
    records = [
        json.loads((tmp_path / name / "train.json").read_text()) for name in ("killed", "whole")
    ]
    assert records[0]["validation"] == records[1]["validation"]
    for key in ("loss", "curve", "validation"):
        first, other = ([epoch[key] for epoch in record["epochs"]] for record in records)
        assert first == other


def test_a_finished_training_returns_at_once(built: Path, faces: Path, tmp_path: Path) -> None:
    assert train(*flags(built, faces, "whole", "--epochs", "1")) == 0
    before = (tmp_path / "whole" / "train.json").stat().st_mtime_ns
    assert train(*flags(built, faces, "whole", "--epochs", "1")) == 0
    assert (tmp_path / "whole" / "train.json").stat().st_mtime_ns == before


def test_the_plan_says_what_a_training_takes_once_one_was_like_it(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*more: str) -> str:
        capsys.readouterr()
        assert train(*flags(built, faces, *more)) == 0
        return " ".join(capsys.readouterr().out.split())

    plan = said("out", "--dry-run")
    assert "parameters known when the model is loaded" in plan
    assert "time known after the first steps" in plan
    assert not (tmp_path / "out").exists()
    went = said("out")
    assert went.index("parameters; weights, gradients") < went.index("of training left")
    assert went.count("of training left") == 1
    assert [went.count(f"epoch {number} of 2: 4 steps, loss ") for number in (1, 2)] == [1, 1]
    sizes = json.loads((tmp_path / "out" / "train.json").read_text())["parameters"]
    plan = said("other", "--dry-run", "--epochs", "40")
    assert f"parameters trains {sizes['trained']:,} of {sizes['all']:,}" in plan
    assert "time about " in plan
    assert "judged by the training 'out'" in plan


def test_what_was_trained_answers_and_says_so(built: Path, faces: Path, tmp_path: Path) -> None:
    assert train(*flags(built, faces, "out")) == 0
    record = json.loads((tmp_path / "out" / "train.json").read_text())
    assert record["recipe"]["id"] == "ft"
    assert [epoch["samples"] for epoch in record["epochs"]] == [13, 13]
    ask = [
        "run", "--model", "socialfusion", "-o", f"path={built / 'saved'}", "--tasks", "raf_db",
        "--data", f"raf_db={faces}", "--results",
    ]  # fmt: skip
    assert train(*ask, "before") == 0
    assert train(*ask, "after", "--checkpoint", "out") == 0
    before, after = (
        next((tmp_path / name).rglob("evaluation.json")) for name in ("before", "after")
    )
    content: dict[str, Any] = json.loads(after.read_text())
    assert content["model"]["training"]["recipe"]["id"] == "ft"
    assert content["fingerprint"] != json.loads(before.read_text())["fingerprint"]
    assert "contaminated" not in content["marks"]
    scores = [
        [json.loads(line)["scores"] for line in _lines(path.parent / "samples.jsonl")]
        for path in (before, after)
    ]
    assert scores[0] != scores[1]


def test_a_recipe_says_what_trains_where_the_user_does_not(
    built: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from safetensors.torch import load_file

    def held(name: str) -> dict[str, set[str]]:
        return {path.stem: set(load_file(path)) for path in (tmp_path / name).glob("*.safetensors")}

    def without_adapters(out: str, *more: str) -> list[str]:
        requested = flags(built, faces, out, "--epochs", "1", *more)
        at = requested.index("--lora-dropout")  # which is refused where no adapter trains
        return [*requested[:at], *requested[at + 2 :]]

    assert train(*without_adapters("all", "--train-parts", "connector")) == 0
    monkeypatch.setattr("harness_recipes.plain.FineTune.parts", "connector", raising=False)
    monkeypatch.setattr(
        "harness_recipes.plain.FineTune.trains", lambda *requested: requested[-1].endswith("bias")
    )
    capsys.readouterr()
    assert train(*without_adapters("biases")) == 0
    assert "trains connector" in " ".join(capsys.readouterr().out.split())
    biases = {name for name in held("all")["connector"] if name.endswith("bias")}
    assert held("biases") == {"connector": biases}
    assert biases
    assert train(*flags(built, faces, "lora", "--epochs", "1", "--train-parts", "lora")) == 2
    assert "the recipe trains none of the weights of lora" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    ask = [
        "run", "--model", "socialfusion", "-o", f"path={built / 'saved'}", "--tasks", "raf_db",
        "--data", f"raf_db={faces}", "--checkpoint", "biases", "--results", "r",
    ]  # fmt: skip
    assert train(*ask) == 0


def test_samples_trained_on_are_contaminated(built: Path, faces: Path, tmp_path: Path) -> None:
    assert train(*flags(built, faces, "out", "--epochs", "1")) == 0
    seen = tmp_path / "out" / "seen.txt"
    assert "raf_db train_00001\n" in seen.read_text()
    seen.write_text(seen.read_text().replace("train_00001", "test_00001"))
    ask = [
        "run", "--model", "socialfusion", "-o", f"path={built / 'saved'}", "--tasks", "raf_db",
        "--data", f"raf_db={faces}", "--checkpoint", "out", "--results", "r",
    ]  # fmt: skip
    assert train(*ask) == 0
    content = json.loads(next((tmp_path / "r").rglob("evaluation.json")).read_text())
    assert "contaminated" in content["marks"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--recipe", "fft"], "unknown recipe 'fft'"),
        (["--recipe", "asd"], "recipe 'asd' needs the field 'concept'"),
        (["-r", "reduction=words"], "'words'"),
        (
            ["--train-parts", "conector"],
            "the model has no part 'conector'\n  fix: did you mean 'con",
        ),
        (["--batch-size", "3"], "batch 3 is not a multiple of micro-batch 2"),
        (["--model", "predictions"], "model 'predictions' cannot be trained"),
        (["--form", "open"], "unknown form of 'raf_db' 'open'"),
        (["--tasks", "raf_db,gaze"], "unknown task or group 'gaze'"),
    ],
)
def test_a_wrong_wish_is_one_message(
    built: Path, faces: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*flags(built, faces, "out", *more)) == 2
    assert message in capsys.readouterr().err


def test_another_cuda_device_than_the_process_s_own_is_refused(
    built: Path, faces: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    for name, value in (("is_available", True), ("device_count", 2), ("current_device", 0)):
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    assert train(*flags(built, faces, "out", "--device", "cuda:1")) == 2
    errors = capsys.readouterr().err
    assert "first CUDA device of its process, not cuda:1" in errors
    assert "CUDA_VISIBLE_DEVICES=1" in errors


def test_one_process_takes_one_device_of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from harness_training.loop import Arguments
    from transformers import TrainingArguments

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr("transformers.training_args.is_torch_mps_available", lambda: False)
    alone, trainers = (kind(str(tmp_path), report_to=[]) for kind in (Arguments, TrainingArguments))
    assert (alone.train_batch_size, trainers.train_batch_size) == (8, 4 * 8)


def test_another_training_s_folder_is_left_alone(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*flags(built, faces, "out", "--epochs", "1")) == 0
    assert train(*flags(built, faces, "out", "--epochs", "1", "--seed", "1")) == 2
    assert "another training; it differs in settings (seed)\n" in capsys.readouterr().err
    assert train(*flags(built, faces, "out", "--epochs", "1", "--processes", "2")) == 2
    assert "another training; it differs in processes\n" in capsys.readouterr().err
    # The other way round there is no such key in the plan.
    plan = tmp_path / "out" / "plan.json"
    earlier = json.loads(plan.read_text())
    plan.write_text(json.dumps({**earlier, "processes": 2, "fingerprint": "of two"}))
    assert train(*flags(built, faces, "out", "--epochs", "1")) == 2
    assert "another training; it differs in processes\n" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    assert train(*flags(built, faces, "full")) == 2
    assert "the folder is not empty" in capsys.readouterr().err


def test_what_was_refused_before_its_first_epoch_is_put_right_in_its_folder(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*flags(built, faces, "out", "--epochs", "1", "--precision", "float16")) == 2
    assert "float16" in capsys.readouterr().err
    assert (tmp_path / "out" / "plan.json").is_file()
    assert train(*flags(built, faces, "out", "--epochs", "1")) == 0
    for path in (tmp_path / "out").glob("epoch-*"):
        shutil.rmtree(path)
    assert train(*flags(built, faces, "out", "--epochs", "1", "--seed", "1")) == 2
    assert "holds another training" in capsys.readouterr().err


def test_weights_of_another_model_are_refused(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    assert train(*flags(built, faces, "out", "--epochs", "1")) == 0
    path = tmp_path / "out" / "connector.safetensors"
    tensors = load_file(path)
    name, weight = next(iter(tensors.items()))
    save_file({**tensors, name: weight[:1].clone()}, path)
    ask = [
        "run", "--model", "socialfusion", "-o", f"path={built / 'saved'}", "--tasks", "raf_db",
        "--data", f"raf_db={faces}", "--checkpoint", "out",
    ]  # fmt: skip
    assert train(*ask) == 2
    assert f"belong to another model: {name} has the shape" in capsys.readouterr().err
    record = (tmp_path / "out" / "train.json").read_text()
    sha256 = json.loads(record)["model"]["identity"]["language_model"]["sha256"]
    (tmp_path / "out" / "train.json").write_text(record.replace(sha256, "0" * 64))
    assert train(*ask) == 2
    assert "trained on top of another model" in capsys.readouterr().err
    (tmp_path / "out" / "train.json").write_text(record.replace('"format": 1', '"format": 2'))
    assert train(*ask) == 2
    assert "is of format 2, this version of the harness reads 1" in capsys.readouterr().err
    assert train(*ask[:-1], "nowhere") == 2
    assert "nowhere: the file or folder does not exist" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert train(*ask[:-1], str(tmp_path / "empty")) == 2
    assert "this folder holds no finished training: it has no train.json" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_and_names_the_samples(
    built: Path, faces: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness_recipes.plain import FineTune

    monkeypatch.setattr(FineTune, "of_sample", lambda *given: given[1].sum(1) / 0)
    assert train(*flags(built, faces, "out")) == 2
    assert "the loss is not finite at step 1, samples train_" in capsys.readouterr().err


def test_weights_that_are_not_finite_are_never_saved(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from harness_training import loop

    plain = loop.EpochTrainer.compute_loss

    def spoiling(self: Any, *given: Any, **named: Any) -> Any:
        loss = plain(self, *given, **named)
        if self.state.global_step == 3:  # finite itself, but not its gradient
            loss.register_hook(lambda gradient: gradient * float("nan"))  # type: ignore[no-untyped-call]
        return loss

    monkeypatch.setattr(loop.EpochTrainer, "compute_loss", spoiling)
    assert train(*flags(built, faces, "out")) == 2
    assert "weights are not finite after step 4" in capsys.readouterr().err
    folder = tmp_path / "out" / "epoch-000"
    assert loop.last_checkpoint(folder) == folder / "checkpoint-2"


def test_the_best_epoch_s_weights_are_kept(
    built: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness_training.validation import Validation

    message = iter([0.2, 0.9, 0.9, 0.1])
    monkeypatch.setattr(Validation, "measure", lambda *_: next(message))
    wish = ("--validate", "raf_db:accuracy", "--hold-out", "0.3", "--epochs", "4", "--keep", "1")
    assert train(*flags(built, faces, "out", *wish)) == 0
    record = json.loads((tmp_path / "out" / "train.json").read_text())
    assert [epoch["validation"] for epoch in record["epochs"]] == [0.2, 0.9, 0.9, 0.1]
    assert record["validation"]["epoch"] == 1
    assert weights(tmp_path / "out") == weights(tmp_path / "out" / "epoch-001" / "end")
    left = [
        number for number in range(4) if weights(tmp_path / "out" / f"epoch-00{number}" / "end")
    ]
    assert left == [1, 3]
    held_out = record["validation"]["samples"]
    assert record["data"]["samples"] + held_out == len(_lines(tmp_path / "out" / "seen.txt")) == 13


def test_a_checkpoint_that_was_not_written_to_its_end_is_passed_over(tmp_path: Path) -> None:
    from harness_training.loop import last_checkpoint

    assert last_checkpoint(tmp_path) is None
    for step in (2, 10, 12):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (2, 10):
        (tmp_path / f"checkpoint-{step}" / "whole").touch()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_two_processes_train_as_one_does(
    built: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    from safetensors.torch import load_file

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    same = ("--lora-dropout", "0", "--device", device)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launch += ["--nproc_per_node", "2", "-m", "harness"]
    command = [*launch, *flags(built, faces, "two", *same)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained:") == 1
    assert train(*flags(built, faces, "one", *same)) == 0
    for path in (tmp_path / "one").glob("*.safetensors"):
        first, two = load_file(path), load_file(tmp_path / "two" / path.name)
        for name, weight in first.items():
            assert (weight - two[name]).abs().max() < 1e-6
    records = [json.loads((tmp_path / name / "train.json").read_text()) for name in ("one", "two")]
    losses = [[epoch["loss"] for epoch in record["epochs"]] for record in records]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert records[1]["processes"] == 2


def test_memory_that_runs_out_halves_the_micro_batch_only(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from harness_training import loop
    from safetensors.torch import load_file

    def every_step(settings: Any, asked: Mapping[str, Any]) -> Any:
        return given(settings, {**asked, "log_every": 1})

    monkeypatch.setattr("harness_training.command.given", every_step)
    # 11 samples: the last step's micro-batches are of 2 and of 1.
    same = ("--lora-dropout", "0", "--limit", "11")
    assert train(*flags(built, faces, "plain", *same)) == 0
    capsys.readouterr()
    compute = loop.EpochTrainer.compute_loss

    def narrow(self: Any, model: Any, inputs: Any, *positional: Any, **named: Any) -> Any:
        if len(inputs["items"]) > 1 and self.state.global_step == 2:  # behind a checkpoint
            raise RuntimeError("CUDA out of memory")
        return compute(self, model, inputs, *positional, **named)

    monkeypatch.setattr(loop.EpochTrainer, "compute_loss", narrow)
    assert train(*flags(built, faces, "halved", *same)) == 0
    assert capsys.readouterr().out.count("memory ran out: micro-batches of 1") == 1
    for path in (tmp_path / "plain").glob("*.safetensors"):
        plain, halved = load_file(path), load_file(tmp_path / "halved" / path.name)
        for name, weight in plain.items():
            assert (weight - halved[name]).abs().max() < 1e-6
    for epochs in zip(
        *(record(tmp_path / name)["epochs"] for name in ("plain", "halved")), strict=True
    ):
        first, other = ([loss for _, loss in epoch["curve"]] for epoch in epochs)
        assert first == pytest.approx(other, abs=1e-5)
        assert [step for step, _ in epochs[0]["curve"]] == [1, 2, 3]
        # Steps of 4, 4 and 3 samples.
        mean = (4 * first[0] + 4 * first[1] + 3 * first[2]) / 11
        assert mean == pytest.approx(epochs[0]["loss"])
