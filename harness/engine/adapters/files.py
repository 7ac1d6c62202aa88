"""What lies in an adapter's folder, and its config. Importing this loads no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Any

from harness.engine.checkpoints import read_json
from harness.engine.weights import read_header
from harness.errors import UserError, one_line
from harness.resources import inner_folders

CONFIG = "adapter_config.json"
EXTRAS = ("non_lora_trainables.safetensors", "non_lora_trainables.bin")
"""What the original LLaVA saves beside its LoRA: projector and whatever else trained, whole."""
FIX = "give a whole adapter that was trained over this checkpoint"
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_NO_WEIGHTS = {"training_args.bin", "optimizer.bin", "scheduler.bin"} | {
    *("optimizer.pt", "scheduler.pt", "scaler.pt", "training_args.pt")
}
_RANDOM = re.compile(r"rng_state(_\d+)?\.pth")  # where a training's random numbers were
_ENDINGS = {".safetensors", ".bin", ".pt", ".pth", ".ckpt"}
_READ = {"r", "lora_alpha", "target_modules", "exclude_modules", "modules_to_save", "bias"} | {
    *("rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "fan_in_fan_out"),
    *("use_rslora", "use_dora", "lora_bias", "ensure_weight_tying", "peft_type"),
    "init_lora_weights",
}
_OF_TRAINING = {"task_type", "auto_mapping", "base_model_name_or_path", "revision"} | {
    *("inference_mode", "peft_version", "lora_dropout", "eva_config", "runtime_config"),
    *("megatron_core", "qalora_group_size", "loftq_config", "corda_config", "lora_ga_config"),
}
_PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")
"""What ``init_lora_weights`` may say: other ways of starting change the base weights too."""


def adapter_files(folder: Path) -> tuple[Path, ...]:
    """Return every file of an adapter's folder that is applied: its config first, then weights.

    Raises:
        UserError: when one is missing or damaged, or the folder holds other weights.
    """
    paths = [folder / CONFIG]
    for names in (_WEIGHTS, EXTRAS):
        paths += [folder / name for name in names if (folder / name).is_file()][:1]
    weights = [path for path in paths if path.name in _WEIGHTS]
    if not paths[0].is_file() or not weights:
        raise UserError(
            f"this is no LoRA adapter: it needs {CONFIG} and {_WEIGHTS[0]} or {_WEIGHTS[1]}"
            + inner_folders(folder, CONFIG),
            where=folder,
            fix="give the folder that peft's save_pretrained wrote",
        )
    expected = {*(path.name for path in paths), *_NO_WEIGHTS}
    others = sorted(
        path.name
        for path in folder.iterdir()
        if path.suffix in _ENDINGS
        and path.name not in expected
        and not _RANDOM.fullmatch(path.name)
    )
    if others:
        raise UserError(
            f"the adapter's folder holds weights that would be ignored: {others[0]}"
            + (f" and {len(others) - 1} more" if len(others) > 1 else ""),
            where=folder,
            fix="give a folder that holds only the adapter, or merge them into the checkpoint",
        )
    for path in paths[1:]:
        if path.suffix == ".safetensors":
            read_header(path)
    return tuple(paths)


def refuse_other_template(folder: Path, base: Path) -> None:
    """Refuse an adapter beside which another chat template lies than the checkpoint's.

    The checkpoint's is the one that is read.

    Raises:
        UserError: the adapter's is another.
    """
    if any(template not in _templates(base) for template in _templates(folder)):
        raise UserError(
            "the adapter comes with another chat template than the checkpoint, whose own is used: "
            "the model would be asked in another form than in its training",
            where=folder,
            fix=f"copy the template into {base}, or take it out of the adapter's folder",
        )


def _templates(folder: Path) -> list[str]:
    """Return the chat templates that lie in a folder; of several in one file all."""
    text = folder / "chat_template.jinja"
    texts: list[Any] = [text.read_text(encoding="utf-8")] if text.is_file() else []
    for name in ("chat_template.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            saved = read_json(folder / name).get("chat_template")
            named = saved if isinstance(saved, list) else [{"template": saved}]
            texts += [one.get("template") for one in named if isinstance(one, dict)]
    return [one.strip() for one in texts if isinstance(one, str)]


def read_config(path: Path) -> dict[str, Any]:
    """Return ``adapter_config.json``.

    Raises:
        UserError: for another method than LoRA, or a variety of it that is not read.
    """
    config = read_json(path)
    if config.get("peft_type") != "LORA":
        raise UserError(
            f"the adapter's type is {one_line(repr(config.get('peft_type')))}; only LORA is read",
            where=path,
            fix="merge the adapter into the checkpoint and give the merged one",
        )
    strange = sorted(name for name in config.keys() - _READ - _OF_TRAINING if config[name])
    if config.get("init_lora_weights", True) not in _PLAIN_STARTS:
        strange.append(f"init_lora_weights={config['init_lora_weights']}")
    if strange:
        raise UserError(
            f"adapters with {one_line(', '.join(strange))} are not read: they change "
            "more than LoRA's products say",
            where=path,
            fix="merge it into the checkpoint (peft's merge_and_unload), and give that",
        )
    wrong = [name for name, good in _GOOD.items() if not good(config.get(name))]
    if wrong:
        raise UserError(
            f"not a LoRA configuration: {wrong[0]} is {one_line(repr(config.get(wrong[0])))}",
            where=path,
            fix=FIX,
        )
    return config


def _is_rank(value: object) -> bool:
    return _is_whole(value) and bool(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and name for name in value)


def _is_scale(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf


def _all(good: Callable[[object], bool], value: object) -> bool:
    return value is None or (isinstance(value, dict) and all(map(good, value.values())))


_GOOD: Mapping[str, Callable[[object], bool]] = {
    "r": _is_rank,
    "lora_alpha": _is_scale,
    "target_modules": lambda value: bool(value) and (isinstance(value, str) or _is_list(value)),
    "modules_to_save": lambda value: value is None or _is_list(value),
    "rank_pattern": lambda value: _all(_is_rank, value),
    "alpha_pattern": lambda value: _all(_is_scale, value),
    "exclude_modules": lambda value: value is None or isinstance(value, str) or _is_list(value),
    "layers_to_transform": lambda value: (
        value is None or all(map(_is_whole, value if isinstance(value, list) else [value]))
    ),
    "layers_pattern": lambda value: value is None or isinstance(value, str) or _is_list(value),
    **dict.fromkeys(
        ("fan_in_fan_out", "use_rslora", "use_dora", "lora_bias", "ensure_weight_tying"),
        lambda value: value is None or isinstance(value, bool),
    ),
    "bias": lambda value: value in (None, "none", "all", "lora_only"),
}
"""What the config has to say for its numbers to be those of the training."""
