"""Answers a block of requests with a model that the engine cannot cut into prefix and answer."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.engine.batching import CPU_VALUES, Batches, free_memory, most_positions
from harness.engine.contract import PromptError
from harness.engine.prepared import PreparedInputs
from harness.engine.reasoning import Markers
from harness.engine.tokenize import Ids
from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Generate, Reasoning, Request, Response, Scores, Text

from harness_hf_vlm.chats import to_device
from harness_hf_vlm.forwards import Forwards, TokenisedPrompt, cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.samples.images import LoadedImage
    from torch import Tensor

    from harness_hf_vlm.loading import Loaded

Key = tuple[str, tuple[str, ...]]  # a rendered chat and its images
Results = dict[str, Scores | Text | Failed]


class ProcessorAnswerer:
    """A loaded model; each distinct prompt goes through the processor once.

    Args:
        loaded: Model and processor.
        runtime: How to run.
        cached: Whether options continue the KV cache of their prompt.
        notes: Remarks for the record.
    """

    def __init__(
        self, loaded: Loaded, runtime: Runtime, *, cached: bool, notes: Sequence[str] = ()
    ) -> None:
        self._loaded = loaded
        self._chats = chats = loaded.chats
        self._markers = Markers(chats.tokenizer, chats.template, chats.decode)
        self._forwards = Forwards(loaded.model, separate=loaded.chats.separate)
        # Encoder-decoders may name their width otherwise; they are taken for wide.
        width = getattr(loaded.model.config.get_text_config(), "hidden_size", CPU_VALUES)
        self._batches = Batches(
            runtime.batch_size,
            fixed=runtime.deterministic,
            positions=most_positions(loaded.model.device, width),
        )
        self._inputs: PreparedInputs[tuple[str, Sequence[LoadedImage]]] = PreparedInputs(
            lambda item: chats.inputs(*item), loaded.model.device
        )
        self._cached = cached
        pixels = inspect.signature(loaded.model.forward).parameters.get("pixel_values")
        self._needs_picture = pixels is not None and pixels.default is inspect.Parameter.empty
        self._notes = list(notes)

    def answer(self, requests: Sequence[Request]) -> Iterable[Response]:
        """Answer one block of requests; see the model contract.

        Raises:
            UserError: answers are to be written with a contrast, which the engine alone does.
        """
        if any(isinstance(one.want, Generate) and one.want.contrast for one in requests):
            raise UserError(
                f"models of type {self._loaded.model.config.model_type!r} are not read by the "
                "engine here, and only the engine writes against logits without the image",
                fix="leave out the method, or way=cached and way=whole where one was given",
            )
        groups, results = self._grouped(requests)
        for key, group in groups.items():
            results |= self._answer_group(key, group)
        return [Response(request.id, results[request.id]) for request in requests]

    def prepare(self, requests: Sequence[Request]) -> None:
        """Begin with prompts of a block that is asked soon; see the model contract."""
        groups, _ = self._grouped(requests)
        self._inputs.start({key: (key[0], group[0].images) for key, group in groups.items()})

    def parameters(self) -> int:
        """Return the number of the model's weights."""
        return sum(weight.numel() for weight in self._loaded.model.parameters())

    def notes(self) -> list[str]:
        """Return remarks for the record on how the answers were computed."""
        return list(self._notes)

    def close(self) -> None:
        """Free what was loaded."""
        self._inputs.close()
        self._loaded.model.to("meta")
        free_memory()

    def _grouped(self, requests: Sequence[Request]) -> tuple[dict[Key, list[Request]], Results]:
        """Return requests by their prompt, and those that cannot be asked."""
        groups: dict[Key, list[Request]] = {}
        failed: Results = {}
        for request in requests:
            try:
                text = self._chats.render(request.turns)
            except PromptError as error:
                failed[request.id] = Failed(error.kind, str(error))
                continue
            keys = tuple(image.key for image in request.images)
            if self._needs_picture and not keys:
                failed[request.id] = Failed("no_picture", "this model takes no question alone")
                continue
            groups.setdefault((text, keys), []).append(request)
        return groups, failed

    def _answer_group(self, key: Key, requests: Sequence[Request]) -> Results:
        """Answer requests of one prompt."""
        text = key[0]
        try:
            inputs = self._inputs.take(key, (text, requests[0].images))
        except PromptError as error:
            failed = Failed(error.kind, str(error))
            return {request.id: failed for request in requests}
        ready = to_device(inputs, self._loaded.model)
        answered: dict[tuple[Choose | Generate, int, Reasoning], Scores | Text | Failed] = {}
        results: Results = {}
        for request in requests:
            want = request.want
            if not isinstance(want, (Choose, Generate)):
                results[request.id] = Failed(
                    "unsupported", "this model chooses and generates; it gives no vectors"
                )
                continue
            seed = request.seed if isinstance(want, Generate) and want.temperature else 0
            wanted = want, seed, request.reasoning
            if wanted not in answered:
                answered[wanted] = self._answer_one(text, ready, *wanted)
            results[request.id] = answered[wanted]
        return results

    def _answer_one(
        self,
        text: str,
        inputs: Mapping[str, Tensor],
        want: Choose | Generate,
        seed: int,
        reasoning: Reasoning,
    ) -> Scores | Text | Failed:
        ids: Ids = tuple(inputs["input_ids"][0].tolist())
        over = len(ids) - self._loaded.context
        if isinstance(want, Generate):
            if over >= 0:
                return _too_long(len(ids) + 1, self._loaded.context)
            thoughts = self._markers.thoughts(reasoning, ids)
            most = min(want.max_new_tokens + thoughts.tokens, -over)
            limited = replace(want, max_new_tokens=most)
            return self._forwards.write(inputs, limited, seed, self._chats.tokenizer, thoughts)
        try:
            back, options = self._chats.behind(text, want.options, ids)
        except PromptError as error:
            return Failed(error.kind, str(error))
        longest = max(map(len, options), default=0)
        longest_row = len(ids) - back + (0 if self._chats.separate else longest)
        if longest_row > self._loaded.context:
            return _too_long(longest_row, self._loaded.context)
        tokenised = TokenisedPrompt(cut(inputs, back), options)
        score = self._forwards.score_cached if self._cached else self._forwards.score_whole
        values = score(tokenised, self._batches)
        return Scores(
            "logprob",
            tuple(values),
            tuple(map(len, options)),
            tuple(len(option.encode()) for option in want.options),
        )


def _too_long(length: int, context: int) -> Failed:
    return Failed(
        "prompt_too_long",
        f"prompt and answer take {length} positions, {length - context} more than the model's "
        f"{context}",
    )
