"""Adapters that peft saves are applied as peft applies them; what does not fit is refused."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.engine.adapters import adapter_files, apply_adapter
from harness.engine.adapters.files import refuse_other_template
from harness.engine.adapters.names import Names, split
from harness.errors import UserError

pytestmark = pytest.mark.torch
BOTH = ["q_proj", "v_proj"]
NO_TOWER: dict[str, Any] = {"target_modules": BOTH, "exclude_modules": ".*vision_tower.*"}
WEIGHTS = "adapter_model.safetensors"


def llava() -> Any:
    import transformers

    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
    }
    hf: Any = transformers
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**sizes, image_size=8, patch_size=4),
        text_config=hf.Qwen2Config(**sizes, num_key_value_heads=2, vocab_size=32),
        image_token_id=31,
    )
    torch.manual_seed(0)
    model = hf.LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3)
    return model


@torch.no_grad()
def logits(model: Any) -> Any:
    ids = torch.tensor([[1, 31, 31, 31, 31, 5, 6, 7]])
    pixels = torch.linspace(-1, 1, 192).view(1, 3, 8, 8)
    return model(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids)).logits


def save(folder: Path, part: str = "", **config: Any) -> Any:
    """Write an adapter of the tiny LLaVA or a part of it; return its logits with it."""
    import peft

    model = llava()
    torch.manual_seed(1)
    made = peft.LoraConfig(**{"r": 2, "init_lora_weights": False, **config})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's own about attributes and embeddings
        adapted: Any = peft.get_peft_model(model.get_submodule(part), made)
        with torch.no_grad():
            for weight in adapted.parameters():
                if weight.requires_grad:
                    weight.add_(torch.randn_like(weight) * 0.1)
        adapted.save_pretrained(folder)
    return logits(model.eval())


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    from safetensors.torch import load_file, save_file

    entries = {
        name: tensor.contiguous() for name, tensor in change(load_file(folder / WEIGHTS)).items()
    }
    save_file(entries, folder / WEIGHTS)


def configure(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "config",
    [
        {"target_modules": BOTH},
        {"target_modules": "all-linear"},
        {"target_modules": r".*language_model.*\.(q_proj|down_proj)"},
        {"target_modules": BOTH, "use_rslora": True, "r": 4},
        {"target_modules": ["q_proj", "fc1"], "use_dora": True},
        {
            "target_modules": BOTH,
            "lora_alpha": 16,
            "rank_pattern": {"layers.1.self_attn.q_proj": 4},
        },
        {"target_modules": BOTH, "alpha_pattern": {"language_model.*.v_proj": 32, "v_proj": 2}},
        {"target_modules": BOTH, "bias": "lora_only"},
        {"target_modules": BOTH, "bias": "all"},
        {"target_modules": BOTH, "lora_bias": True},
        {"target_modules": BOTH, "fan_in_fan_out": True},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head", "multi_modal_projector"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "patch_embedding"]},
        {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
        {"target_modules": ["patch_embedding", "q_proj"]},
        {"target_modules": ["q_proj"], "layers_to_transform": [0], "layers_pattern": "layers"},
        {
            "target_modules": BOTH,
            "use_dora": True,
            "use_rslora": True,
            "rank_pattern": {"q_proj": 4},
            "alpha_pattern": {"layers.0.self_attn.v_proj": 9},
        },
        {"target_modules": "all-linear", "use_dora": True, "bias": "all"},
        {"target_modules": ["embed_tokens", "patch_embedding", "q_proj"], "use_dora": True},
        {"target_modules": BOTH, "layers_to_transform": 1},
        {"target_modules": BOTH, "exclude_modules": ["layers.0.self_attn.q_proj"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["norm", "position_embedding"]},
        {
            "target_modules": ["q_proj"],
            "modules_to_save": ["embed_tokens"],
            "ensure_weight_tying": True,
        },
        {"target_modules": BOTH, "init_lora_weights": "orthogonal"},
        NO_TOWER,
        {"target_modules": BOTH, "part": "model.language_model"},
        {"target_modules": BOTH, "part": "model.vision_tower"},
        {"target_modules": ["linear_1"], "part": "model"},
    ],
    ids=str,
)
def test_what_peft_saves_gives_what_peft_gives(tmp_path: Path, config: dict[str, Any]) -> None:
    wanted = save(tmp_path, **config)
    model = llava()
    before = logits(model)
    apply_adapter({"": model}, tmp_path)
    assert torch.allclose(logits(model), wanted, atol=1e-5)
    assert not torch.allclose(before, wanted, atol=1e-2)
    assert not any(
        weight.requires_grad for name, weight in model.named_parameters() if "lora" in name
    )


@pytest.mark.parametrize("config", [NO_TOWER, {"target_modules": "all-linear"}], ids=str)
def test_pickled_weights_are_read_as_plain_tensors(tmp_path: Path, config: Any) -> None:
    from safetensors.torch import load_file

    wanted = save(tmp_path, **config)
    entries = {
        name.replace("lora_A.", "lora_A.default."): tensor
        for name, tensor in load_file(tmp_path / WEIGHTS).items()
    }
    torch.save(entries, tmp_path / "adapter_model.bin")
    (tmp_path / WEIGHTS).unlink()
    model = llava()
    apply_adapter({"": model}, tmp_path)
    assert torch.allclose(logits(model), wanted, atol=1e-5)


def test_base_weights_are_left_as_they_are(tmp_path: Path) -> None:
    """Half precision has no room for what an adapter adds, so nothing is added into it."""
    save(tmp_path, **NO_TOWER)
    model = llava().bfloat16()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    apply_adapter({"": model}, tmp_path)
    after = {name.replace(".base_layer", ""): weight for name, weight in model.named_parameters()}
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    added = [weight.dtype for name, weight in after.items() if name not in before]
    assert added
    assert set(added) == {torch.float32}


def test_a_tied_head_changes_with_its_embeddings_only_where_they_trained_as_one(
    tmp_path: Path,
) -> None:
    save(tmp_path, target_modules=["q_proj"], modules_to_save=["embed_tokens"])
    for tied in (False, True):
        model = llava()
        model.lm_head.weight = model.model.language_model.embed_tokens.weight
        configure(tmp_path, ensure_weight_tying=tied)
        apply_adapter({"": model}, tmp_path)
        embeddings = model.model.language_model.embed_tokens.weight
        assert torch.equal(model.lm_head.weight, embeddings) == tied


class Code:
    """What an unpickler would run."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("name", ["adapter_model.bin", "non_lora_trainables.bin"])
@pytest.mark.parametrize(
    "content", [Code(), {"a": Code()}, [1], {"a": 3}, b"no pickle"], ids=range(5)
)
def test_code_and_objects_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a", **NO_TOWER)
    if name == "adapter_model.bin":
        (tmp_path / "a" / WEIGHTS).unlink()
    if isinstance(content, bytes):
        (tmp_path / "a" / name).write_bytes(content)
    else:
        torch.save(content, tmp_path / "a" / name)
    with pytest.raises(UserError, match="only plain tensors are read") as caught:
        apply_adapter({"": llava()}, tmp_path / "a")
    assert not (tmp_path / "ran").exists()
    assert "weights_only" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def without(*words: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda content: {
        name: tensor for name, tensor in content.items() if not any(word in name for word in words)
    }


def renamed(old: str, new: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda content: {name.replace(old, new): tensor for name, tensor in content.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("layers.1"), r"2 tensors are missing in the file:\n.*layers.\*.self_attn.q_proj"),
        (without("v_proj"), r"2 tensors are missing.*\n.*v_proj"),
        (without("layers.1.self_attn.q_proj.lora_B"), r"1 tensor is missing.*\n.*q_proj.lora_B"),
        (without("lora_A"), r"4 tensors are missing"),
        (renamed("q_proj", "query"), r"4 tensors are for no layer of this model:\n.*query.lora_A"),
        (renamed("language_model", "nothing"), r"for no layer of this model"),
        (renamed("language_model.layers", "vision_tower.encoder.layers"), r"4 tensors are missing"),
        (
            lambda content: content | {"base_model.model.extra": torch.zeros(2)},
            r"no layer.*\n +base_model",
        ),
        (
            lambda content: content | {f"x{i}.y": torch.zeros(2) for i in range(500)},
            "and 492 more groups",
        ),
        (
            lambda content: content | {"a" * 100_000: torch.zeros(2)},
            r"aaa \.\.\. \(.* more\) \.\.\. a+ \(1\)",
        ),
        (
            lambda content: {n: t[:1] for n, t in content.items()},
            r"has the shape \[1, 16\], here it is",
        ),
        (lambda content: {n: t * torch.nan for n, t in content.items()}, "finite numbers"),
        (lambda content: {n: t.to(torch.int8) for n, t in content.items()}, "finite numbers"),
        (lambda _: {}, "holds no tensors"),
        (lambda _: {"lm_head.weight": torch.zeros(32, 16)}, "no LoRA weights"),
    ],
)
def test_tensors_left_over_missing_or_of_another_shape_are_named(
    tmp_path: Path, change: Any, message: str
) -> None:
    save(tmp_path, **NO_TOWER)
    rewrite(tmp_path, change)
    with pytest.raises(UserError, match=message) as caught:
        apply_adapter({"": llava()}, tmp_path)
    assert len(str(caught.value)) < 2500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_modules": ["q_proj"]}, "that the config's target_modules leave out"),
        ({"target_modules": ["q_proj", "v_proj", "o_proj"]}, "missing in the file"),
        ({"target_modules": None}, "target_modules is None"),
        ({"target_modules": "(("}, "not a LoRA configuration"),
        ({"use_rslora": "false"}, "use_rslora is 'false'"),
        ({"use_dora": 1}, "use_dora is 1"),
        ({"exclude_modules": 5}, "exclude_modules is 5"),
        ({"layers_to_transform": "a"}, "layers_to_transform is 'a'"),
        ({"rank_pattern": {"q_proj": 2.5}}, "rank_pattern is"),
        ({"r": 4}, "has the shape"),
        ({"r": "4"}, "r is '4'"),
        ({"lora_alpha": None}, "lora_alpha is None"),
        ({"lora_alpha": 0}, "lora_alpha is 0"),
        ({"alpha_pattern": {"q_proj": 0}}, "alpha_pattern is"),
        ({"modules_to_save": ["lm_head"]}, r"missing in the file:\n +lm_head"),
        ({"use_dora": True}, "lora_magnitude_vector"),
        ({"bias": "lora_only"}, "missing in the file"),
        ({"peft_type": "IA3"}, "type is 'IA3'"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights=pissa"),
        ({"target_parameters": ["experts.weight"]}, "target_parameters"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"some_future_choice": 3}, "some_future_choice"),
    ],
    ids=str,
)
def test_a_config_of_something_else_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    save(tmp_path, **NO_TOWER)
    configure(tmp_path, **changes)
    with pytest.raises(UserError, match=message):
        apply_adapter({"": llava()}, tmp_path)


def test_of_several_adapters_in_a_folder_each_is_applied_by_its_own(tmp_path: Path) -> None:
    import peft

    model = llava()
    config = peft.LoraConfig(r=2, init_lora_weights=False, target_modules=["q_proj"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's own about attributes
        adapted: Any = peft.get_peft_model(model, config)
        adapted.add_adapter("second", config)
        adapted.save_pretrained(tmp_path)
    for name, folder in (("default", tmp_path), ("second", tmp_path / "second")):
        adapted.set_adapter(name)
        wanted, alone = logits(model.eval()), llava()
        apply_adapter({"": alone}, folder)
        assert torch.allclose(logits(alone), wanted, atol=1e-5)
    for path in tmp_path.glob("adapter_*"):
        path.unlink()
    with pytest.raises(UserError, match="folders in it that have one: second"):
        apply_adapter({"": llava()}, tmp_path)


def test_half_of_a_projector_beside_the_adapter_is_refused(tmp_path: Path) -> None:
    save(tmp_path, **NO_TOWER)
    weight = {"base_model.model.model.multi_modal_projector.linear_1.weight": torch.zeros(16, 16)}
    torch.save(weight, tmp_path / "non_lora_trainables.bin")
    with pytest.raises(UserError, match=r"3 tensors are missing in the file:\n.*linear_1"):
        apply_adapter({"": llava()}, tmp_path)


def test_two_names_for_one_layer_are_refused(tmp_path: Path) -> None:
    save(tmp_path, **NO_TOWER)
    rewrite(
        tmp_path,
        lambda content: (
            content
            | {name.replace("language_model.", ""): tensor + 1 for name, tensor in content.items()}
        ),
    )
    with pytest.raises(UserError, match="two tensors belong to one layer"):
        apply_adapter({"": llava()}, tmp_path)


def test_weights_beside_an_adapter_that_nothing_would_read_are_said(tmp_path: Path) -> None:
    save(tmp_path, **NO_TOWER)
    (tmp_path / "training_args.bin").touch()
    assert {path.name for path in adapter_files(tmp_path)} == {WEIGHTS, "adapter_config.json"}
    shutil.copy(tmp_path / WEIGHTS, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"would be ignored: model.safetensors"):
        adapter_files(tmp_path)


@pytest.mark.parametrize("name", ["adapter_model.bin", "mm_projector.pt", "more.pth", "all.ckpt"])
def test_other_forms_of_weights_beside_an_adapter_are_said_too(tmp_path: Path, name: str) -> None:
    save(tmp_path, **NO_TOWER)
    for left in ("optimizer.pt", "rng_state_0.pth", "scaler.pt"):
        (tmp_path / left).touch()
    adapter_files(tmp_path)
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"would be ignored: {name}"):
        adapter_files(tmp_path)


def test_another_chat_template_beside_an_adapter_is_refused(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
    refuse_other_template(adapter, base)  # neither has one
    (base / "tokenizer_config.json").write_text(json.dumps({"chat_template": "a"}))
    refuse_other_template(adapter, base)
    (adapter / "chat_template.jinja").write_text("a\n")
    refuse_other_template(adapter, base)
    named = [{"name": "default", "template": "a"}, {"name": "tools", "template": "b"}]
    (adapter / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    with pytest.raises(UserError, match="another chat template than the checkpoint"):
        refuse_other_template(adapter, base)


@pytest.mark.parametrize(
    ("name", "part", "remainder"),
    [
        ("model.layers.0.q", "", "layers.0.q"),
        ("base_model.model.model.language_model.layers.0.q", "language", "layers.0.q"),
        ("model.vision_tower.vision_tower.vision_model.encoder.q", "vision", "encoder.q"),
        ("visual.merger.mlp.0", "vision", "merger.mlp.0"),
        ("model.mm_projector.0", "connector", "0"),
        ("lm_head", "", "lm_head"),
        ("visual", "", "visual"),
    ],
)
def test_words_before_a_layer_s_name_say_its_part(name: str, part: str, remainder: str) -> None:
    assert split(name) == (part, remainder)


def test_a_name_that_fits_two_layers_leads_nowhere() -> None:
    names = Names(["vision_tower.a.q", "connector.a.q", "model.b.q", "b.q"])
    assert names.find("model.a.q") is None
    assert names.find("language_model.b.q") is None
    match = names.find("model.visual.a.q")
    assert match is not None
    assert match.targets == ("vision_tower.a.q",)
