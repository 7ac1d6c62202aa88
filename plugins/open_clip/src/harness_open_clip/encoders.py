"""Loaded dual encoders: images and texts to vectors, in open_clip and in transformers."""

from __future__ import annotations

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from harness.engine.checkpoints import (
    key_report,
    load_image_processor,
    load_pretrained,
    load_tokenizer,
)
from harness.engine.images import shown
from harness.engine.weights import read_header
from harness.errors import UserError, unknown
from harness.samples.images import LoadedImage
from PIL import Image
from torch import Tensor, nn

from harness_open_clip.prompt_array import PromptArray
from harness_open_clip.sources import Encoder

Pixels = dict[str, Tensor]


class LoadedEncoder(ABC):
    """A dual encoder in evaluation mode on its device.

    Attributes:
        context: Tokens a text may take.
        preparation: The preprocessing of images, as text; equal texts prepare equally.
    """

    context: int
    preparation: str
    _image_side: str

    def __init__(self, model: Any, device: torch.device, dtype: torch.dtype) -> None:
        self._model = model.to(device, dtype).eval().requires_grad_(requires_grad=False)
        self.device, self._dtype = device, dtype
        self.prompt: PromptArray | None = None

    @property
    def model(self) -> Any:
        """The model itself, both towers."""
        return self._model

    def scale(self) -> Tensor:
        """Return what its training multiplied cosines by, a scalar."""
        temperature = getattr(self._model, "temperature", None)  # of ALIGN
        scale: Tensor = self._model.logit_scale.exp() if temperature is None else 1 / temperature
        return scale

    @abstractmethod
    def prepare(self, image: Image.Image) -> Pixels:
        """Return an image as tensors (1, ...), float32, on the CPU."""

    @abstractmethod
    def images(self, pixels: Sequence[Pixels]) -> Tensor:
        """Return vectors (N, D) of N prepared images."""

    @abstractmethod
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Return vectors (N, D) of N texts."""

    @abstractmethod
    def excess(self, text: str) -> int:
        """Return by how many tokens a text is over :attr:`context`; 0 when it fits."""

    @abstractmethod
    def drops(self, text: str) -> bool:
        """Whether the tokenizer makes of a text what it makes of none."""

    @property
    def dtype(self) -> str:
        """The dtype that it computes in."""
        return str(self._dtype).removeprefix("torch.")

    def vision_tower(self) -> tuple[nn.Module, Callable[[Sequence[LoadedImage]], object]]:
        """Return the image side, and what runs it on images; see ``HasTower`` of the models."""
        return getattr(self._model, self._image_side), self._look

    def _look(self, images: Sequence[LoadedImage]) -> Tensor:
        pixels = []
        for image in images:
            with shown(image) as opened:
                pixels.append(self.prepare(opened))
        return self.images(pixels)

    def parameters(self) -> int:
        """Return the number of weights."""
        return sum(weight.numel() for weight in self._model.parameters())

    def close(self) -> None:
        """Free the weights."""
        self._model = None

    def _shown(self, pixels: Sequence[Pixels], name: str) -> Tensor:
        return torch.cat([one[name] for one in pixels]).to(self.device)


class OpenClipEncoder(LoadedEncoder):
    """A model of open_clip."""

    _image_side = "visual"

    def __init__(self, model: Any, tokenizer: Any, device: torch.device, dtype: torch.dtype):
        from open_clip.transform import PreprocessCfg, image_transform_v2

        super().__init__(model, device, dtype)
        config = PreprocessCfg(**model.visual.preprocess_cfg)
        self.preparation = repr(sorted(asdict(config).items()))
        self._transform: Callable[[Image.Image], Tensor] = image_transform_v2(
            config, is_train=False
        )
        self._tokenizer = tokenizer
        self.context = int(tokenizer.context_length or model.context_length)

    def prepare(self, image: Image.Image) -> Pixels:
        """Return an image resized and normalised as the model's config says."""
        return {"pixels": self._transform(image)[None]}

    def images(self, pixels: Sequence[Pixels]) -> Tensor:
        """Return vectors (N, D) of N prepared images."""
        vectors: Tensor = self._model.encode_image(self._shown(pixels, "pixels").to(self._dtype))
        return vectors

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Return vectors (N, D) of N texts."""
        ids = self._tokenizer(list(texts), context_length=self.context)
        ids = ids if self.prompt is None else self.prompt.ids(ids)
        vectors: Tensor = self._model.encode_text(ids.to(self.device))
        return vectors

    def excess(self, text: str) -> int:
        """Return by how many tokens a text is too long: open_clip's tokenizers cut silently."""
        # A token holds at least a byte, and a few special ones stand around them.
        room = self.context + len(text.encode()) + 8
        cut = self._tokenizer([text], context_length=self.context)[0]
        uncut = self._tokenizer([text], context_length=room)[0]
        overhang = uncut[self.context :]
        if torch.equal(cut, uncut[: self.context]) and bool((overhang == overhang[-1]).all()):
            return 0
        return max(1, int((overhang != overhang[-1]).sum()))

    def drops(self, text: str) -> bool:
        """Whether the tokenizer makes of a text what it makes of none."""
        text_ids, none = (self._tokenizer([one], context_length=self.context) for one in (text, ""))
        return torch.equal(text_ids, none)


# Checkpoints that hold an encoder within a larger model, and what it is called there.
_WITHIN = {"FlavaForPreTraining": "flava", "CLIPSegForImageSegmentation": "clip"}
# Positions of RoBERTa-like texts start after that of the padding.
_AFTER_PADDING = ("altclip",)


class TransformersEncoder(LoadedEncoder):
    """A model of transformers with ``get_image_features`` and ``get_text_features``."""

    def __init__(
        self, model: Any, tokenizer: Any, processor: Any, device: torch.device, dtype: torch.dtype
    ):
        super().__init__(model, device, dtype)
        self.preparation = processor.to_json_string()
        self._tokenizer, self._processor = tokenizer, processor
        self._image_side = "image_model" if model.config.model_type == "flava" else "vision_model"
        self.context = _positions(model.config, tokenizer)
        # SigLIP reads its vector at the last position and was trained on texts padded to the end.
        self._padding: dict[str, Any] = {"padding": True}
        if model.config.model_type.startswith("siglip"):
            self._padding = {"padding": "max_length"}

    def prepare(self, image: Image.Image) -> Pixels:
        """Return what the checkpoint's image processor makes of an image."""
        return dict(self._processor(images=[image], return_tensors="pt"))

    def images(self, pixels: Sequence[Pixels]) -> Tensor:
        """Return vectors (N, D) of N prepared images."""
        inputs = {name: self._shown(pixels, name) for name in pixels[0]}
        inputs["pixel_values"] = inputs["pixel_values"].to(self._dtype)
        return _pooled(self._model.get_image_features(**inputs))

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Return vectors (N, D) of N texts."""
        padding = self._padding
        to_the_end = padding["padding"] == "max_length"
        if to_the_end:
            padding = {**padding, "max_length": self.context}
        tokens = self._tokenizer(list(texts), return_tensors="pt", **padding)
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        if self.prompt is not None:
            ids, mask = self.prompt.ids(ids), self.prompt.mask(mask)
        inputs = {"input_ids": ids.to(self.device)}
        if not to_the_end:
            inputs["attention_mask"] = mask.to(self.device)
        return _pooled(self._model.get_text_features(**inputs))

    def excess(self, text: str) -> int:
        """Return by how many tokens a text is too long."""
        length = len(self._tokenizer(text, verbose=False)["input_ids"])
        return max(0, length - self.context)

    def drops(self, text: str) -> bool:
        """Whether the tokenizer makes of a text what it makes of none."""
        ids, empty = (self._tokenizer(one, verbose=False)["input_ids"] for one in (text, ""))
        return bool(ids == empty)


def load(source: Encoder, device: torch.device, dtype: torch.dtype) -> LoadedEncoder:
    """Load an encoder.

    Raises:
        UserError: when its weights do not fit, or tokenizer or processor cannot be read.
    """
    if source.checkpoint is None:
        return _of_open_clip(source, device, dtype)
    from transformers import AutoModel

    folder = source.checkpoint.folder
    tokenizer, processor = load_tokenizer(folder), load_image_processor(folder)
    full_class, part = _class_of(source.checkpoint.config)
    model = load_pretrained(full_class or AutoModel, source.checkpoint, dtype=dtype)
    model = getattr(model, part) if part else model
    return TransformersEncoder(model, tokenizer, processor, device, dtype)


def _class_of(config: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the class that a checkpoint was written with and the encoder's name in it."""
    import transformers

    name = str((config.get("architectures") or [""])[0])
    part = _WITHIN.get(name, "")
    return (getattr(transformers, name), part) if part else (None, "")


def _positions(config: Any, tokenizer: Any) -> int:
    """Return how many tokens a text may take, by the model's positions and the tokenizer."""
    text = config.text_config
    positions = int(text.max_position_embeddings)
    if config.model_type == "clip" or config.model_type.startswith("siglip"):
        return positions
    if config.model_type in _AFTER_PADDING:
        positions -= int(text.pad_token_id) + 1
    return min(positions, int(tokenizer.model_max_length))


def _of_open_clip(source: Encoder, device: torch.device, dtype: torch.dtype) -> LoadedEncoder:
    import open_clip

    model = create_model(source)
    try:
        tokenizer = open_clip.get_tokenizer(_open_clip_name(source))
    except Exception as error:  # noqa: BLE001  a config may name any tokenizer
        raise _cannot_load(error, source) from None
    return OpenClipEncoder(model, tokenizer, device, dtype)


def create_model(source: Encoder) -> Any:
    """Return an open_clip model with its weights, on the CPU.

    Raises:
        UserError: a name or tag that open_clip does not know, or weights that do not fit.
    """
    import open_clip

    arguments: dict[str, Any] = {}
    if source.folder is not None:
        weights = source.weights()  # fetches the hub's, and refuses a damaged file
    else:
        name, _, arguments["pretrained"] = source.name.partition(":")
        _require_known(name, arguments["pretrained"])
    disabled = logging.root.manager.disable
    try:
        with warnings.catch_warnings():
            # open_clip warns of activation choices that the model's own configuration makes.
            warnings.simplefilter("ignore", UserWarning)
            logging.disable(logging.ERROR)  # what it logs of a failure is in the error
            return open_clip.create_model(
                _open_clip_name(source), require_pretrained=True, **arguments
            )
    except Exception as error:  # noqa: BLE001  of a strange config or file, anything may come
        if source.folder is not None and weights.suffix == ".safetensors":
            _report_keys(_open_clip_name(source), source, set(read_header(weights)))
        raise _cannot_load(error, source) from None
    finally:
        logging.disable(disabled)


def _open_clip_name(source: Encoder) -> str:
    if source.folder is None:
        return source.name.partition(":")[0]
    return f"local-dir:{source.folder}"


def _require_known(name: str, tag: str) -> None:
    from open_clip import list_models, list_pretrained_tags_by_model

    if name not in list_models():
        raise unknown("open_clip model", name, list_models())
    tags: list[str] = list_pretrained_tags_by_model(name)
    if tag not in tags:
        raise unknown(f"tag of open_clip's {name}", tag, tags)


def _cannot_load(error: Exception, source: Encoder) -> UserError:
    first = str(error).strip().partition("\n")[0] or type(error).__name__
    return UserError(
        f"open_clip cannot load the encoder: {first}", where=source.folder or source.name
    )


def _report_keys(name: str, source: Encoder, present: set[str]) -> None:
    """Say which tensors are missing or foreign, when that is why loading failed."""
    import open_clip

    assert source.folder is not None
    try:
        expected = set(open_clip.create_model(name, load_weights=False).state_dict())
    except Exception:  # noqa: BLE001  then the config is at fault, and the caller says so
        return
    if present != expected:
        raise key_report(expected - present, present - expected, source.folder)


def _pooled(output: Any) -> Tensor:
    """Return vectors (N, D); of a model that projects every token (FLAVA) those of the first."""
    pooled: Tensor = output.pooler_output
    return pooled[:, 0] if pooled.ndim == 3 else pooled
