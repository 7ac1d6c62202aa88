"""The model as the harness sees it: a light identity first, weights when something is asked."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json, parse_options
from harness.engine.checkpoints import (
    Checkpoint,
    family_of,
    has_weights,
    open_checkpoint,
    read_json,
    weight_files,
)
from harness.engine.loading import (
    is_placed,
    load_arguments,
    loading_identity,
    require_packages,
    unused_in,
    with_features,
)
from harness.engine.memory import weight_bytes
from harness.engine.weights import user_cache
from harness.errors import UserError
from harness.models import Answerer, Runtime
from harness.models.devices import resolve_device, resolve_dtype
from harness.requests import Choose, Embed, Generate

from harness_hf_vlm.options import OPTIONS

if TYPE_CHECKING:
    from torch import nn

    from harness_hf_vlm.loading import Loaded
    from harness_hf_vlm.shared import SharedModel
    from harness_hf_vlm.sight import Run

_SCHEME = 1  # raised when the way answers are computed changes their numbers
_MAPPED = ("config.json", "processor_config.json", "preprocessor_config.json")
_TEMPLATES = ("chat_template.jinja", "chat_template.json")


class HfVlm:
    """A checkpoint in transformers' format that is known but not loaded.

    Args:
        options: Parsed options of the descriptor.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options: dict[str, Any] = parse_options(OPTIONS, options, owner="model 'hf_vlm'")

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything that can change the numbers; see the model contract."""
        source = self._open()
        memo = runtime.cache or user_cache()
        return {
            "model": "hf_vlm",
            "scheme": _SCHEME,
            "checkpoint": source.identity(memo),
            "dtype": resolve_dtype(runtime.dtype, source.dtype),
            "chat_template": template_hash(source.folder),
            "prompt_format": str(self._options["prompt_format"]),
            "score_eos": bool(self._options["score_eos"]),
            "trust_remote_code": self._trusts,
            # Its processors and models are not part of the checkpoint.
            "transformers": importlib.metadata.version("transformers"),
            **loading_identity(self._options, memo, source.folder),
        }

    def unused(self, want: Choose | Generate | Embed) -> list[str]:
        """See :class:`harness.models.contract.TellsUnused`."""
        return unused_in(self._options, want)

    def weight_bytes(self, runtime: Runtime, *, fetch: bool = False) -> int | None:
        """Return the bytes of the loaded weights; a hub's are known once they are fetched."""
        require_packages(self._options)
        source = self._open()
        if not fetch and not has_weights(source):
            return None
        return weight_bytes(
            weight_files(source),
            resolve_dtype(runtime.dtype, source.dtype),
            stored=source.dtype,
            quantise=str(self._options["quantise"]),
        )

    def load(self, runtime: Runtime) -> Answerer:
        """Load the weights."""
        from harness_hf_vlm.loading import choose

        loaded = self.load_parts(runtime)
        return choose(loaded, with_features(self._options, runtime), str(self._options["way"]))

    def load_model(self, runtime: Runtime) -> SharedModel:
        """Load the weights as training needs them.

        Raises:
            UserError: images are not simply put among the decoder's embeddings.
        """
        from harness_hf_vlm.loading import trainable

        return trainable(self.load_parts(runtime), runtime)

    def load_parts(self, runtime: Runtime) -> Loaded:
        """Return model and processor, on their device."""
        from harness_hf_vlm.loading import load

        device = resolve_device(runtime.device)
        source = self._open()
        about = self.identity(runtime)
        return load(
            source,
            device=None if is_placed(self._options) else device,
            loading=load_arguments(
                self._options,
                runtime,
                str(about["dtype"]),
                weights=self.weight_bytes(runtime, fetch=True),
            ),
            options=self._options,
            form=str(about["prompt_format"]),
            score_eos=bool(about["score_eos"]),
            trust=self._trusts,
            about=about,
        )

    def load_tower(self, runtime: Runtime) -> tuple[nn.Module, Run]:
        """Return the vision tower, and what runs it on images as the model does.

        Raises:
            UserError: the model has none.
        """
        from harness_hf_vlm.sight import tower

        return tower(self.load_parts(runtime))

    @property
    def _trusts(self) -> bool:
        return bool(self._options.get("trust_remote_code"))

    def _open(self) -> Checkpoint:
        path = self._options.get("path")
        if not path:
            raise UserError("hf_vlm needs a checkpoint", fix="-o path=FOLDER or HUB_ID")
        source = open_checkpoint(str(path), revision=self._options.get("revision"))
        if not self._trusts:
            _refuse_code(source)
            _refuse_others(source)
        return source


def template_hash(folder: Path) -> str:
    """Return the sha256 of a checkpoint's chat templates; empty when it has none."""
    texts = [path.read_bytes() for name in _TEMPLATES if (path := folder / name).is_file()]
    for name in ("tokenizer_config.json", "processor_config.json"):
        path = folder / name
        template = read_json(path).get("chat_template") if path.is_file() else None
        if template:
            texts.append(repr(template).encode())
    return hashlib.sha256(b"\0".join(texts)).hexdigest() if texts else ""


def _refuse_others(source: Checkpoint) -> None:
    """Refuse a checkpoint of a format that transformers does not read and another plugin does."""
    native = family_of(source.config)
    if native not in {"", "hf_vlm"} and "vision_config" not in source.config:
        raise UserError(
            "hf_vlm reads checkpoints in transformers' format, and this one is not in it "
            f"(model_type {source.config.get('model_type')!r})",
            where=source.folder / "config.json",
            fix=f"--model {native} reads it",
        )


def _refuse_code(source: Checkpoint) -> None:
    """Refuse a checkpoint that asks for code of its own."""
    for name in _MAPPED:
        path = source.folder / name
        auto_map = read_json(path).get("auto_map") if path.is_file() else None
        if auto_map:
            named = auto_map.values() if isinstance(auto_map, Mapping) else [auto_map]
            native = family_of(source.config)
            other = (
                f"--model {native} reads it without; or " if native not in {"", "hf_vlm"} else ""
            )
            raise UserError(
                "the checkpoint asks for code of its own (auto_map: "
                f"{', '.join(map(str, named))}), which can do whatever you can",
                where=path,
                fix=f"{other}read that code, then allow it with -o trust_remote_code=true",
            )
