"""The model as the harness sees it: a light identity first, weights when something is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json, parse_options
from harness.engine.loading import (
    after_load,
    is_placed,
    load_arguments,
    loading_identity,
    require_packages,
    unused_in,
    with_features,
)
from harness.engine.memory import weight_bytes
from harness.engine.weights import hash_files, read_header, user_cache
from harness.errors import UserError
from harness.models import Runtime
from harness.models.devices import resolve_device, resolve_dtype, torch_dtype
from harness.requests import Choose, Embed, Generate

from harness_socialfusion.options import OPTIONS
from harness_socialfusion.settings import FusionSettings, as_plain, read_settings, settings_of
from harness_socialfusion.sources import (
    Source,
    check_source,
    find_encoder,
    find_language_model,
    read_json,
    resolve_path,
)

if TYPE_CHECKING:
    from harness.engine.answerer import EngineAnswerer

    from harness_socialfusion.spoken import SpokenModel

# What a saved model was made with: its own settings hold, whatever is typed.
_OF_SAVED = (
    "encoder", "language_model", "encoder_revision", "encoder_layer", "encoder_norm",
    "language_model_revision", "connector", "connector_layers", "hidden", "queries", "merge",
    "weights", "untrained", "seed",
)  # fmt: skip
_SCHEME = 1  # raised when the way answers are computed changes their numbers


class SocialFusion:
    """A SocialFusion model that is known but not loaded.

    Args:
        options: Parsed options of the descriptor.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options: dict[str, Any] = parse_options(
            OPTIONS, options, owner="model 'socialfusion'"
        )
        defaults = {option.name: option.default for option in OPTIONS}
        typed = [name for name in _OF_SAVED if self._options[name] != defaults[name]]
        if self._options.get("path") and typed:
            raise UserError(
                "socialfusion takes a saved model, which has settings of its own, or its parts, "
                "not both",
                fix=f"leave out path, or {', '.join(typed)}",
            )

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything that can change the numbers; see the model contract."""
        memo = runtime.cache or user_cache()
        settings, folder = self._settings()
        encoder, language_model = _parts(settings, folder, memo)
        about: dict[str, Json] = {
            "model": "socialfusion",
            "scheme": _SCHEME,
            "settings": _numbers(
                dataclasses.replace(
                    settings,
                    encoder=dataclasses.replace(settings.encoder, id=_name(encoder)),
                    language_model=dataclasses.replace(
                        settings.language_model, id=_name(language_model)
                    ),
                )
            ),
            "encoder": _about(encoder),
            "language_model": _about(language_model),
            "dtype": self._dtype(runtime, settings, language_model),
            "score_eos": bool(self._options["score_eos"]),
            **loading_identity(self._options, memo, language_model.folder),
        }
        if folder is None:
            about["untrained_seed"] = int(self._options["seed"])
        else:
            weights = [folder / "connector.safetensors"]
            if (folder / "adapter").is_dir():
                weights.append(folder / "adapter" / "adapter_model.safetensors")
                weights.append(folder / "adapter" / "adapter_config.json")
            for path in weights:
                if path.suffix == ".safetensors":
                    read_header(path)
            about["trained_sha256"] = hash_files(weights, memo)
        return about

    def unused(self, want: Choose | Generate | Embed) -> list[str]:
        """See :class:`harness.models.contract.TellsUnused`."""
        return unused_in(self._options, want)

    def weight_bytes(self, runtime: Runtime) -> int:
        """Return the bytes of the loaded weights that lie in folders.

        The weights of an encoder that open_clip fetches by name and tag are not counted.
        """
        require_packages(self._options)
        settings, folder = self._settings()
        encoder, language_model = _parts(settings, folder, runtime.cache or user_cache())
        dtype = self._dtype(runtime, settings, language_model)
        quantise = str(self._options["quantise"])
        own_files = sorted(folder.rglob("*.safetensors")) if folder is not None else []
        return (
            weight_bytes(own_files, dtype)
            + weight_bytes(_weights(language_model), dtype, quantise=quantise)
            + weight_bytes(_weights(encoder), dtype, text_side=False)
        )

    def load(self, runtime: Runtime) -> EngineAnswerer:
        """Load the weights."""
        from harness.engine.answerer import EngineAnswerer

        return EngineAnswerer(self.load_model(runtime), with_features(self._options, runtime))

    def load_model(self, runtime: Runtime) -> SpokenModel:
        """Return the model as the engine takes it, on its device."""
        device = resolve_device(runtime.device)
        from harness_socialfusion import checkpoint
        from harness_socialfusion.spoken import SpokenModel

        memo = runtime.cache or user_cache()
        settings, folder = self._settings()
        encoder, language_model = _parts(settings, folder, memo)
        name = self._dtype(runtime, settings, language_model)
        dtype = torch_dtype(name)
        loading = load_arguments(self._options, runtime, name, weights=self.weight_bytes(runtime))
        placed = is_placed(self._options)
        if folder is None:
            parts = checkpoint.Parts(encoder, language_model)
            seed = int(self._options["seed"])
            model = checkpoint.create(
                settings, parts=parts, dtype=dtype, seed=seed, loading=loading
            )
        else:
            model = checkpoint.load(
                folder,
                dtype=dtype,
                # Merged halves would lose what the adapters add; quantised weights take none.
                merge=name == "float32" and not placed,
                memo=memo,
                prompt_format=settings.prompt_format,
                loading=loading,
            )
        model.language_model = after_load(
            model.language_model,
            self._options,
            parts={
                "language_model": model.language_model,
                "encoder.visual": model.encoder.visual,
                "connector": model.connector,
            },
            also={"visual": ("encoder.visual",)},
        )
        for part in (model.encoder, model.connector) if placed else (model,):
            part.to(device)
        return SpokenModel(
            model.eval(),
            encoder=encoder,
            score_eos=bool(self._options["score_eos"]),
            adapter=loading_identity(self._options, memo).get("adapter_sha256"),
        )

    def load_tower(self, runtime: Runtime) -> tuple[Any, Callable[[Sequence[Any]], object]]:
        """Return the vision tower, and what runs it on images."""
        return self.load_model(runtime).vision_tower()

    def _settings(self) -> tuple[FusionSettings, Path | None]:
        """Return the settings, and the folder of a saved model."""
        path = self._options.get("path")
        if path:
            folder = resolve_path(str(path))
            settings = read_settings(folder)
            if form := self._options.get("prompt_format"):
                settings = dataclasses.replace(settings, prompt_format=form)
            return settings, folder
        settings = settings_of(self._options)
        if not self._options.get("untrained"):
            raise UserError(
                "these parts have no trained connector, so their answers would mean nothing",
                fix="give a saved model with -o path=FOLDER, or say -o untrained=true",
            )
        return settings, None

    def _dtype(self, runtime: Runtime, settings: FusionSettings, language_model: Source) -> str:
        checkpoint = settings.dtype
        if checkpoint is None and language_model.folder is not None:
            config = read_json(language_model.folder / "config.json")
            checkpoint = config.get("dtype") or config.get("torch_dtype")
        return resolve_dtype(runtime.dtype, checkpoint)


def _parts(settings: FusionSettings, folder: Path | None, memo: Path) -> tuple[Source, Source]:
    """Return the encoder and the language model, checked against the saved hashes."""
    encoder_part, language_part = settings.encoder, settings.language_model
    encoder = find_encoder(encoder_part.id, encoder_part.revision, folder, memo)
    language_model = find_language_model(language_part.id, language_part.revision, folder, memo)
    if folder is not None:
        where = folder / "socialfusion.json"
        check_source(encoder, dataclasses.asdict(encoder_part), "encoder", where)
        check_source(language_model, dataclasses.asdict(language_part), "language model", where)
    return encoder, language_model


def _weights(source: Source) -> list[Path]:
    return sorted(source.folder.glob("*.safetensors")) if source.folder is not None else []


def _numbers(settings: FusionSettings) -> Json:
    """Return the settings that change numbers; whether there is an adapter, its hash tells."""
    plain = as_plain(settings)
    assert isinstance(plain, dict)
    return {name: value for name, value in plain.items() if name != "adapter"}


def _name(source: Source) -> str:
    """Return a name that is the same on every machine: a folder is named by its hash alone."""
    local = source.folder is not None and not source.revision
    return "" if local else source.name


def _about(source: Source) -> dict[str, Json]:
    return {"name": _name(source), "revision": source.revision, "sha256": source.sha256}
