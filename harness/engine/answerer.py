"""Answers a block of requests: each distinct image is encoded once, each shared prefix once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness.descriptors import Json
from harness.engine.batching import (
    CPU_VALUES,
    MANY,
    Batches,
    fitting_positions,
    free_memory,
    most_positions,
)
from harness.engine.contract import IMAGE, PromptError, VisionLanguageModel
from harness.engine.contrastive import ContrastPrompt
from harness.engine.exact_batches import ExactBatches
from harness.engine.features import FeatureCache
from harness.engine.generation import Generation, GenerationTask, generate
from harness.engine.kv_cache import position_bytes
from harness.engine.prefix_tree import Prompt
from harness.engine.prepared import PreparedInputs
from harness.engine.reasoning import Markers
from harness.engine.reference import score_reference
from harness.engine.scoring import score_options
from harness.engine.self_check import check_scores, check_texts, rescore_near_ties
from harness.engine.tokenize import Ids, Joint, require_text
from harness.models import Runtime
from harness.requests import Choose, Failed, Generate, Request, Response, Scores, Text
from harness.samples.images import LoadedImage

_IMAGES = 16  # encoded at once on a GPU
_CPU_IMAGES = 8  # encoded at once on a CPU by a small encoder; more are not faster
_KNOWN_PROMPTS = 4096

Results = dict[str, Scores | Text | Failed]
Question = tuple[Request, Prompt]


@dataclass(frozen=True, slots=True)
class TokenisedRequest:
    """A request as token ids: what all its options share, and the options after it."""

    request: Request
    ids: Ids
    options: tuple[Ids, ...]


class EngineAnswerer:
    """A loaded model as the harness asks it; see :class:`harness.models.Answerer`.

    Args:
        model: The model, on its device, in evaluation mode.
        runtime: How to run.
        sharing: Whether requests share what they have in common; turned off when a sample of a
            task's first answers differs from reference scoring.
    """

    def __init__(
        self, model: VisionLanguageModel, runtime: Runtime, *, sharing: bool = True
    ) -> None:
        self._model = model
        self._batches = batches_for(model, runtime)
        self._markers = Markers(model.tokenizer, model.template, model.decode)
        self._sharing, self._refuted = sharing, False
        self._checked: set[tuple[str, type]] = set()
        self._settled: set[str] = set()  # tasks of which something could be checked
        self._notes: list[str] = []
        # An image's features must not depend on which other images the cache already holds. On a
        # CPU they never do; on a GPU only with --deterministic, whose features are cached apart.
        gpu = model.device.type == "cuda"
        self._in_batches = gpu and not runtime.deterministic
        self._image_batches = Batches(positions=_IMAGES if self._in_batches else MANY)
        prepares = type(model).prepare is not VisionLanguageModel.prepare
        self._inputs = PreparedInputs(model.prepare, model.device) if prepares else None
        self._run_encoder: Callable[[Sequence[Any]], list[Tensor]] = (
            model.encode_prepared if prepares else model.encode
        )
        self._exact_batches = ExactBatches(
            self._run_encoder, partial(_images_at_once, model, runtime)
        )
        keeps = runtime.cache is not None and model.features_key is not None
        about = {**(model.features_key or {}), "device": model.device.type}
        self._features = FeatureCache(
            runtime.cache / "features" if keeps and runtime.cache is not None else None,
            {**about, "alone": True} if gpu and runtime.deterministic else about,
        )
        # Every sample of a task has the same question and options.
        self._prompts: dict[object, Joint | Failed] = {}

    @torch.inference_mode()
    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer one block of requests; see the model contract."""
        results: Results = {}
        items: list[TokenisedRequest] = []
        for request in requests:
            item = self._tokenised(request)
            if isinstance(item, Failed):
                results[request.id] = item
            else:
                items.append(item)
        self.prepare([item.request for item in items])
        images = self._images([image for item in items for image in item.request.images])
        if self._inputs is not None:
            self._inputs.drop(image.key for request in requests for image in request.images)
        self._features.flush()
        choices: list[Question] = []
        texts: list[Question] = []
        for item in items:
            prompt = self._prompt(item, images)
            if isinstance(prompt, Failed):
                results[item.request.id] = prompt
            elif isinstance(item.request.want, Choose):
                choices.append((item.request, prompt))
            else:
                texts.append((item.request, prompt))
        results |= self._choose(choices)
        results |= self._generate(texts)
        return [Response(request.id, results[request.id]) for request in requests]

    def prepare(self, requests: Sequence[Request]) -> None:
        """Begin with images of a block that is asked soon; see the model contract."""
        if self._inputs is not None:
            images = {image.key: image for request in requests for image in request.images}
            self._inputs.start(
                {key: image for key, image in images.items() if key not in self._features}
            )

    def parameters(self) -> int:
        """Return the number of the model's weights, those of its parts."""
        return sum(
            weight.numel() for part in self._model.parts().values() for weight in part.parameters()
        )

    def notes(self) -> list[str]:
        """Return remarks for the record on how the answers were computed."""
        return list(self._notes)

    def verdict(self, task: str) -> dict[str, Json] | None:
        """Return whether requests share what they have in common, and what is to be said of it.

        ``None`` while none of a task's requests could be asked, so that nothing was checked.
        """
        if task not in self._settled:
            return None
        return {"sharing": self._sharing, "notes": [*self._notes]}

    def adopt(self, task: str, verdict: Mapping[str, Json], *, settled: bool) -> None:
        """Share, or do not, as one whose check found this."""
        notes = verdict.get("notes")
        if isinstance(notes, list):
            self._sharing = verdict.get("sharing") is True
            self._refuted = not self._sharing
            self._notes = [str(note) for note in notes]
        if settled:
            self._settled.add(task)
            self._checked |= {(task, Choose), (task, Generate)}

    def close(self) -> None:
        """Free what was loaded."""
        if self._inputs is not None:
            self._inputs.close()
        if number := self._features.left_out:
            print(f"features of {number} images were not kept: the cache is full", file=sys.stderr)
        self._model.close()
        free_memory()

    # --- requests to ids ---------------------------------------------------------------------

    def _tokenised(self, request: Request) -> TokenisedRequest | Failed:
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
        return TokenisedRequest(request, joint.prefix, joint.options)

    def _joint(self, request: Request, options: tuple[str, ...]) -> Joint | Failed:
        turns = tuple((turn.role, turn.text, len(turn.images)) for turn in request.turns)
        key = (turns, options)
        if key not in self._prompts:
            if len(self._prompts) >= _KNOWN_PROMPTS:
                self._prompts.clear()
            try:
                joint = self._model.prompt(request.turns, options)
                require_text(options, joint.options)
                self._prompts[key] = joint
            except PromptError as error:
                self._prompts[key] = Failed(error.kind, str(error))
        return self._prompts[key]

    def _prompt(
        self, item: TokenisedRequest, images: Mapping[str, Tensor | Failed]
    ) -> Prompt | Failed:
        """Return an item with its images, or why it cannot be answered."""
        connected: list[tuple[str, Tensor]] = []
        for image in item.request.images:
            positions = images[image.key]
            if isinstance(positions, Failed):
                return positions
            connected.append((image.key, positions))
        prompt = Prompt(item.ids, tuple(connected), item.options)
        length = prompt.length() + max((len(option) for option in item.options), default=1)
        over = length - self._model.context
        if over <= 0:
            return prompt
        return Failed(
            "prompt_too_long",
            f"prompt and answer take {length} positions, {over} more than the model's "
            f"{self._model.context}",
        )

    # --- images ------------------------------------------------------------------------------

    def _images(self, images: Sequence[LoadedImage]) -> dict[str, Tensor | Failed]:
        """Return each distinct image's positions (T, W), or why it was rejected, by its key."""
        distinct = list({image.key: image for image in images}.values())
        by_key: dict[str, Tensor | Failed] = {}

        def forward(chunk: Sequence[LoadedImage]) -> list[None]:
            by_key.update(self._positions(chunk))
            return [None] * len(chunk)

        self._image_batches.run(distinct, lambda _: 1, forward)
        return by_key

    def _positions(self, images: Sequence[LoadedImage]) -> dict[str, Tensor | Failed]:
        features: dict[str, Tensor] = {}
        for image in images:
            cached = self._features.get(image.key)
            if cached is not None:
                features[image.key] = cached
        by_key: dict[str, Tensor | Failed] = {}
        for key, result in self._encode(
            [image for image in images if image.key not in features]
        ).items():
            if isinstance(result, Failed):
                by_key[key] = result
            else:
                features[key] = result
                self._features.put(key, result)
        size = len(features) if self._in_batches else 1
        for start in range(0, len(features), max(1, size)):
            keys = list(features)[start : start + size]
            connected = self._model.connect([features[key] for key in keys])
            by_key |= zip(keys, connected, strict=True)
        return by_key

    def _encode(self, images: Sequence[LoadedImage]) -> dict[str, Tensor | Failed]:
        rejected: dict[str, Tensor | Failed] = {}

        def inputs() -> Iterator[Any]:
            for image in images:
                try:
                    taken = self._inputs.take(image.key, image) if self._inputs else image
                except PromptError as error:
                    rejected[image.key] = Failed(error.kind, str(error))
                else:
                    yield taken

        try:
            if self._in_batches:
                batch = list(inputs())
                features = self._run_encoder(batch) if batch else []
            else:
                features = self._exact_batches(inputs())
        except PromptError as error:
            if len(images) > 1:  # find out which image is rejected
                return {key: row for image in images for key, row in self._encode([image]).items()}
            return {images[0].key: Failed(error.kind, str(error))}
        accepted = [image.key for image in images if image.key not in rejected]
        return rejected | dict(zip(accepted, features, strict=True))

    # --- answers -----------------------------------------------------------------------------

    def _choose(self, questions: Sequence[Question]) -> Results:
        self._settled.update(request.task for request, _ in questions[:1])
        prompts = [prompt for _, prompt in questions]
        shared = [prompt for prompt in prompts if self._shares(prompt)]
        totals = score_options(self._model, shared, self._batches)
        if shared and self._distrust(questions[0][0].task, Choose):
            problem = check_scores(self._model, shared, totals)
            if problem:
                self._stop_sharing(problem)
                totals = {}
        items = [
            (prompt, ids) for prompt in prompts if prompt not in totals for ids in prompt.options
        ]
        alone = iter(score_reference(self._model, items, self._batches))
        for prompt in prompts:
            if prompt not in totals:
                totals[prompt] = [sum(next(alone)) for _ in prompt.options]
        rescore_near_ties(self._model, prompts, totals, self._is_trusted)
        results: Results = {}
        for request, prompt in questions:
            assert isinstance(request.want, Choose)
            tokens = tuple(len(option) for option in prompt.options)
            sizes = tuple(len(option.encode()) for option in request.want.options)
            results[request.id] = Scores("logprob", tuple(totals[prompt]), tokens, sizes)
        return results

    def _generate(self, questions: Sequence[Question]) -> Results:
        self._settled.update(request.task for request, _ in questions[:1])
        results: Results = {}
        writes: dict[str, GenerationTask] = {}
        for request, prompt in questions:
            write = self._to_write(request, prompt)
            if isinstance(write, Failed):
                results[request.id] = write
            else:
                writes[request.id] = write
        shared = [write for write in writes.values() if self._shares(write.prompt)]
        generated = dict(zip(shared, self._write(shared, shared=True), strict=True))
        if shared and self._distrust(questions[0][0].task, Generate):
            problem = check_texts(self._model, shared, list(generated.values()))
            if problem:
                self._stop_sharing(problem)
                generated = {}
        unshared = [write for write in writes.values() if write not in generated]
        generated |= zip(unshared, self._write(unshared, shared=False), strict=True)
        for name, write in writes.items():
            answer = generated[write]
            results[name] = Text(
                answer.text,
                "stop" if answer.ended else "length",
                answer.reasoning,
                answer.unfinished,
            )
        return results

    def _to_write(self, request: Request, prompt: Prompt) -> GenerationTask | Failed:
        want = request.want
        assert isinstance(want, Generate)
        thoughts = self._markers.thoughts(request.reasoning, prompt.ids)
        limit = min(want.max_new_tokens + thoughts.tokens, self._model.context - prompt.length())
        against = None
        if want.contrast is not None:
            item = self._tokenised(request.without_images())
            free = item if isinstance(item, Failed) else self._prompt(item, {})
            if isinstance(free, Failed):
                return free
            limit = min(limit, self._model.context - free.length())
            against = ContrastPrompt(free, want.contrast)
        return GenerationTask(
            prompt, limit, want.stop, want.temperature, request.seed, against, thoughts
        )

    def _write(self, writes: Sequence[GenerationTask], *, shared: bool) -> list[Generation]:
        return generate(
            self._model,
            writes,
            self._batches,
            ends=self._model.ends,
            decode=self._model.decode,
            shared=shared,
        )

    # --- trust -------------------------------------------------------------------------------

    def _shares(self, prompt: Prompt) -> bool:
        return self._sharing and self._is_trusted(prompt)

    def _is_trusted(self, prompt: Prompt) -> bool:
        """Whether a prompt may be read apart from its options, as no check has refuted."""
        longest = max((len(option) for option in prompt.options), default=1)
        return not self._refuted and self._model.shares_prefix(prompt.length() + longest)

    def _distrust(self, task: str, kind: type) -> bool:
        """Whether a task's answers of this kind are still to be checked: once after loading."""
        new = (task, kind) not in self._checked
        self._checked.add((task, kind))
        return new

    def _stop_sharing(self, problem: str) -> None:
        self._sharing, self._refuted = False, True
        self._notes.append(f"prefix sharing is off for this model: {problem}")


def _images_at_once(model: VisionLanguageModel, runtime: Runtime, values: int) -> int:
    """Return how many images to encode at once on a CPU, by the number of values of one result.

    One with ``--deterministic``, which relies on no check of a batch.
    """
    if runtime.deterministic or model.device.type != "cpu" or not model.one_shape:
        return 1
    return min(_CPU_IMAGES, CPU_VALUES // max(1, values))


def batches_for(model: VisionLanguageModel, runtime: Runtime) -> Batches:
    """Return how a model's work is cut: by what was asked for, its shapes, and free memory."""
    each = position_bytes(model.language_model)
    config = model.language_model.config.get_text_config()
    width = int(config.hidden_size)
    inner = int(getattr(config, "intermediate_size", 0) or 0)
    rough = each + 4 * (12 * width + 4 * inner) + 8 * config.vocab_size  # activations and logits
    # Deterministic shapes must not depend on what else runs on the machine.
    positions = (
        most_positions(model.device, width)
        if runtime.deterministic
        else fitting_positions(model.device, width, rough)
    )
    return Batches(
        runtime.batch_size,
        fixed=runtime.deterministic,
        positions=positions,
        room=None if runtime.kv_budget is None else runtime.kv_budget // each,
        position_bytes=each,
    )
