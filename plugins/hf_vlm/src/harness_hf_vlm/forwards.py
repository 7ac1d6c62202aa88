"""Forward passes of any image-text-to-text model, options after a KV cache or whole prompts."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from harness.engine.batching import Batches
from harness.engine.reasoning import Thoughts
from harness.engine.tokenize import Ids
from harness.requests import Generate, Text
from torch import Tensor

_ALONG = ("attention_mask", "token_type_ids", "mm_token_type_ids", "cross_attention_mask")
"""Inputs with a value for each position; a further position repeats the last one."""
_SUFFIX = {"paligemma": 1}
"""Token type of an answer where it is not the prompt's last one (attention is causal there)."""


@dataclass(frozen=True, slots=True)
class TokenisedPrompt:
    """A prompt as tensors, cut where the options leave it, and the options.

    Attributes:
        inputs: What the model takes, one row; ids up to the cut.
        options: Ids of each option from there.
    """

    inputs: Mapping[str, Tensor]
    options: tuple[Ids, ...]


class Forwards:
    """Runs a model.

    Args:
        model: A transformers model for image-text-to-text, in evaluation mode.
        separate: Whether it has an encoder for the prompt and a decoder for the answer.
    """

    def __init__(self, model: Any, *, separate: bool) -> None:
        self._model = model
        self._separate = separate
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    @torch.inference_mode()
    def score_whole(self, prompt: TokenisedPrompt, batches: Batches) -> list[float]:
        """Return the summed log-probability of each option, with the whole prompt in each pass."""
        length = prompt.inputs["input_ids"].shape[1]

        def forward(rows: Sequence[Ids]) -> list[float]:
            aims, real = _padded(rows, self._model.device)
            if self._separate:
                start = torch.full_like(aims[:, :1], self._start())
                out = self._model(
                    **_repeated(prompt.inputs, len(rows)),
                    decoder_input_ids=torch.cat([start, aims[:, :-1]], dim=1),
                )
                return _total(out.logits, aims, real)
            inputs = self._extended(_repeated(prompt.inputs, len(rows)), aims, real)
            out = self._model(**inputs, use_cache=False, **self._keep(aims.shape[1] + 1))
            return _total(out.logits[:, -aims.shape[1] - 1 : -1], aims, real)

        return batches.run(prompt.options, lambda ids: length + len(ids), forward)

    @torch.inference_mode()
    def score_cached(self, prompt: TokenisedPrompt, batches: Batches) -> list[float]:
        """Return the same, the prompt read once and each option continues its KV cache."""
        length = prompt.inputs["input_ids"].shape[1]
        out = self._model(**prompt.inputs, use_cache=True, **self._keep(1))
        first = torch.log_softmax(out.logits[0, -1].float(), dim=-1)
        cache = out.past_key_values

        def forward(rows: Sequence[Ids]) -> list[float]:
            totals = [float(first[ids[0]]) for ids in rows]
            if max(map(len, rows)) == 1:
                return totals
            input_ids, _ = _padded([ids[:-1] for ids in rows], self._model.device)
            aims, real = _padded([ids[1:] for ids in rows], self._model.device)
            row_cache = copy.deepcopy(cache)
            row_cache.batch_repeat_interleave(len(rows))
            mask = prompt.inputs["attention_mask"].new_ones(len(rows), length + input_ids.shape[1])
            mask[:, length:] = real
            more = self._positions(length, len(rows), input_ids.shape[1])
            if "cross_attention_mask" in prompt.inputs:
                last = prompt.inputs["cross_attention_mask"][:, -1:]
                more["cross_attention_mask"] = last.repeat(len(rows), input_ids.shape[1], 1, 1)
            logits = self._model(
                input_ids=input_ids,
                attention_mask=mask,
                past_key_values=row_cache,
                use_cache=True,
                **more,
            ).logits
            added = _total(logits, aims, real)
            return [one + other for one, other in zip(totals, added, strict=True)]

        return batches.run(prompt.options, lambda ids: length + len(ids), forward)

    @torch.inference_mode()
    def write(
        self,
        inputs: Mapping[str, Tensor],
        want: Generate,
        seed: int,
        tokenizer: Any,
        thoughts: Thoughts,
    ) -> Text:
        """Return the answer, by transformers' own generation.

        Args:
            inputs: The prompt.
            want: What is wanted, its tokens with those for reasoning.
            seed: Seed of sampling.
            tokenizer: The model's.
            thoughts: How reasoning is separated from the answer; stop strings count only after it.
        """
        heeded = want.stop and not thoughts.tags
        stops = {"stop_strings": list(want.stop), "tokenizer": tokenizer} if heeded else {}
        device = self._model.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            ids = self._model.generate(
                **inputs,
                max_new_tokens=want.max_new_tokens,
                do_sample=want.temperature > 0,
                num_beams=1,
                temperature=want.temperature or None,
                top_p=None,
                top_k=0 if want.temperature else None,
                **stops,
            )[0]
        prompt_ids = inputs["input_ids"][0]
        if not self._separate and torch.equal(ids[: len(prompt_ids)], prompt_ids):
            ids = ids[len(prompt_ids) :]
        parts = thoughts.split(ids.tolist())
        inside = parts.reasoning, parts.unfinished
        places = [at for stop in want.stop if stop and (at := parts.answer.find(stop)) >= 0]
        if places:
            return Text(parts.answer[: min(places)], "stop", *inside)
        named = self._model.generation_config.eos_token_id
        ends = named if isinstance(named, list) else [named]
        ended = len(ids) > 0 and int(ids[-1]) in ends
        return Text(parts.answer, "stop" if ended else "length", *inside)

    def _extended(
        self, inputs: Mapping[str, Tensor], aims: Tensor, real: Tensor
    ) -> dict[str, Tensor]:
        """Return a prompt's inputs with options (B, T) after it."""
        extended = dict(inputs)
        extended["input_ids"] = torch.cat([inputs["input_ids"], aims], dim=1)
        for name in _ALONG:
            if name not in inputs:
                continue
            tensor = inputs[name]
            more = tensor[:, -1:].repeat(1, aims.shape[1], *[1] * (tensor.ndim - 2))
            kind = _SUFFIX.get(self._model.config.model_type)
            if name == "attention_mask":
                more = real.to(tensor.dtype)
            elif name == "token_type_ids" and kind is not None:
                more = torch.full_like(more, kind)
            extended[name] = torch.cat([tensor, more], dim=1)
        return extended

    def _keep(self, count: int) -> dict[str, int]:
        return {"logits_to_keep": count} if self._keeps else {}

    def _positions(self, length: int, rows: int, count: int) -> dict[str, Tensor]:
        """Return position ids after a prompt, where a model keeps their distance from its length.

        Models with multimodal rotary positions keep it from the prompt they read last.
        """
        delta = getattr(getattr(self._model, "model", None), "rope_deltas", None)
        if delta is None:
            return {}
        places = torch.arange(length, length + count, device=delta.device) + delta.reshape(-1)[:1]
        return {"position_ids": places.expand(3, rows, count)}

    def _start(self) -> int:
        config = self._model.config.get_text_config()
        start = self._model.generation_config.decoder_start_token_id
        return int(config.decoder_start_token_id if start is None else start)


def cut(inputs: Mapping[str, Tensor], back: int) -> dict[str, Tensor]:
    """Return a prompt's inputs without its last ``back`` positions."""
    if not back:
        return dict(inputs)
    along = {"input_ids", *_ALONG}
    return {name: held[:, :-back] if name in along else held for name, held in inputs.items()}


def _repeated(inputs: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    """Return inputs for equal rows; patches of all images stand one after another, as rows do."""
    return {name: held.repeat(rows, *[1] * (held.ndim - 1)) for name, held in inputs.items()}


def _padded(rows: Sequence[Ids], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ids (B, T), padded on the right, and 1 where an id stands."""
    width = max(map(len, rows))
    ids, real = torch.zeros(2, len(rows), width, dtype=torch.long).unbind()
    for row, row_ids in enumerate(rows):
        ids[row, : len(row_ids)] = torch.tensor(row_ids)
        real[row, : len(row_ids)] = 1
    return ids.to(device), real.to(device)


def _total(logits: Tensor, aims: Tensor, real: Tensor) -> list[float]:
    """Return each row's summed float32 log-probability of ids (B, T) under logits (B, T, V)."""
    scores = logits.float()
    each = scores.gather(2, aims[..., None]).squeeze(2) - scores.logsumexp(2)
    totals: list[float] = (each * real).sum(1).tolist()
    return totals
