"""The plugin as the harness and a user see it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness_qwen_vl.factory import QwenVL

from harness.cli.main import invoke, main
from harness.errors import UserError
from harness.models import Runtime

pytestmark = pytest.mark.torch

FOLDER = Path(__file__).parents[2] / "conformance" / "checkpoints" / "qwen_vl_v1_tiny"


def identity(folder: Path = FOLDER, runtime: Runtime | None = None, **options: Any) -> Any:
    return QwenVL({"path": str(folder), **options}).identity(runtime or Runtime())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "copy"))


def test_what_changes_numbers_changes_the_identity(copy: Path) -> None:
    plain = identity(copy)
    assert plain == identity()  # a moved checkpoint is the same
    assert plain["dtype"] == "float32"
    assert identity(copy, Runtime(batch_size=3, device="cpu")) == plain
    others = [
        identity(copy, Runtime(dtype="bfloat16")),
        identity(copy, prompt_format="raw"),
        identity(copy, picture_space=False),
        identity(copy, score_eos=False),
    ]
    words = copy / "qwen.tiktoken"
    words.write_bytes(words.read_bytes() + b"\n")
    others.append(identity(copy))
    assert len({json.dumps(other) for other in [plain, *others]}) == 1 + len(others)


def test_the_form_follows_the_generation_config(copy: Path) -> None:
    path = copy / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_format": "raw"}))
    assert identity(copy)["prompt_format"] == "raw"
    path.unlink()
    assert identity(copy)["prompt_format"] == "raw"


def change(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    entries = {**json.loads(path.read_text()), **values}
    path.write_text(
        json.dumps({name: value for name, value in entries.items() if value is not None})
    )


def test_other_checkpoints_are_refused_with_what_fits(copy: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        identity(copy / "gone")
    with pytest.raises(UserError, match="needs a checkpoint"):
        QwenVL({}).identity(Runtime())
    with pytest.raises(UserError, match="min_pixels only applies to Qwen2-VL"):
        identity(copy, min_pixels=10)
    change(copy, visual=None)  # the language model Qwen-7B has the same model_type
    with pytest.raises(UserError, match="qwen_vl cannot read this checkpoint"):
        identity(copy)
    change(copy, model_type="llava", vision_config={})
    with pytest.raises(UserError, match="--model llava reads it"):
        identity(copy)
    change(copy, model_type="qwen2_vl")
    with pytest.raises(UserError, match="prompt_format only applies to the first Qwen-VL"):
        identity(copy, prompt_format="raw")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rotary_pct": 0.5}, "rotary_pct"),
        ({"hidden_size": None}, "not a Qwen-VL config"),
        ({"visual": {"width": 32}}, "not a Qwen-VL config"),
        ({"vocab_size": 500}, "500"),
        ({"num_hidden_layers": 3}, "missing"),
        ({"num_hidden_layers": 1}, "not this model's"),
    ],
)
def test_configs_that_do_not_fit_are_said(copy: Path, values: Any, message: str) -> None:
    change(copy, **values)
    with pytest.raises(UserError, match=message):
        QwenVL({"path": str(copy)}).load(Runtime(device="cpu"))


def test_a_task_of_the_demo_world_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    questions = ["run", "--model", "qwen_vl", "--tasks", "raf_db", "--limit", "4"]
    code = invoke(main, [*questions, "-o", f"path={FOLDER}"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    records = list(Path("results").rglob("samples.jsonl"))
    assert len(records) == 1
    assert len(records[0].read_text().splitlines()) == 4
    code = invoke(main, [*questions, "-o", f"path={tmp_path}"])
    printed = capsys.readouterr()
    assert code == 2
    assert "not a checkpoint" in printed.err
    assert "Traceback" not in printed.err
