from __future__ import annotations

import contextlib
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from harness.descriptors import parse_options
from harness.engine import loading
from harness.engine.loading import (
    LOADING,
    after_load,
    is_placed,
    load_arguments,
    loading_identity,
    with_features,
)
from harness.errors import UserError
from harness.models import Runtime, devices
from tests.engine.conftest import language_model

pytestmark = pytest.mark.torch
CPU = Runtime(device="cpu")


def options(**keywords: Any) -> Any:
    return parse_options(LOADING, keywords, owner="model 'x'")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    from peft import LoraConfig, get_peft_model

    folder = tmp_path / "adapter"
    config = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an attribute's old name
        adapted: Any = get_peft_model(language_model(), config)
    adapted.save_pretrained(str(folder))
    return folder


def test_importing_the_options_loads_no_torch() -> None:
    code = "import sys, harness.engine.loading; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plain_options_ask_for_the_number_type_alone() -> None:
    import torch

    assert load_arguments(options(), CPU, "bfloat16") == {"dtype": torch.bfloat16}
    eager = load_arguments(options(attention="eager"), CPU, "float32")
    assert eager["attn_implementation"] == "eager"
    assert not is_placed(options())
    assert is_placed(options(device_map="auto"))


class Card:
    """A GPU that is not there, as far as loading looks at one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, bfloat16: bool, free: float) -> None:
        import torch

        monkeypatch.setattr(loading, "resolve_device", lambda _: torch.device("cuda", 0))
        monkeypatch.setattr(loading, "is_installed", lambda _: True)
        monkeypatch.setattr(torch.cuda, "device", lambda _: contextlib.nullcontext())
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bfloat16)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(free * 2**30), 80 << 30))


def test_a_card_without_bfloat16_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    Card(monkeypatch, bfloat16=False, free=79)
    with pytest.raises(UserError, match="does not support bfloat16") as caught:
        load_arguments(options(), Runtime(), "bfloat16")
    assert "--dtype float16" in str(caught.value.fix)
    load_arguments(options(), Runtime(), "float16")


def test_a_dtype_that_a_kernel_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    Card(monkeypatch, bfloat16=True, free=79)
    with pytest.raises(UserError, match="does not work in float32"):
        load_arguments(options(attention="flash_attention_2"), Runtime(), "float32")


def test_what_weights_need_is_told_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Card(monkeypatch, bfloat16=True, free=79)
    load_arguments(options(), Runtime(), "bfloat16", weights=int(15.1 * 2**30))
    assert "needs 15.1 GiB, 79.0 GiB free on cuda:0" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"take 80\.0 GiB and 79\.0 GiB are free") as caught:
        load_arguments(options(), Runtime(), "bfloat16", weights=80 << 30)
    assert "quantise=8bit or 4bit" in str(caught.value.fix)


@pytest.mark.parametrize("requested", ["auto", "cuda"])
def test_a_driver_that_is_too_old_is_said(
    requested: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def too_old() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", too_old)
    monkeypatch.setattr(devices, "_CARD", tmp_path)
    with pytest.raises(UserError, match="driver on your system is too old") as caught:
        devices.resolve_device(requested)
    assert "--device cpu" in str(caught.value.fix)
    assert devices.resolve_device("cpu").type == "cpu"


def test_features_are_kept_on_a_cpu_and_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    remaining = Runtime(cache=tmp_path)
    assert with_features(options(), Runtime(cache=tmp_path, device="cpu")).cache == tmp_path
    assert with_features(options(features="off"), remaining).cache is None
    Card(monkeypatch, bfloat16=True, free=79)
    assert with_features(options(), remaining).cache is None
    assert with_features(options(features="on"), remaining).cache == tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantise": "8bit"}, "needs a GPU"),
        ({"quantise": "4bit"}, "needs a GPU"),
        ({"device_map": "auto"}, "needs a GPU"),
        ({"attention": "flash_attention_2"}, "needs a GPU"),
    ],
)
def test_what_needs_a_gpu_says_so(
    arguments: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "is_installed", lambda _: True)
    with pytest.raises(UserError, match=message):
        load_arguments(options(**arguments), CPU, "bfloat16")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "is_installed", lambda _: False)
    for arguments in ({"quantise": "4bit"}, {"device_map": "auto"}):
        with pytest.raises(UserError, match="not installed"):
            load_arguments(options(**arguments), CPU, "float32")


def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="not available"):
        load_arguments(options(), Runtime(device="cuda:99"), "float32")


def test_an_adapter_changes_numbers_and_identity(adapter: Path) -> None:
    import torch

    plain = loading_identity(options(), None)
    adapted = loading_identity(options(adapter=str(adapter)), None)
    assert adapted != plain
    assert loading_identity(options(attention="eager"), None) != plain
    ids = torch.tensor([[1, 2, 3]])
    before = language_model()(ids).logits
    model = after_load(language_model(), options(adapter=str(adapter)))
    assert not torch.allclose(before, model(ids).logits)


def test_an_adapter_that_is_not_there_damaged_or_foreign_is_said(
    adapter: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no LoRA adapter"):
        loading_identity(options(adapter=str(tmp_path / "none")), None)
    config = adapter / "adapter_config.json"
    text = config.read_text()
    config.write_text(text.replace("q_proj", "no_such_layer"))
    with pytest.raises(UserError, match="does not fit"):
        after_load(language_model(), options(adapter=str(adapter)))
    config.write_text(text)
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        loading_identity(options(adapter=str(adapter)), None)
