"""Answers a block of requests for any vision-language model: images once, prefixes once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from harness.engine.batching import Batches, free_memory
from harness.engine.contract import IMAGE, PromptError, VisionLanguageModel
from harness.engine.features import FeatureCache
from harness.engine.generation import Write, generate_greedily
from harness.engine.prefixes import Prefix
from harness.engine.scoring import Ask, score_options
from harness.engine.tokens import Ids, Joint
from harness.models import Runtime
from harness.requests import Choose, Failed, Generate, Request, Response, Scores, Text
from harness.samples.images import LoadedImage

_GPU_TOKENS = 65536
_IMAGES = 16  # encoded at once on a GPU
_KNOWN_PROMPTS = 4096


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as ids: what all its options share, and the options behind it."""

    request: Request
    ids: Ids
    options: tuple[Ids, ...]

    @property
    def images(self) -> tuple[str, ...]:
        """Keys of the images, in order."""
        return tuple(image.key for image in self.request.images)


class EngineAnswerer:
    """A loaded model as the harness asks it; see :class:`harness.models.Answerer`.

    Args:
        model: The model, on its device, in evaluation mode.
        runtime: How to run.
    """

    def __init__(self, model: VisionLanguageModel, runtime: Runtime) -> None:
        self._model = model
        gpu = model.device.type == "cuda"
        tokens = {"tokens": _GPU_TOKENS} if gpu else {}
        self._batches = Batches(runtime.batch_size, fixed=runtime.deterministic, **tokens)
        # Alone, an image gives the same bytes whatever others the disk already holds.
        self._images_at_once = _IMAGES if gpu and not runtime.deterministic else 1
        keeps = runtime.cache is not None and model.features_key is not None
        self._features = FeatureCache(
            runtime.cache / "features" if keeps and runtime.cache is not None else None,
            {**(model.features_key or {}), "device": model.device.type},
        )
        # The same question with the same options comes with every sample of a task.
        self._prompts: dict[object, Joint | Failed] = {}

    @torch.inference_mode()
    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer one block of requests; see the model contract."""
        results: dict[str, Scores | Text | Failed] = {}
        asked: list[Prepared] = []
        for request in requests:
            prepared = self._prepare(request)
            if isinstance(prepared, Failed):
                results[request.id] = prepared
            else:
                asked.append(prepared)
        images = self._images([image for item in asked for image in item.request.images])
        ready: list[Prepared] = []
        for item in asked:
            failed = self._refuse(item, images)
            if failed is None:
                ready.append(item)
            else:
                results[item.request.id] = failed
        shown = {key: image for key, image in images.items() if isinstance(image, Tensor)}
        choices = [item for item in ready if isinstance(item.request.want, Choose)]
        texts = [item for item in ready if isinstance(item.request.want, Generate)]
        results |= self._choose(choices, shown)
        results |= self._generate(texts, shown)
        return [Response(request.id, results[request.id]) for request in requests]

    def close(self) -> None:
        """Free what was loaded."""
        self._model.close()
        free_memory()

    # --- requests to ids ---------------------------------------------------------------------

    def _prepare(self, request: Request) -> Prepared | Failed:
        want = request.want
        if not isinstance(want, (Choose, Generate)):
            return Failed("unsupported", "this model chooses and generates; it gives no vectors")
        options = want.options if isinstance(want, Choose) else ()
        joint = self._joint(request, options)
        if isinstance(joint, Failed):
            return joint
        if joint.prefix.count(IMAGE) != len(request.images):
            return Failed("prompt_format", "the chat template leaves out or repeats an image")
        if not joint.prefix:
            return Failed("empty_prompt", "there is nothing before the answer")
        if not all(joint.options):
            return Failed("empty_option", "an option has no text")
        return Prepared(request, joint.prefix, joint.options)

    def _joint(self, request: Request, options: tuple[str, ...]) -> Joint | Failed:
        turns = tuple((turn.role, turn.text, len(turn.images)) for turn in request.turns)
        key = (turns, options)
        if key not in self._prompts:
            if len(self._prompts) >= _KNOWN_PROMPTS:
                self._prompts.clear()
            try:
                self._prompts[key] = self._model.prompt(request.turns, options)
            except PromptError as error:
                self._prompts[key] = Failed(error.kind, str(error))
        return self._prompts[key]

    def _refuse(self, item: Prepared, images: Mapping[str, Tensor | Failed]) -> Failed | None:
        """Return why an item cannot be asked: a rejected image, or more than the context takes."""
        length = len(item.ids)
        for key in item.images:
            image = images[key]
            if isinstance(image, Failed):
                return image
            length += len(image) - 1
        length += max((len(option) for option in item.options), default=1)
        over = length - self._model.context
        if over <= 0:
            return None
        return Failed(
            "prompt_too_long",
            f"prompt and answer take {length} positions, {over} more than the model's "
            f"{self._model.context}",
        )

    # --- images ------------------------------------------------------------------------------

    def _images(self, images: Sequence[LoadedImage]) -> dict[str, Tensor | Failed]:
        """Return each distinct image's positions (T, W), or why it was rejected, by its key."""
        distinct = list({image.key: image for image in images}.values())
        found: dict[str, Tensor | Failed] = {}
        for start in range(0, len(distinct), self._images_at_once):
            chunk = distinct[start : start + self._images_at_once]
            features: dict[str, Tensor] = {}
            for image in chunk:
                held = self._features.get(image.key)
                if held is not None:
                    features[image.key] = held
            encoded = self._encode([image for image in chunk if image.key not in features])
            for key, result in encoded.items():
                if isinstance(result, Failed):
                    found[key] = result
                else:
                    features[key] = result
                    self._features.put(key, result)
            if features:
                found |= zip(features, self._model.connect(list(features.values())), strict=True)
        return found

    def _encode(self, images: Sequence[LoadedImage]) -> dict[str, Tensor | Failed]:
        if not images:
            return {}
        try:
            features = self._model.encode(images)
        except PromptError as error:
            if len(images) > 1:  # find out which
                return {key: one for image in images for key, one in self._encode([image]).items()}
            return {images[0].key: Failed(error.kind, str(error))}
        return dict(zip((image.key for image in images), features, strict=True))

    # --- answers -----------------------------------------------------------------------------

    def _prefix(self, item: Prepared, images: Mapping[str, Tensor]) -> Prefix:
        shown = [images[key] for key in item.images]
        length = len(item.ids) + sum(len(image) - 1 for image in shown)
        inputs = partial(self._model.inputs, item.ids, shown)
        return Prefix((item.ids, item.images), length, lambda: inputs().embeds)

    def _choose(
        self, items: Sequence[Prepared], images: Mapping[str, Tensor]
    ) -> dict[str, Scores | Text | Failed]:
        asks = [Ask(self._prefix(item, images), item.options) for item in items]
        found = score_options(self._model.language_model, asks, self._batches)
        results: dict[str, Scores | Text | Failed] = {}
        for item, values in zip(items, found, strict=True):
            want = item.request.want
            assert isinstance(want, Choose)
            tokens = tuple(len(option) for option in item.options)
            sizes = tuple(len(option.encode()) for option in want.options)
            results[item.request.id] = Scores("logprob", tuple(values), tokens, sizes)
        return results

    def _generate(
        self, items: Sequence[Prepared], images: Mapping[str, Tensor]
    ) -> dict[str, Scores | Text | Failed]:
        writes = []
        for item in items:
            want = item.request.want
            assert isinstance(want, Generate)
            prefix = self._prefix(item, images)
            limit = min(want.max_new_tokens, self._model.context - prefix.length)
            writes.append(Write(prefix, limit, want.stop))
        found = generate_greedily(
            self._model.language_model,
            writes,
            self._batches,
            ends=self._model.ends,
            decode=self._model.decode,
        )
        return {
            item.request.id: Text(written.text, "stop" if written.ended else "length")
            for item, written in zip(items, found, strict=True)
        }
