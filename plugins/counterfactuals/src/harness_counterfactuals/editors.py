"""Editors: each makes all images of a base, its source first made and the others from it.

One contract: :class:`Editor`. Prompt-to-Prompt makes them in one batch; the other one has an
instructed model change the source's image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import torch

from harness_counterfactuals.alignment import Tokens, align
from harness_counterfactuals.attention import Edits, edits
from harness_counterfactuals.checkpoints import INSTRUCTED, open_checkpoint
from harness_counterfactuals.generate import Sampler, in_batches, load_pipeline
from harness_counterfactuals.spec import INSTRUCT, Spec
from harness_counterfactuals.templates import fill, slots_of
from harness_counterfactuals.tokens import base_tokens

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.plan import Base


class Editor(Protocol):
    """Makes the images of a base."""

    def make(self, base: Base, seed: int) -> list[Image.Image]:
        """Return an image for each of a base's, in its order.

        Args:
            base: Attributes and prompts; which one is the source.
            seed: It gives the noise.

        Raises:
            UserError: a prompt that the text encoder does not read whole, or too little memory.
        """
        ...


def make_editor(  # noqa: PLR0913, PLR0917  what an editor is made of
    spec: Spec,
    sampler: Sampler,
    tokenizers: list[Any],
    device: torch.device,
    dtype: str,
    batch: int,
    say: Callable[[str], None],
) -> Editor:
    """Return the editor that a spec names.

    Args:
        spec: The spec.
        sampler: It samples the spec's generator.
        tokenizers: Those of the text encoders.
        device: On which an editor's own model runs.
        dtype: Of that model's weights.
        batch: Images of a batch, at most.
        say: Takes notes for the record.
    """
    if spec.editor.kind == INSTRUCT:
        return InstructPix2Pix(spec, sampler, device, dtype)
    return PromptToPrompt(spec, sampler, tokenizers, batch, say)


class PromptToPrompt:
    """All images of a base in one batch, those that are edited attending as their source does."""

    def __init__(
        self,
        spec: Spec,
        sampler: Sampler,
        tokenizers: list[Any],
        batch: int,
        say: Callable[[str], None],
    ) -> None:
        self._spec, self._sampler, self._tokenizers = spec, sampler, tokenizers
        self._most, self._say = batch, say

    def make(self, base: Base, seed: int) -> list[Image.Image]:
        """Return an image for each of a base's, in its order."""
        rows = [base.source, *(at for at in range(len(base.images)) if at != base.source)]
        tokens = [base_tokens(base, at, self._tokenizers) for at in rows]

        def batch(places: list[int]) -> list[Image.Image]:
            chosen = [tokens[place] for place in places]
            texts = [one.prompt.text for one in chosen]
            return self._sampler.sample(texts, seed, batch_edits(self._spec, chosen))

        made = in_batches(len(rows), self._most, batch, self._less)
        by_image = dict(zip(rows, made, strict=True))
        return [by_image[at] for at in range(len(rows))]

    def _less(self, most: int) -> None:
        self._most = most
        self._say(
            f"for lack of memory, {most} images at once: the same images, but for rounding where "
            "the device's kernels depend on the batch"
        )


def batch_edits(spec: Spec, tokens: list[Tokens]) -> Edits:
    """Return the edits of a batch whose first row is the source."""
    editor, source = spec.editor, tokens[0]
    alignments = [
        None if row == 0 else align(source, alignment, spec.edited, refine=editor.edit == "refine")
        for row, alignment in enumerate(tokens)
    ]
    factors = [
        {at: factor for word, factor in editor.reweight.items() for at in places(alignment, word)}
        for alignment in tokens
    ]
    words = [
        [at for word in editor.blend for at in places(alignment, word)] for alignment in tokens
    ]
    return edits(alignments, source.length, factors, words if editor.blend else None)


def places(tokens: Tokens, word: str) -> list[int]:
    """Return the positions of a word in a prompt; of ``{race}``, those of the attribute's words."""
    slots = slots_of(word)
    return tokens.of_slot(slots[0]) if slots else tokens.of_words(word)


class InstructPix2Pix:
    """The source as the generator makes it; the others by a model that follows an instruction.

    Brooks et al., arXiv 2211.09800.
    """

    def __init__(self, spec: Spec, sampler: Sampler, device: torch.device, dtype: str) -> None:
        self._spec, self._sampler = spec, sampler
        self.checkpoint = open_checkpoint(spec.editor.model, INSTRUCTED)
        self._pipeline = load_pipeline(self.checkpoint, dtype, device)

    def make(self, base: Base, seed: int) -> list[Image.Image]:
        """Return an image for each of a base's, in its order."""
        (source,) = self._sampler.sample([base.images[base.source].prompt.text], seed, None)
        return [
            source if at == base.source else self._edited(source, image.attributes, seed)
            for at, image in enumerate(base.images)
        ]

    def _edited(self, source: Image.Image, attributes: dict[str, str], seed: int) -> Image.Image:
        words = {name: self._spec.attributes[name][value] for name, value in attributes.items()}
        generator = self._spec.generator
        with torch.inference_mode():
            result = self._pipeline(
                prompt=fill(self._spec.editor.instruction, words).text,
                image=source,
                num_inference_steps=generator.steps,
                guidance_scale=generator.guidance,
                image_guidance_scale=self._spec.editor.image_guidance,
                negative_prompt=generator.negative_prompt,
                generator=torch.Generator().manual_seed(seed),
            )
        image: Image.Image = result.images[0]
        return image
