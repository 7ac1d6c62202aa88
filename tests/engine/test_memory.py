"""What weights take is known from their files, and what does not fit is refused before loading."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from harness.cli.main import invoke, main
from harness.engine import loading, memory
from harness.engine.memory import require_memory, weight_bytes
from harness.errors import UserError, raised
from harness.progress import in_bytes

CPU = torch.device("cpu")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    tensors = {
        "layers.0.weight": torch.zeros(64, 32),
        "embed_tokens.weight": torch.zeros(100, 32),
        "norm.weight": torch.zeros(32),
        "text_model.weight": torch.zeros(10, 10),
    }
    save_file(tensors, path)
    return path


def test_every_tensor_counts_in_the_dtype_it_is_loaded_as(saved: Path) -> None:
    values = 64 * 32 + 100 * 32 + 32 + 100
    assert weight_bytes([saved], "float32") == 4 * values
    assert weight_bytes([saved], "bfloat16") == 2 * values
    assert weight_bytes([saved], "bfloat16", text_side=False) == 2 * (values - 100)


def test_quantising_shrinks_matrices_and_leaves_embeddings_and_norms(saved: Path) -> None:
    remainder = 2 * (100 * 32 + 32)
    matrices = 64 * 32 + 100
    assert weight_bytes([saved], "float16", quantise="8bit") == remainder + matrices
    assert weight_bytes([saved], "float16", quantise="4bit") == int(remainder + 0.5625 * matrices)


def test_a_pickled_file_stands_for_its_size(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(bytes(8000))
    assert weight_bytes([path], "float32", stored="float16") == 16000
    assert weight_bytes([path], "float16", stored="float16") == 8000
    assert weight_bytes([path], "float16") == 4000


def test_what_does_not_fit_is_refused_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "host_memory", lambda: 2 << 30)
    require_memory(2 << 30, CPU, {})
    with pytest.raises(UserError, match=r"take 15\.1 GiB and 2\.0 GiB are free on cpu") as caught:
        require_memory(int(15.1 * 2**30), CPU, {})
    assert "bfloat16" in str(caught.value.fix)


def test_nothing_is_refused_where_nothing_tells_what_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "host_memory", lambda: None)
    require_memory(1 << 60, CPU, {})
    require_memory(1 << 60, torch.device("mps"), {})


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 8000000 kB\n",
        "/sys/fs/cgroup/memory.max": "3000000000\n",
        "/sys/fs/cgroup/memory.current": "2500000000\n",
        "/sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 400000000\nactive_file 5\n",
    }
    monkeypatch.setattr(Path, "read_text", lambda path, **_: files[str(path)])
    assert memory.host_memory() == 900_000_000
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    assert memory.host_memory() == 8_000_000 << 10


@pytest.mark.parametrize(
    ("count", "text"), [(12, "0.0 MiB"), (5 << 20, "5.0 MiB"), (16 << 30, "16.0 GiB")]
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert in_bytes(count) == text


@pytest.mark.parametrize("model", ["socialfusion", "llava -o preset=demo"])
def test_a_run_says_what_it_loads_and_refuses_what_has_no_room(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"run --model {model} --tasks raf_db --limit 2 --results {tmp_path}".split()
    monkeypatch.setattr(memory, "host_memory", lambda: 1 << 20)
    assert invoke(main, [*command, "--dry-run"]) == 0
    assert "weights to load: " in "".join(capsys.readouterr())
    assert invoke(main, command) == 2
    printed = "".join(capsys.readouterr())
    assert "1.0 MiB are free on cpu" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_memory_that_runs_out_while_a_model_loads_is_not_for_its_author(error: Exception) -> None:
    fixes = [raised("model 'm'", "load", "", each).fix for each in (error, ValueError("x"))]
    assert "free memory" in fixes[0]
    assert "author" not in fixes[0]
    assert "report it to its author" in fixes[1]


@pytest.mark.parametrize("model", ["socialfusion", "llava -o preset=demo"])
def test_a_package_that_is_missing_is_said_before_the_weights(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loading, "is_installed", lambda module: module != "bitsandbytes")
    command = f"run --model {model} -o quantise=4bit --tasks raf_db --limit 2 --dry-run"
    assert invoke(main, [*command.split(), "--results", str(tmp_path)]) == 2
    output = "".join(capsys.readouterr())
    assert "quantise=4bit needs bitsandbytes, which is not installed" in output
    assert "weights to load" not in output


def test_a_budget_smaller_than_one_prompt_names_the_one_that_suffices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"run --model socialfusion --tasks raf_db --limit 2 --results {tmp_path} --kv-budget"
    assert invoke(main, [*command.split(), "1KiB"]) == 2
    output = "".join(capsys.readouterr())
    assert "Traceback" not in output
    (enough,) = re.findall(r"fix: --kv-budget (\w+) or more", output)
    assert invoke(main, [*command.split(), enough]) == 0
