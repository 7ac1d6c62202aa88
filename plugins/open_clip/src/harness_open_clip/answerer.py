"""Answers requests by cosines of unit vectors; the question itself is not read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from harness.descriptors import Json
from harness.engine.batching import free_memory
from harness.engine.features import FeatureCache
from harness.engine.images import check_shape
from harness.engine.tokenize import PromptError, require_text
from harness.models import Runtime
from harness.requests import Choose, Embed, Failed, Request, Response, Scores, Vectors
from harness.samples.images import LoadedImage
from torch import Tensor

from harness_open_clip.encoders import LoadedEncoder, Pixels
from harness_open_clip.together import vectors_differ

_CPU, _GPU = 16, 128  # images or texts at once
_KNOWN_TEXTS = 1 << 17
_KNOWN_CHOICES = 256

Result = Scores | Vectors | Failed
Item = TypeVar("Item")


class DualEncoderAnswerer:
    """A loaded dual encoder as the harness asks it; see :class:`harness.models.Answerer`.

    Args:
        encoder: The encoder.
        templates: Sentences with one ``{}``; an option's vector is the unit mean over them.
        runtime: How to run.
        seen: What vectors depend on beside the image, for the cache on disk.
    """

    def __init__(
        self,
        encoder: LoadedEncoder,
        templates: Sequence[str],
        runtime: Runtime,
        facts: Mapping[str, Json],
    ) -> None:
        self._encoder = encoder
        self._templates = tuple(templates)
        many = _GPU if encoder.device.type == "cuda" else _CPU
        # Alone, an image gives the same bytes whatever stands beside it.
        at_once = 1 if runtime.deterministic else runtime.batch_size or many
        self._differences = vectors_differ(encoder) if at_once > 1 else {}
        self._at_once = {
            side: 1 if side in self._differences else at_once for side in ("images", "texts")
        }
        about: dict[str, Json] = {
            **facts,
            "preparation": encoder.preparation,
            "device": encoder.device.type,
            "alone": runtime.deterministic,
        }
        root = None if runtime.cache is None else runtime.cache / "features"
        self._kept = FeatureCache(root, about)
        self._texts: dict[str, Tensor | Failed] = {}
        self._options: dict[str, Tensor | Failed] = {}
        self._choices: dict[Choose, Tensor | Failed] = {}

    @torch.inference_mode()
    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer one block of requests; see the model contract."""
        if len(self._texts) > _KNOWN_TEXTS:
            self._texts.clear()
            self._options.clear()
        if len(self._choices) > _KNOWN_CHOICES:
            self._choices.clear()
        images = self._see([image for request in requests for image in request.images])
        self._kept.flush()
        wants = dict.fromkeys(request.want for request in requests)
        self._read([text for want in wants for text in self._sentences(want)])
        return [Response(request.id, self._one(request, images)) for request in requests]

    def notes(self) -> list[str]:
        """Return which side is encoded one by one, where batches changed its vectors."""
        return [
            f"{side} are encoded one at a time: a batch changed a vector by {value:.2g} when the "
            "model was loaded"
            for side, value in self._differences.items()
        ]

    def parameters(self) -> int:
        """Return the number of the encoder's weights."""
        return self._encoder.parameters()

    def close(self) -> None:
        """Free what was loaded."""
        self._encoder.close()
        self._texts.clear()
        self._options.clear()
        self._choices.clear()
        free_memory()

    # --- answers -----------------------------------------------------------------------------

    def _sentences(self, want: object) -> tuple[str, ...]:
        if isinstance(want, Choose) and want in self._choices:
            return ()  # the 80,000 sentences of ImageNet's classes are made once, not per image
        if isinstance(want, Choose):
            templates = ("{}",) if want.match else self._templates
            return tuple(one.replace("{}", option) for option in want.options for one in templates)
        if isinstance(want, Embed) and want.as_options:
            return tuple(one.replace("{}", text) for text in want.texts for one in self._templates)
        return want.texts if isinstance(want, Embed) else ()

    def _one(self, request: Request, images: Mapping[str, Tensor | Failed]) -> Result:
        want = request.want
        image_vectors = [images[image.key] for image in request.images]
        bad = next((one for one in image_vectors if isinstance(one, Failed)), None)
        if bad is not None:
            return bad
        vectors = [one for one in image_vectors if not isinstance(one, Failed)]
        if isinstance(want, Choose):
            return self._choose(want, vectors)
        if isinstance(want, Embed):
            texts = [self._option(t) if want.as_options else self._texts[t] for t in want.texts]
            bad = next((one for one in texts if isinstance(one, Failed)), None)
            if bad is not None:
                return bad
            text_vectors = [one for one in texts if not isinstance(one, Failed)]
            return Vectors(_plain(vectors), _plain(text_vectors))
        return Failed("unsupported", "a dual encoder writes no text")

    def _choose(self, want: Choose, images: Sequence[Tensor]) -> Scores | Failed:
        if len(images) != 1:
            return Failed(
                "one_image", f"a dual encoder takes one image per question, not {len(images)}"
            )
        if want not in self._choices:
            self._choices[want] = self._stacked(want)
        vectors = self._choices[want]
        if isinstance(vectors, Failed):
            return vectors
        # Row by row: a product of matrices rounds by its shape, a sum over each row does not.
        return Scores("similarity", tuple((vectors * images[0]).sum(-1).tolist()))

    def _stacked(self, want: Choose) -> Tensor | Failed:
        """Return the vectors (N, D) of a choice's options, or why there are none."""
        try:
            known = self._options
            ids = [() if o not in known and self._encoder.drops(o) else (0,) for o in want.options]
            require_text(want.options, ids)
        except PromptError as error:
            return Failed(error.kind, str(error))
        vectors = [self._texts[o] if want.match else self._option(o) for o in want.options]
        bad = next((one for one in vectors if isinstance(one, Failed)), None)
        return bad or torch.stack([one for one in vectors if not isinstance(one, Failed)])

    def _option(self, option: str) -> Tensor | Failed:
        """Return the unit mean of an option's vectors over the templates."""
        if option not in self._options:
            encoded = [self._texts[one.replace("{}", option)] for one in self._templates]
            bad = next((one for one in encoded if isinstance(one, Failed)), None)
            vectors = [one for one in encoded if not isinstance(one, Failed)]
            self._options[option] = bad or _unit(torch.stack(vectors).mean(0))
        return self._options[option]

    # --- vectors -----------------------------------------------------------------------------

    def _read(self, texts: Sequence[str]) -> None:
        """Have the unit vectors of all texts."""
        new = []
        for text in dict.fromkeys(texts):
            if text in self._texts:
                continue
            over = self._encoder.excess(text)
            if over:
                self._texts[text] = Failed(
                    "prompt_too_long",
                    f"a text takes {over} tokens more than the encoder's {self._encoder.context}: "
                    f"{text[:60]!r}",
                )
            else:
                new.append(text)
        for some in self._cut(new, "texts"):
            self._texts |= zip(some, self._vectors(self._encoder.texts, some), strict=True)

    def _see(self, images: Sequence[LoadedImage]) -> dict[str, Tensor | Failed]:
        """Return each distinct image's unit vector, or why it was rejected, by its key."""
        by_key: dict[str, Tensor | Failed] = {}
        new: dict[str, LoadedImage] = {}
        for image in images:
            if image.key in by_key or image.key in new:
                continue
            cached = self._kept.get(image.key)
            if cached is None:
                new[image.key] = image
            else:
                by_key[image.key] = cached
        for some in self._cut(list(new.values()), "images"):
            ready: dict[str, Pixels] = {}
            for image in some:
                try:
                    check_shape(image.pixels)
                    ready[image.key] = self._encoder.prepare(image.pixels)
                except (ValueError, RuntimeError, OSError, ZeroDivisionError) as error:
                    by_key[image.key] = Failed("image_rejected", str(error))
            if ready:
                vectors = self._vectors(self._encoder.images, list(ready.values()))
                for key, vector in zip(ready, vectors, strict=True):
                    by_key[key] = vector
                    self._kept.put(key, vector)
        self._kept.flush()
        return by_key

    def _cut(self, items: list[Item], side: str) -> Iterator[list[Item]]:
        at_once = self._at_once[side]
        for start in range(0, len(items), at_once):
            yield items[start : start + at_once]

    @staticmethod
    def _vectors(encode: Callable[[Any], Tensor], inputs: Sequence[Any]) -> list[Tensor]:
        return list(_unit(encode(inputs).float().cpu()).unbind())


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def _plain(vectors: Sequence[Tensor]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(vector.tolist()) for vector in vectors)
