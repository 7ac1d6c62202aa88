"""Answers a block of requests: images once, distinct prefixes once, options behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from harness.engine.batching import Batches, free_memory
from harness.engine.features import FeatureCache
from harness.engine.generation import Write, generate_greedily
from harness.engine.prefixes import Prefix
from harness.engine.scoring import Ask, score_options
from harness.engine.tokens import Ids, Joint
from harness.models import Runtime
from harness.requests import Choose, Failed, Generate, Request, Response, Scores, Text
from harness.samples.images import LoadedImage
from torch import Tensor

from harness_socialfusion.model import SocialFusionModel
from harness_socialfusion.prompts import (
    FORMATS,
    IMAGE,
    encode_prompt,
    render,
)
from harness_socialfusion.sources import Source

_GPU_TOKENS = 65536
_IMAGES = 32  # an image's features never depend on how many others are encoded with it


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A request as token ids: what all its options share, and the options behind it."""

    request: Request
    ids: Ids
    options: tuple[Ids, ...]


class FusionAnswerer:
    """A loaded model.

    Args:
        model: The model, on its device, in evaluation mode.
        runtime: How to run.
        encoder: Where the encoder came from; part of the features' name on disk.
        score_eos: Whether an option's score includes end-of-sequence.
    """

    def __init__(
        self, model: SocialFusionModel, runtime: Runtime, *, encoder: Source, score_eos: bool
    ) -> None:
        self._model = model
        self._tokenizer = model.tokenizer
        self._form = FORMATS[model.settings.prompt_format]
        gpu = model.device.type == "cuda"
        tokens = {"tokens": _GPU_TOKENS} if gpu else {}
        self._batches = Batches(runtime.batch_size, fixed=runtime.deterministic, **tokens)
        self._score_eos = score_eos
        config = model.language_model.config
        self._context = int(getattr(config, "max_position_embeddings", 0) or 1 << 62)
        self._ends = _end_ids(model)
        self._features = FeatureCache(
            None if runtime.cache is None else runtime.cache / "features",
            {
                "encoder": encoder.sha256 or f"{encoder.name} {encoder.revision}",
                "layer": model.settings.encoder_layer,
                "norm": model.settings.encoder_norm,
                "preprocessing": model.encoder.preprocessing,
                "dtype": str(model.dtype),
                "device": model.device.type,
            },
        )
        # The same question with the same options comes with every sample of a task.
        self._tokenize = lru_cache(maxsize=4096)(self._tokenize_joint)

    def answer(self, requests: Sequence[Request]) -> Iterable[Response]:
        """Answer one block of requests; see the model contract."""
        responses: dict[str, Response] = {}
        ready: list[_Prepared] = []
        for request in requests:
            prepared = self._prepare(request)
            if isinstance(prepared, Failed):
                responses[request.id] = Response(request.id, prepared)
            else:
                ready.append(prepared)
        images = self._images([image for item in ready for image in item.request.images])
        choices = [item for item in ready if isinstance(item.request.want, Choose)]
        texts = [item for item in ready if isinstance(item.request.want, Generate)]
        for item, result in zip(choices, self._choose(choices, images), strict=True):
            responses[item.request.id] = Response(item.request.id, result)
        for item, text in zip(texts, self._generate(texts, images), strict=True):
            responses[item.request.id] = Response(item.request.id, text)
        return [responses[request.id] for request in requests]

    def close(self) -> None:
        """Free what was loaded."""
        self._model.to("meta")
        free_memory()

    # --- requests to ids ---------------------------------------------------------------------

    def _prepare(self, request: Request) -> _Prepared | Failed:
        want = request.want
        if not isinstance(want, (Choose, Generate)):
            return Failed("unsupported", "socialfusion chooses and generates; it gives no vectors")
        text = render(self._form, request.turns, self._tokenizer)
        options = want.options if isinstance(want, Choose) else ()
        joint = self._tokenize(text, options)
        ids = joint.prefix
        if ids.count(IMAGE) != len(request.images):
            return Failed("prompt_format", "the chat template leaves out or repeats an image")
        if not ids:
            return Failed("empty_prompt", "there is nothing before the answer")
        if isinstance(want, Choose) and not all(joint.options):
            return Failed("empty_option", "an option has no text")
        length = self._model.length(ids)
        behind = max((len(option) for option in joint.options), default=1)
        if length + behind > self._context:
            return Failed(
                "prompt_too_long",
                f"prompt and answer take {length + behind} positions, the model has "
                f"{self._context}",
            )
        return _Prepared(request, ids, joint.options)

    def _tokenize_joint(self, text: str, options: tuple[str, ...]) -> Joint:
        return encode_prompt(self._form, self._tokenizer, text, options, end=self._score_eos)

    # --- images ------------------------------------------------------------------------------

    def _images(self, images: Sequence[LoadedImage]) -> dict[str, Tensor]:
        """Return each distinct image's positions (T, W), by its key."""
        distinct = {image.key: image for image in images}
        features: dict[str, Tensor] = {}
        absent = []
        for key, image in distinct.items():
            held = self._features.get(key)
            if held is None:
                absent.append(image)
            else:
                features[key] = held
        for start in range(0, len(absent), _IMAGES):
            chunk = absent[start : start + _IMAGES]
            for image, found in zip(chunk, self._encode(chunk), strict=True):
                features[image.key] = found
                self._features.put(image.key, found)
        positions: dict[str, Tensor] = {}
        keys = list(distinct)
        with torch.inference_mode():
            for start in range(0, len(keys), _IMAGES):
                names = keys[start : start + _IMAGES]
                stacked = torch.stack([features[name] for name in _filled(names)])
                positions.update(zip(names, self._model.connect(stacked), strict=False))
        return positions

    def _encode(self, images: Sequence[LoadedImage]) -> list[Tensor]:
        found = self._model.encode([image.pixels for image in _filled(images)])
        return list(found[: len(images)].cpu())

    # --- answers -----------------------------------------------------------------------------

    def _prefix(self, item: _Prepared, images: dict[str, Tensor]) -> Prefix:
        keys = tuple(image.key for image in item.request.images)
        shown = [images[key] for key in keys]
        return Prefix(
            (item.ids, keys),
            self._model.length(item.ids),
            partial(self._model.embed, item.ids, shown),
        )

    def _choose(self, items: Sequence[_Prepared], images: dict[str, Tensor]) -> list[Scores]:
        asks = [Ask(self._prefix(item, images), item.options) for item in items]
        found = score_options(self._model.language_model, asks, self._batches)
        results = []
        for item, values in zip(items, found, strict=True):
            want = item.request.want
            assert isinstance(want, Choose)
            results.append(
                Scores(
                    "logprob",
                    tuple(values),
                    tuple(len(option) for option in item.options),
                    tuple(len(option.encode()) for option in want.options),
                )
            )
        return results

    def _generate(self, items: Sequence[_Prepared], images: dict[str, Tensor]) -> list[Text]:
        writes = []
        for item in items:
            want = item.request.want
            assert isinstance(want, Generate)
            prefix = self._prefix(item, images)
            limit = min(want.max_new_tokens, self._context - prefix.length)
            writes.append(Write(prefix, limit, want.stop))
        found = generate_greedily(
            self._model.language_model,
            writes,
            self._batches,
            ends=self._ends,
            decode=self._decode,
        )
        return [
            Text(
                written.text.removeprefix(self._form.answer[0]),
                "stop" if written.ended else "length",
            )
            for written in found
        ]

    def _decode(self, ids: Ids) -> str:
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


def _filled(items: Sequence[Any]) -> list[Any]:
    """Return the items, the last one repeated, so that every batch of images has one shape."""
    return [*items, *[items[-1]] * (_IMAGES - len(items))]


def _end_ids(model: SocialFusionModel) -> frozenset[int]:
    """Return the ids that end an answer: the tokenizer's, and the generation config's."""
    config = getattr(model.language_model, "generation_config", None)
    given = getattr(config, "eos_token_id", None)
    several = given if isinstance(given, list) else [given]
    return frozenset(
        int(one) for one in (*several, model.tokenizer.eos_token_id) if one is not None
    )
