"""Making, saving and loading a model: safetensors and JSON only, no code from a checkpoint."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from harness.engine.checkpoints import check_loaded, load_pretrained, load_tokenizer
from harness.engine.weights import read_header
from harness.errors import UserError
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from harness_socialfusion.connector import Connector
from harness_socialfusion.encoder import VisualEncoder
from harness_socialfusion.model import SocialFusionModel
from harness_socialfusion.settings import (
    CONFIG,
    FusionSettings,
    LoraSettings,
    Part,
    read_settings,
)
from harness_socialfusion.sources import (
    Source,
    check_source,
    find_encoder,
    find_language_model,
    read_json,
)

CONNECTOR = "connector.safetensors"
ADAPTER = "adapter"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """The frozen parts as found on this machine."""

    encoder: Source
    language_model: Source


def find_parts(settings: FusionSettings, folder: Path | None, memo: Path | None = None) -> Parts:
    """Return where the frozen parts lie; see :func:`harness_socialfusion.sources`."""
    encoder_part, language_part = settings.encoder, settings.language_model
    return Parts(
        find_encoder(encoder_part.id, encoder_part.revision, folder, memo),
        find_language_model(language_part.id, language_part.revision, folder, memo),
    )


def create(  # noqa: PLR0913  each is a choice of its own, all named
    settings: FusionSettings,
    *,
    base: Path | None = None,
    dtype: torch.dtype = torch.float32,
    lora: LoraSettings | None = None,
    seed: int = 0,
    parts: Parts | None = None,
    loading: Mapping[str, Any] | None = None,
) -> SocialFusionModel:
    """Return a model of frozen parts, an untrained connector and, if asked for, fresh adapters.

    Args:
        settings: What it is made of.
        base: Folder that the parts' relative paths start from.
        dtype: dtype of the weights.
        lora: Adapters on the language model.
        seed: Seed of the connector's and the adapters' first weights.
        parts: The frozen parts, when they were already looked for.
        loading: More arguments for transformers' ``from_pretrained`` of the language model.

    Raises:
        UserError: when a part is not there or does not load.
    """
    parts_found = parts or find_parts(settings, base)
    encoder = VisualEncoder(
        parts_found.encoder, layer=settings.encoder_layer, norm=settings.encoder_norm
    ).to(dtype)
    language_model, tokenizer = _load_language_model(
        parts_found.language_model, {"dtype": dtype, **(loading or {})}
    )
    language_model.requires_grad_(requires_grad=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        connector = Connector(
            settings.connector,
            width_in=encoder.width,
            out=language_model.get_input_embeddings().embedding_dim,
            grid=encoder.grid,
        ).to(dtype)
        if lora is not None:
            language_model = _with_adapters(language_model, _lora_config(lora))
    return SocialFusionModel(settings, encoder, connector, language_model, tokenizer)


def save(
    model: SocialFusionModel,
    folder: Path,
    *,
    base: Path | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write configuration, connector and adapter of a model.

    Args:
        model: What to save.
        folder: Where to; made when it is not there.
        base: Folder that relative names of the parts start from; ``folder`` by default, so
            ``../encoder`` names its neighbour.
        dtype: dtype of the saved weights; the model's own by default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = find_parts(model.settings, base or folder)
    settings = dataclasses.replace(
        model.settings,
        encoder=_recorded(model.settings.encoder, parts.encoder),
        language_model=_recorded(model.settings.language_model, parts.language_model),
        image_tokens=model.image_tokens,
        adapter=isinstance(model.language_model, PeftModel),
    )
    text = json.dumps(settings.to_json(), indent=2)
    (folder / CONFIG).write_text(f"{text}\n", encoding="utf-8")
    save_file(_plain(model.connector.state_dict(), dtype), folder / CONNECTOR)
    if isinstance(model.language_model, PeftModel):
        adapter = folder / ADAPTER
        adapter.mkdir(exist_ok=True)
        config = model.language_model.peft_config["default"]
        adapter_config = {name: _jsonable(value) for name, value in config.to_dict().items()}
        # A machine's own path has no place in a file that is handed on.
        adapter_config |= {
            "base_model_name_or_path": settings.language_model.id,
            "inference_mode": True,
        }
        (adapter / ADAPTER_CONFIG).write_text(
            json.dumps(adapter_config, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        state = get_peft_model_state_dict(model.language_model)
        save_file(_plain(state, dtype), adapter / ADAPTER_WEIGHTS)


def load(  # noqa: PLR0913  each is a choice of its own, all named
    folder: Path,
    *,
    dtype: torch.dtype = torch.float32,
    merge: bool = False,
    memo: Path | None = None,
    prompt_format: str | None = None,
    loading: Mapping[str, Any] | None = None,
) -> SocialFusionModel:
    """Return a saved model.

    Args:
        folder: What :func:`save` wrote.
        dtype: dtype of the weights.
        merge: Add the adapters into the language model's weights (faster; not for training).
        memo: Folder that remembers hashes of weight files.
        prompt_format: Another format than the saved one.
        loading: As for :func:`create`.

    Raises:
        UserError: when a file is missing or damaged, a part is another than at training time, or
            tensors are missing or foreign.
    """
    settings = read_settings(folder)
    if prompt_format:
        settings = dataclasses.replace(settings, prompt_format=prompt_format)
    parts = find_parts(settings, folder, memo)
    check_parts(settings, parts, folder)
    model = create(settings, parts=parts, dtype=dtype, loading=loading)
    _fill(model.connector, folder / CONNECTOR)
    has_adapter = (folder / ADAPTER).is_dir()
    if settings.adapter not in {None, has_adapter}:
        problem = "is not there" if settings.adapter else "is not this model's"
        raise UserError(
            f"the saved adapter {problem}",
            where=folder / ADAPTER,
            fix="copy the whole folder that training saved again",
        )
    if has_adapter:
        model.language_model = _adapt(model.language_model, folder / ADAPTER, merge=merge)
    if settings.image_tokens not in {None, model.image_tokens}:
        raise UserError(
            f"an image should take {settings.image_tokens} tokens, it takes {model.image_tokens}",
            where=folder / CONFIG,
        )
    return model


def check_parts(settings: FusionSettings, parts: Parts, folder: Path) -> None:
    """Refuse parts that are not those of training time.

    Raises:
        UserError: naming the part.
    """
    where = folder / CONFIG
    check_source(parts.encoder, dataclasses.asdict(settings.encoder), "encoder", where)
    recorded = dataclasses.asdict(settings.language_model)
    check_source(parts.language_model, recorded, "language model", where)


def _recorded(part: Part, source: Source) -> Part:
    revision = part.revision or (source.revision if source.folder is not None else "") or None
    return dataclasses.replace(part, revision=revision, sha256=source.sha256)


def _load_language_model(source: Source, loading: Mapping[str, Any]) -> tuple[Any, Any]:
    assert source.folder is not None
    model = load_pretrained(AutoModelForCausalLM, source.folder, use_safetensors=True, **loading)
    return model, load_tokenizer(source.folder)


def _fill(module: torch.nn.Module, path: Path) -> None:
    """Load a module's weights, all of them and no others."""
    header = read_header(path)
    expected = module.state_dict()
    check_loaded(expected.keys() - header.keys(), header.keys() - expected.keys(), path)
    for name, weight in expected.items():
        if list(weight.shape) != header[name]["shape"]:
            raise UserError(
                f"{name} has the shape {header[name]['shape']}, the model needs "
                f"{list(weight.shape)}",
                where=path,
            )
    module.load_state_dict(load_file(path))


def _adapt(language_model: Any, folder: Path, *, merge: bool) -> Any:
    """Return the language model with saved adapters."""
    path = folder / ADAPTER_WEIGHTS
    header = read_header(path)
    raw_config = read_json(folder / ADAPTER_CONFIG)
    fields = {field.name for field in dataclasses.fields(LoraConfig)}
    try:
        config = LoraConfig(**{name: value for name, value in raw_config.items() if name in fields})
        adapted = _with_adapters(language_model, config)
    except (TypeError, ValueError) as error:
        raise UserError(f"not a LoRA configuration: {error}", where=folder) from None
    expected = get_peft_model_state_dict(adapted).keys()
    check_loaded(expected - header.keys(), header.keys() - expected, path)
    try:
        set_peft_model_state_dict(adapted, load_file(path))
    except RuntimeError as error:
        raise UserError(
            f"the adapter does not fit: {str(error).partition(chr(10))[0]}", where=path
        ) from None
    adapted.requires_grad_(requires_grad=False).eval()
    if not merge:
        for name, weight in adapted.named_parameters():
            weight.requires_grad_("lora_" in name)
        return adapted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        merged: Any = adapted.merge_and_unload()
    return merged


def _lora_config(lora: LoraSettings) -> LoraConfig:
    names = [name.strip() for name in lora.targets.split(",") if name.strip()]
    targets = "all-linear" if names == ["all-linear"] else names
    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=targets, task_type="CAUSAL_LM"
    )


def _with_adapters(language_model: Any, config: LoraConfig) -> Any:
    """Return the language model with adapters in its own dtype."""
    config.base_model_name_or_path = language_model.name_or_path
    with warnings.catch_warnings():
        # peft asks transformers by an attribute's old name.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        return get_peft_model(language_model, config, autocast_adapter_dtype=False)


def _plain(state: dict[str, Any], dtype: torch.dtype | None) -> dict[str, torch.Tensor]:
    return {
        name: weight.detach().to("cpu", dtype or weight.dtype).contiguous()
        for name, weight in state.items()
    }


def _jsonable(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    return value if isinstance(value, (str, int, float, bool, list, type(None))) else str(value)
