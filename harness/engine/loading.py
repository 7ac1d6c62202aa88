"""Options that PyTorch plugins share: checkpoint, attention, compilation, quantisation, adapters.

Importing this loads no torch, so descriptors and identities can use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json, Option, is_installed
from harness.engine.memory import require_memory
from harness.errors import UserError
from harness.models.devices import resolve_device, torch_dtype
from harness.requests import Choose
from harness.resources import home_path

if TYPE_CHECKING:
    from harness.models import Runtime

LOADING: tuple[Option, ...] = (
    Option(
        name="attention",
        default="auto",
        choices=("auto", "sdpa", "eager", "flash_attention_2"),
        help="Attention kernel; auto is transformers' choice, mostly sdpa.",
    ),
    Option(
        name="compile",
        type="bool",
        default=False,
        help="Compile the language model with torch.compile.",
    ),
    Option(
        name="quantise",
        default="none",
        choices=("none", "8bit", "4bit"),
        help="Weights of the language model in 8 or 4 bits (bitsandbytes, GPU).",
    ),
    Option(
        name="device_map",
        default="none",
        choices=("none", "auto"),
        help="Device map; auto spreads a model over several GPUs (accelerate).",
        changes_numbers=False,
    ),
    Option(name="adapter", type="path", help="Folder of a LoRA adapter (peft)."),
    Option(
        name="features",
        default="auto",
        choices=("auto", "on", "off"),
        help="Keep images' features on disk between runs; auto keeps them on a CPU alone: a GPU "
        "encodes an image faster than a disk takes its features.",
        changes_numbers=False,
    ),
)
CHECKPOINT: tuple[Option, ...] = (
    Option(name="path", help="A checkpoint: a folder, a hub id, or package:NAME/folder."),
    Option(name="revision", help="Branch, tag or commit on the hub."),
)
ANSWERS: tuple[Option, ...] = (
    Option(
        name="context",
        type="int",
        least=1,
        help="Positions of prompt and answer; unset: as the checkpoint says.",
    ),
    Option(
        name="score_eos", type="bool", default=True, help="An option ends with end-of-sequence."
    ),
)
_NEEDS = {
    "attention=flash_attention_2": ("flash_attn", "flash-attn"),
    "quantise=8bit": ("bitsandbytes", "bitsandbytes"),
    "quantise=4bit": ("bitsandbytes", "bitsandbytes"),
    "device_map=auto": ("accelerate", "accelerate"),
}


def loading_identity(
    options: Mapping[str, Json], memo: Path | None, base: Path | None = None
) -> dict[str, Json]:
    """Return what of these options can change numbers; an adapter by its content.

    Args:
        options: Parsed options of the descriptor.
        memo: Folder that remembers hashes of weight files.
        base: Folder of the checkpoint whose chat template is used.

    Raises:
        UserError: when the adapter is not there or not whole, or has another chat template.
    """
    about: dict[str, Json] = {
        "attention": str(options.get("attention") or "auto"),
        "compile": bool(options.get("compile")),
        "quantise": str(options.get("quantise") or "none"),
    }
    if options.get("adapter"):
        from harness.engine.adapters.files import adapter_files, refuse_other_template
        from harness.engine.weights import hash_files

        about["adapter_sha256"] = hash_files(adapter_files(_adapter_folder(options)), memo)
        if base is not None:
            refuse_other_template(_adapter_folder(options), base)
    return about


def unused_in(options: Mapping[str, Json], want: object) -> list[str]:
    """Return which of the options given change no answer of this kind, each with why not."""
    used = options.get("score_eos", True) or isinstance(want, Choose)
    return [] if used else ["score_eos (no option is scored)"]


def require_packages(options: Mapping[str, Json]) -> None:
    """Refuse options that need a package which is not installed."""
    for option, (module, package) in _NEEDS.items():
        name, _, value = option.partition("=")
        if options.get(name) == value:
            _require(module, package, option)


def load_arguments(
    options: Mapping[str, Json], runtime: Runtime, dtype: str, *, weights: int | None = None
) -> dict[str, Any]:
    """Return arguments of transformers' ``from_pretrained``.

    Args:
        options: Parsed options of the descriptor.
        runtime: Where to run.
        dtype: The resolved dtype; see :func:`.devices.resolve_dtype`.
        weights: The bytes that the weights take; see :func:`.memory.weight_bytes`. ``None`` when
            files do not tell: nothing is refused then.

    Raises:
        UserError: when a package or a GPU is missing, or the device has no room for the weights.
    """
    require_packages(options)
    device = resolve_device(runtime.device)
    arguments: dict[str, Any] = {"dtype": torch_dtype(dtype)}
    attention = str(options.get("attention") or "auto")
    quantise = str(options.get("quantise") or "none")
    if attention == "flash_attention_2":
        _require_gpu(device.type, f"attention={attention}", "attention=sdpa")
        if dtype == "float32":
            raise UserError(
                "attention=flash_attention_2 does not work in float32",
                fix="add --dtype bfloat16, or use attention=sdpa",
            )
    if attention != "auto":
        arguments["attn_implementation"] = attention
    if quantise != "none":
        _require_gpu(device.type, f"quantise={quantise}", "quantise=none")
        arguments["quantization_config"] = _quantisation(quantise, dtype)
    if device.type == "cuda" and dtype == "bfloat16" and not _has_bfloat16(device):
        raise UserError(f"{device} does not support bfloat16", fix="--dtype float16, or float32")
    if options.get("device_map") == "auto":
        _require_gpu(device.type, "device_map=auto", "device_map=none")
        arguments["device_map"] = "auto"
    elif quantise != "none":
        arguments["device_map"] = {"": device}  # quantised weights cannot be moved afterwards
    if weights is not None:
        require_memory(weights, device, options)
    return arguments


def after_load(
    language_model: Any,
    options: Mapping[str, Json],
    *,
    parts: Mapping[str, Any] | None = None,
    also: Mapping[str, Sequence[str]] | None = None,
) -> Any:
    """Return a loaded language model with its adapter, compiled if asked for.

    Args:
        language_model: The language model, or a model that is asked as a whole.
        options: Parsed options of the descriptor.
        parts: All parts that an adapter may be for, as :func:`.adapters.apply_adapter` takes them;
            by default the language model is all.
        also: Other names of modules that releases have.

    Raises:
        UserError: when the adapter does not fit.
    """
    if options.get("adapter"):
        _require("peft", "peft", "an adapter")
        from harness.engine.adapters import apply_adapter

        apply_adapter(parts or {"": language_model}, _adapter_folder(options), also)
    if options.get("compile"):
        language_model.compile(dynamic=True)
    return language_model.eval()


def with_features(options: Mapping[str, Json], runtime: Runtime) -> Runtime:
    """Return how to run, without a cache where features of images are not kept."""
    choice = str(options.get("features") or "auto")
    fast = choice == "auto" and resolve_device(runtime.device).type == "cuda"
    return replace(runtime, cache=None) if choice == "off" or fast else runtime


def is_placed(options: Mapping[str, Json]) -> bool:
    """Whether loading has put the model where it runs, so that it must not be moved."""
    return options.get("device_map") == "auto" or options.get("quantise") in {"8bit", "4bit"}


def _quantisation(kind: str, dtype: str) -> Any:
    from transformers import BitsAndBytesConfig

    make: Any = BitsAndBytesConfig
    if kind == "8bit":
        return make(load_in_8bit=True)
    return make(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch_dtype(dtype)
    )


def _adapter_folder(options: Mapping[str, Json]) -> Path:
    return home_path(str(options["adapter"]))


def _require(module: str, package: str, option: str) -> None:
    if not is_installed(module):
        text = f"{option} needs {module}, which is not installed"
        raise UserError(text, fix=f"pip install {package}")


def _has_bfloat16(device: Any) -> bool:
    import torch

    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _require_gpu(kind: str, option: str, instead: str) -> None:
    if kind != "cuda":
        raise UserError(f"{option} needs a GPU, the model runs on {kind!r}", fix=f"use {instead}")
