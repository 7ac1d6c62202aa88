from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from PIL import Image
from safetensors.torch import save_file

from harness.engine.adapters.files import adapter_files
from harness.engine.checkpoints import (
    check_loaded,
    family_of,
    iterate_tensors,
    key_report,
    load_image_processor,
    load_pretrained,
    load_tokenizer,
    open_checkpoint,
    refuse_remote_code,
    require_family,
    weight_files,
)
from harness.errors import UserError

TENSORS = {f"model.layers.{n}.{k}.weight": torch.full((2,), float(n)) for n in (0, 1) for k in "ab"}


def write(folder: Path, config: Any = None, **files: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "llama"}))
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def write_shards(folder: Path, kind: str = "safetensors") -> list[Path]:
    """Write TENSORS as two shards with an index, as the hub's releases are."""
    prefix = "model" if kind == "safetensors" else "pytorch_model"
    paths: list[Path] = []
    named: dict[str, str] = {}
    for at, names in enumerate((sorted(TENSORS)[:2], sorted(TENSORS)[2:]), 1):
        path = folder / f"{prefix}-0000{at}-of-00002.{kind}"
        entries = {name: TENSORS[name] for name in names}
        save_file(entries, path) if kind == "safetensors" else torch.save(entries, path)
        named |= dict.fromkeys(names, path.name)
        paths.append(path)
    (folder / f"{prefix}.{kind}.index.json").write_text(json.dumps({"weight_map": named}))
    return paths


@pytest.mark.parametrize("form", ["safetensors", "bin", "sharded safetensors", "sharded bin"])
def test_every_layout_of_weights_gives_the_same_tensors(tmp_path: Path, form: str) -> None:
    folder = write(tmp_path)
    if form == "safetensors":
        save_file(TENSORS, folder / "model.safetensors")
    elif form == "bin":
        torch.save(TENSORS, folder / "pytorch_model.bin")
    else:
        write_shards(folder, form.split()[1])
    mapping = dict(iterate_tensors(open_checkpoint(str(folder))))
    assert mapping.keys() == TENSORS.keys()
    assert all(torch.equal(mapping[name], TENSORS[name]) for name in TENSORS)


def test_the_identity_of_a_folder_follows_weights_config_and_tokenizer(tmp_path: Path) -> None:
    folder = write(tmp_path)
    save_file(TENSORS, folder / "model.safetensors")
    first = open_checkpoint(str(folder)).identity(None)
    (folder / "notes.md").write_text("a note changes nothing")
    assert open_checkpoint(str(folder)).identity(None) == first
    (folder / "tokenizer.json").write_text("{}")
    second = open_checkpoint(str(folder)).identity(None)
    save_file({**TENSORS, "extra": torch.ones(1)}, folder / "model.safetensors")
    third = open_checkpoint(str(folder)).identity(None)
    write(folder, {"model_type": "llama", "rope_theta": 5})
    fourth = open_checkpoint(str(folder)).identity(None)
    assert len({json.dumps(each) for each in (first, second, third, fourth)}) == 4


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    _, second = write_shards(write(tmp_path))
    second.unlink()
    with pytest.raises(UserError, match="1 of 2 weight files are missing: model-00002-of-00002"):
        weight_files(open_checkpoint(str(tmp_path)))


def test_a_shard_without_a_tensor_its_index_names_is_refused(tmp_path: Path) -> None:
    first, _ = write_shards(write(tmp_path))
    save_file({"other": torch.ones(1)}, first)
    with pytest.raises(UserError, match=r"2 tensors are missing:\s+model\.layers\.\*\.a"):
        weight_files(open_checkpoint(str(tmp_path)))


def test_shards_without_an_index_are_refused(tmp_path: Path) -> None:
    write_shards(write(tmp_path))
    (tmp_path / "model.safetensors.index.json").unlink()
    with pytest.raises(UserError, match="their index"):
        weight_files(open_checkpoint(str(tmp_path)))


@pytest.mark.parametrize("file", ["../model.safetensors", "/etc/passwd", 3])
def test_an_index_cannot_lead_out_of_its_folder(tmp_path: Path, file: Any) -> None:
    write(tmp_path, **{"model.safetensors.index.json": {"weight_map": {"a": file}}})
    with pytest.raises(UserError, match="not the name of a file beside it"):
        weight_files(open_checkpoint(str(tmp_path)))


def test_a_corrupt_header_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(UserError, match="not a whole safetensors file"):
        open_checkpoint(str(tmp_path)).identity(None)


def test_a_pickle_that_runs_code_is_not_read(tmp_path: Path) -> None:
    write(tmp_path)
    torch.save({"a": _Runs(tmp_path / "ran")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="PyTorch cannot read the weights"):
        dict(iterate_tensors(open_checkpoint(str(tmp_path))))
    assert not (tmp_path / "ran").exists()


class _Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_path_that_is_no_checkpoint_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        open_checkpoint(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="an adapter"):
        open_checkpoint(str(tmp_path))
    with pytest.raises(UserError, match="this is a file"):
        open_checkpoint(str(tmp_path / "adapter_config.json"))
    with pytest.raises(UserError, match="there is no folder"):
        open_checkpoint(str(tmp_path / "absent"))
    with pytest.raises(UserError, match="no revision"):
        open_checkpoint(str(write(tmp_path / "whole")), revision="main")
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(UserError, match="not a JSON object"):
        open_checkpoint(str(tmp_path))
    with pytest.raises(UserError, match="holds no weights"):
        weight_files(open_checkpoint(str(write(tmp_path))))


def test_a_folder_of_checkpoints_names_those_in_it(tmp_path: Path) -> None:
    for step in (5, 20, 100, 1000):
        write(tmp_path / f"checkpoint-{step}")
    message = (
        "no config.json; folders in it that have one: checkpoint-20, checkpoint-100, .*-1000 and 1"
    )
    with pytest.raises(UserError, match=message):
        open_checkpoint(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="holds no weights") as caught:
        weight_files(open_checkpoint(str(tmp_path)))
    assert "folders" not in caught.value.message  # those hold none either
    with pytest.raises(UserError, match="no LoRA adapter"):
        adapter_files(tmp_path)
    (tmp_path / "checkpoint-5" / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"that have one: checkpoint-5\n"):
        adapter_files(tmp_path)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("model_base.pth", "download the model in transformers' format"),
        ("open_clip_config.json", "--model open_clip"),
    ],
)
def test_weights_in_another_format_name_the_plugin(tmp_path: Path, file: str, words: str) -> None:
    (tmp_path / file).write_text("{}")
    with pytest.raises(UserError, match=r"no config\.json") as caught:
        open_checkpoint(str(tmp_path))
    assert words in caught.value.fix


def test_a_hub_id_that_is_not_here_says_how_to_fetch_it_while_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="hf download someone/nothing"):
        open_checkpoint("someone/nothing")


def test_a_hub_checkpoint_is_told_by_its_commit_and_its_weights_come_when_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = "a" * 40
    path = tmp_path / "models--someone--thing"
    (path / "refs").mkdir(parents=True)
    (path / "refs" / "main").write_text(commit)
    (path / "snapshots").mkdir()
    folder = write(path / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    result = open_checkpoint("someone/thing")
    assert result.identity(None) == {"name": "someone/thing", "revision": commit}
    with pytest.raises(UserError, match="holds no weights"):
        weight_files(result)
    save_file(TENSORS, folder / "model.safetensors")
    assert weight_files(result) == (folder / "model.safetensors",)


def test_an_image_processor_of_the_old_kind_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path, {"model_type": "clip"})
    old = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 6, "crop_size": 6}
    (folder / "preprocessor_config.json").write_text(json.dumps(old))
    processor = load_image_processor(folder)
    pixels = processor(images=Image.new("RGB", (20, 9)), return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 6, 6)
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(UserError, match="cannot read the image processor"):
        load_image_processor(folder)


@pytest.mark.parametrize(
    ("config", "plugin"),
    [
        ({"model_type": "llava", "mm_vision_tower": "x"}, "llava"),
        ({"model_type": "llava_onevision", "vision_config": {}}, "llava"),
        ({"model_type": "llava_mistral", "mm_vision_tower": "x"}, "llava"),
        ({"model_type": "odd", "mm_vision_tower": "x"}, ""),
        ({"model_type": "bunny-phi", "mm_vision_tower": "x"}, "bunny"),
        ({"model_type": "qwen", "visual": {}}, "qwen_vl"),
        ({"model_type": "qwen2_5_vl", "vision_config": {}}, "qwen_vl"),
        ({"model_type": "siglip"}, "open_clip"),
        ({"model_type": "idefics3", "vision_config": {}}, "hf_vlm"),
        ({"model_type": "qwen"}, ""),
        ({}, ""),
    ],
)
def test_a_config_tells_its_family(config: dict[str, Any], plugin: str) -> None:
    assert family_of(config) == plugin


def test_another_family_is_refused_with_the_plugin_that_fits(tmp_path: Path) -> None:
    result = open_checkpoint(str(write(tmp_path, {"model_type": "bunny-phi"})))
    with pytest.raises(UserError, match=r"'bunny-phi'\n  fix: --model bunny reads it"):
        require_family(result, "llava")
    require_family(result, "bunny")


def test_a_family_that_nothing_reads_says_which_flag_runs_its_own_code(tmp_path: Path) -> None:
    config = {"model_type": "odd", "auto_map": {"AutoModel": "odd.Odd"}}
    with pytest.raises(UserError, match=r"'odd'\n  fix: .*read that code.*trust_remote_code=true"):
        require_family(open_checkpoint(str(write(tmp_path, config))), "llava")


def test_a_config_that_asks_for_code_is_refused(tmp_path: Path) -> None:
    config = {"model_type": "odd", "auto_map": {"AutoConfig": "odd.OddConfig"}}
    with pytest.raises(UserError, match=r"odd\.OddConfig.*trust_remote_code"):
        refuse_remote_code(open_checkpoint(str(write(tmp_path, config))))


def test_the_key_report_groups_tensors_by_module() -> None:
    messages = str(key_report(TENSORS, ["head.bias"], Path("x")))
    assert "4 tensors are missing" in messages
    assert "model.layers.*.a (2)" in messages
    assert "1 tensor is not this model's:\n    head (1)" in messages


def test_tables_that_models_compute_themselves_may_stand_in_old_files(tmp_path: Path) -> None:
    check_loaded([], ["model.layers.0.self_attn.rotary_emb.inv_freq"], tmp_path)


def test_a_model_is_loaded_whole_or_not_at_all(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 8, "intermediate_size": 8, "vocab_size": 8, "num_attention_heads": 2}
    model: Any = LlamaForCausalLM(LlamaConfig.from_dict({**sizes, "num_hidden_layers": 2}))
    model.eval()
    model.save_pretrained(tmp_path)
    source = open_checkpoint(str(tmp_path))
    weights = dict(iterate_tensors(source))
    loaded = load_pretrained(LlamaForCausalLM, source, config=model.config, weights=weights)
    probe = torch.tensor([[3, 1, 4]])
    assert torch.equal(loaded(probe).logits, model(probe).logits)
    name = "model.layers.1.mlp.down_proj.weight"
    with pytest.raises(UserError, match=r"model\.layers\.\*\.mlp\.down_proj \(1\)"):
        load_pretrained(
            LlamaForCausalLM,
            source,
            config=model.config,
            weights={key: value for key, value in weights.items() if key != name},
        )
    with pytest.raises(UserError, match=r"has the shape \[3\]"):
        load_pretrained(
            LlamaForCausalLM, source, config=model.config, weights={**weights, name: torch.ones(3)}
        )


def test_a_folder_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no tokenizer \(tokenizer\.json"):
        load_tokenizer(write(tmp_path))
    with pytest.raises(UserError, match=r"cannot read the tokenizer: .*\n  fix: copy or download"):
        load_tokenizer(write(tmp_path, **{"tokenizer.json": {}}))


def test_a_checkpoint_inside_a_package_is_opened_by_its_address() -> None:
    result = open_checkpoint("package:harness_demo_world/weights/llava")
    assert family_of(result.config) == "llava"
    with pytest.raises(UserError, match="not installed"):
        open_checkpoint("package:no_such_package/weights")
    with pytest.raises(UserError, match="no folder"):
        open_checkpoint("package:harness_demo_world/no_such_folder")
