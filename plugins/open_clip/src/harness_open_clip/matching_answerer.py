"""Scores an image with each text by the model's own matching head; the question is not read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from harness.engine.batching import free_memory
from harness.engine.checkpoints import (
    Checkpoint,
    load_image_processor,
    load_pretrained,
    load_tokenizer,
)
from harness.engine.images import check_shape
from harness.requests import Choose, Failed, Request, Response, Scores
from harness.samples.images import LoadedImage
from torch import Tensor

from harness_open_clip.together import TEXTS, difference, noise, tolerance


class MatchingHead:
    """A loaded model of transformers that scores pairs of an image and a text.

    Attributes:
        context: Tokens a text may take.
    """

    def __init__(
        self, model: Any, tokenizer: Any, processor: Any, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._model = model.to(device, dtype).eval().requires_grad_(requires_grad=False)
        self._tokenizer, self._processor = tokenizer, processor
        self._device, self._dtype, self._kind = device, dtype, model.config.model_type
        text = {"blip": "text_config", "blip-2": "qformer_config"}.get(self._kind)
        config = getattr(model.config, text) if text else model.config
        self.context = min(int(config.max_position_embeddings), int(tokenizer.model_max_length))

    def excess(self, text: str) -> int:
        """Return by how many tokens a text is too long; 0 when it fits."""
        return max(0, len(self._tokenizer(text, verbose=False)["input_ids"]) - self.context)

    def drops(self, text: str) -> bool:
        """Whether the tokenizer makes of a text what it makes of none."""
        ids, empty = (self._tokenizer(one, verbose=False)["input_ids"] for one in (text, ""))
        return bool(ids == empty)

    def prepare(self, image: LoadedImage) -> dict[str, Tensor]:
        """Return what the checkpoint's processor makes of an image, (1, ...)."""
        check_shape(image.pixels)
        return dict(self._processor(images=[image.pixels], return_tensors="pt"))

    @property
    def dtype(self) -> str:
        """The dtype that it computes in."""
        return str(self._dtype).removeprefix("torch.")

    def scores(self, pixels: dict[str, Tensor], texts: Sequence[str]) -> list[float]:
        """Return the score of each text with an image.

        The probability of a match, in [0, 1]; of ViLT the logit of its ranking head.
        """
        logits = self.logits(pixels, texts).double()
        # In double, so that two texts that both fit do not tie at 1.
        return (logits[:, 0] if self._kind == "vilt" else logits.softmax(-1)[:, 1]).tolist()

    def logits(self, pixels: dict[str, Tensor], texts: Sequence[str]) -> Tensor:
        """Return what the head says of each text, (N, 1) of ViLT and (N, 2) of the others."""
        tokens = self._tokenizer(list(texts), padding=True, return_tensors="pt")
        image_inputs = {
            name: value.to(self._device).expand(len(texts), *value.shape[1:])
            for name, value in pixels.items()
        }
        inputs: dict[str, Any] = {
            "input_ids": tokens["input_ids"].to(self._device),
            "attention_mask": tokens["attention_mask"].to(self._device),
            "pixel_values": image_inputs["pixel_values"].to(self._dtype),
        }
        if self._kind == "vilt":
            inputs |= {name: image_inputs[name] for name in ("pixel_mask",) if name in image_inputs}
            logits: Tensor = self._model(**inputs).logits
        elif self._kind == "blip":
            logits = self._model(**inputs, use_itm_head=True).itm_score
        else:
            logits = self._model(**inputs, use_image_text_matching_head=True).logits_per_image
        return logits

    def parameters(self) -> int:
        """Return the number of weights."""
        return sum(weight.numel() for weight in self._model.parameters())

    def close(self) -> None:
        """Free the weights."""
        self._model = None


class MatchingAnswerer:
    """A loaded matching head as the harness asks it; see :class:`harness.models.Answerer`.

    Args:
        head: The model.
        template: A sentence with one ``{}`` around an option of a choice.
        at_once: Texts in one forward pass; texts are padded to the longest, so 1 is exact.
    """

    def __init__(self, head: MatchingHead, template: str, at_once: int) -> None:
        self._head, self._template, self._at_once = head, template, at_once
        self._difference = together_apart(head) if at_once > 1 else 0.0
        if not self._difference <= tolerance(head.dtype):  # NaN is a difference too
            self._at_once = 1

    def notes(self) -> list[str]:
        """Return that texts are scored one at a time, where together they came out otherwise."""
        if self._at_once > 1 or not self._difference:
            return []
        apart = (
            "texts are scored one at a time: several at once changed a logit of the matching head"
        )
        return [f"{apart} by {self._difference:.2g} when the model was loaded"]

    @torch.inference_mode()
    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer one block of requests; see the model contract."""
        return [Response(request.id, self._one(request)) for request in requests]

    def _one(self, request: Request) -> Scores | Failed:
        want = request.want
        if not isinstance(want, Choose):
            return Failed("unsupported", "a matching head scores texts with an image alone")
        if len(request.images) != 1:
            return Failed("one_image", f"one image a question, not {len(request.images)}")
        template = "{}" if want.match else self._template
        texts = [template.replace("{}", option) for option in want.options]
        for option, text in zip(want.options, texts, strict=True):
            if self._head.drops(option):
                return Failed("empty_option", f"the tokenizer keeps nothing of {option[:60]!r}")
            over = self._head.excess(text)
            if over:
                return Failed("prompt_too_long", f"a text takes {over} tokens more than the "
                              f"{self._head.context} of the model: {text[:60]!r}")  # fmt: skip
        try:
            pixels = self._head.prepare(request.images[0])
        except (ValueError, RuntimeError, OSError, ZeroDivisionError) as error:
            return Failed("image_rejected", str(error))
        values = [
            value
            for start in range(0, len(texts), self._at_once)
            for value in self._head.scores(pixels, texts[start : start + self._at_once])
        ]
        return Scores("similarity", tuple(values))

    def parameters(self) -> int:
        """Return the number of the model's weights."""
        return self._head.parameters()

    def close(self) -> None:
        """Free what was loaded."""
        self._head.close()
        free_memory()


@torch.inference_mode()
def together_apart(head: MatchingHead) -> float:
    """Return by how much a logit of three texts differs, read together and one by one.

    An image of noise is shown to the head once for all three, and once for each.
    """
    pixels = head.prepare(noise(48, 64))
    return difference(lambda texts: head.logits(pixels, texts), TEXTS)


def load(source: Checkpoint, device: torch.device, dtype: torch.dtype) -> MatchingHead:
    """Load a model with its matching head.

    Raises:
        UserError: when its weights do not fit, or tokenizer or processor cannot be read.
    """
    import transformers

    kind = getattr(transformers, str(source.config["architectures"][0]))
    tokenizer, processor = load_tokenizer(source.folder), load_image_processor(source.folder)
    return MatchingHead(
        load_pretrained(kind, source, dtype=dtype), tokenizer, processor, device, dtype
    )
