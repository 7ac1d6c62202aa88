"""Loads model and processor, and finds the fastest way to ask them that changes no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from harness.descriptors import Json
from harness.engine.answerer import EngineAnswerer
from harness.engine.chats import find_template
from harness.engine.checkpoints import (
    Checkpoint,
    check_loaded,
    family_of,
    load_pretrained,
    require_tokenizer,
)
from harness.engine.loading import after_load
from harness.engine.packages import missing_package
from harness.engine.self_check import TOLERANCE
from harness.errors import UserError
from harness.models import Answerer, Runtime
from harness.requests import Choose, Failed, Request, Response, Scores, Turn
from harness.samples.images import LoadedImage
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, __version__

from harness_hf_vlm.answerer import ProcessorAnswerer
from harness_hf_vlm.chats import Chats
from harness_hf_vlm.shared import SharedModel

_NO_LIMIT = 1 << 30
_WORDLESS = (IndexError, KeyError, AttributeError, TypeError, AssertionError, NotImplementedError)
"""Errors whose text says where code went wrong and nothing about the model."""
_OPTIONS = ("yes", "no, two people", "it is a cat on the left")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with what asks it.

    Attributes:
        model: In evaluation mode, on its device.
        chats: Its processor and chat template.
        context: Positions it can take.
        score_eos: Whether an option ends with end-of-sequence.
        about: The model's identity.
    """

    model: Any
    chats: Chats
    context: int
    score_eos: bool
    about: Mapping[str, Json]


def load(  # noqa: PLR0913  named choices
    source: Checkpoint,
    *,
    device: torch.device | None,
    loading: Mapping[str, Any],
    options: Mapping[str, Json],
    form: str,
    score_eos: bool,
    trust: bool,
    about: Mapping[str, Json],
) -> Loaded:
    """Return model and processor.

    Args:
        source: The checkpoint.
        device: Where to compute; ``None`` where the weights are loaded to.
        loading: Passed to ``from_pretrained``.
        options: What :func:`harness.engine.loading.after_load` takes.
        form: How a chat becomes text.
        score_eos: Whether an option ends with end-of-sequence.
        trust: Whether code of the checkpoint may run.
        about: The model's identity.

    Raises:
        UserError: when transformers cannot load one of them, or they do not fit.
    """
    own_code = trust and bool(source.config.get("auto_map"))
    if not own_code:
        _require_known_type(source)
    processor = _load_processor(source, trust=trust)
    if own_code:
        model = _load_trusted(source, loading)
    else:
        model = load_pretrained(AutoModelForImageTextToText, source, **loading)
    if device is not None:
        model.to(device)
    after_load(model.eval(), options)  # an adapter changes the model's layers in place
    template = find_template(source.folder, processor.tokenizer)
    if template is None and isinstance(getattr(processor, "chat_template", None), str):
        template = processor.chat_template
    if form == "template" and template is None:
        raise UserError(
            "the checkpoint has no chat template",
            where=source.folder,
            fix="-o prompt_format=plain",
        )
    if form == "auto":
        form = "plain" if template is None else "template"
    text = model.config.get_text_config()
    separate = bool(model.config.is_encoder_decoder or getattr(text, "is_encoder_decoder", False))
    chats = Chats(
        processor,
        model.config,
        template=template,
        form=form,
        separate=separate,
        score_eos=score_eos,
        folder=source.folder,
    )
    context = int(getattr(text, "max_position_embeddings", None) or _NO_LIMIT)
    return Loaded(model, chats, context, score_eos, about)


def choose(loaded: Loaded, runtime: Runtime, way: str) -> Answerer:
    """Return an answerer: the fastest whose scores are those of reading each prompt anew.

    Args:
        loaded: Model and processor.
        runtime: How to run.
        way: ``auto``, or the one way to take, which is then checked all the same.

    Raises:
        UserError: when the model cannot be asked at all, or not in the way asked for.
    """
    slow = ProcessorAnswerer(loaded, runtime, cached=False)
    questions = _questions()[: 1 if way == "whole" else None]
    try:
        expected = [response.result for response in slow.answer(questions)]
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  a model that is not a model for images and text
        raise UserError(
            f"the model cannot answer about an image: {_why(error, loaded)}",
            fix=missing_package(error),
        ) from None
    failed = [result for result in expected if isinstance(result, Failed)]
    if len(failed) == len(expected):
        if way in {"auto", "whole"} and {one.kind for one in failed} == {"prompt_too_long"}:
            return slow  # each sample's record says by how much
        raise UserError(
            f"the model cannot answer about an image: {failed[0].message}",
            fix="check that its processor's files are complete (processor_config.json)",
        )
    if way == "whole" or loaded.chats.separate:
        if way in {"engine", "cached"}:
            raise UserError("this model's prompt has an encoder of its own", fix="leave out -o way")
        return slow
    notes: list[str] = []
    for name in ("engine", "cached"):
        if way not in {"auto", name}:
            continue
        try:
            fast = _answerer(name, loaded, runtime, notes)
            difference = _difference(list(fast.answer(questions)), expected, loaded)
        except Exception as error:  # noqa: BLE001  a model that does not fit may raise anything
            difference = _why(error, loaded)
        if not difference:
            # A new one: the engine checks its first real answers by itself, once.
            return _answerer(name, loaded, runtime, notes)
        notes.append(f"{_WHAT[name]} is off: {difference}")
    if way != "auto":
        raise UserError(
            f"this way does not work for this model: {notes[0]}", fix="leave out -o way"
        )
    return ProcessorAnswerer(loaded, runtime, cached=False, notes=notes)


_WHAT = {
    "engine": "sharing of prompts",
    "cached": "reading a prompt once for its options",
}


def _why(error: Exception, loaded: Loaded) -> str:
    """Return in words why a model could not be read in some way."""
    if install := missing_package(error):
        return f"it needs a package that is not installed ({install})"
    if isinstance(error, UserError):
        return error.message
    if state := _running_state(loaded.model.config):
        return state
    if not isinstance(error, _WORDLESS):
        return _first(error)
    kind = f"{type(loaded.model).__name__} raises {type(error).__name__}"
    return f"its code does not allow it ({kind}: {_first(error)})"


def _running_state(config: Any) -> str:
    """Return what keeps a decoder's prompts from being shared, where that is its kind of layers."""
    kinds = list(getattr(config.get_text_config(), "layer_types", None) or ())
    running = [
        str(kind)
        for kind in kinds
        if kind == "linear_attention" or not str(kind).endswith("attention")
    ]
    if not running:
        return ""
    named = ", ".join(sorted(set(running)))
    return (
        f"layers of its decoder ({named}; {len(running)} of {len(kinds)}) "
        "have a running state in place of the keys and values that several answers could share"
    )


def trainable(loaded: Loaded, runtime: Runtime) -> SharedModel:
    """Return the model as training needs it; its vision tower stays as it is.

    Raises:
        UserError: images are not simply put among the decoder's embeddings.
    """
    choose(loaded, runtime, "engine")
    loaded.model.requires_grad_(requires_grad=False)
    return _shared(loaded)


def _answerer(name: str, loaded: Loaded, runtime: Runtime, notes: Sequence[str]) -> Answerer:
    if name == "cached":
        return ProcessorAnswerer(loaded, runtime, cached=True, notes=notes)
    return EngineAnswerer(_shared(loaded), runtime)


def _shared(loaded: Loaded) -> SharedModel:
    return SharedModel(
        loaded.model,
        loaded.chats,
        context=loaded.context,
        score_eos=loaded.score_eos,
        features_key=loaded.about,
    )


def _difference(responses: Sequence[Response], expected: Sequence[object], loaded: Loaded) -> str:
    """Return what is wrong with scores, or nothing."""
    allowed = TOLERANCE.get(str(loaded.about["dtype"]), max(TOLERANCE.values()))
    for response, right in zip(responses, expected, strict=True):
        if not isinstance(right, Scores):
            continue
        scores = response.result
        if not isinstance(scores, Scores):
            return f"a prompt that can be asked fails ({getattr(scores, 'message', '')})"
        if scores.tokens != right.tokens:
            return "options have other tokens"
        worst = max(abs(a - b) for a, b in zip(scores.values, right.values, strict=True))
        # Rounding adds up over an option's tokens; in float32 it hardly does.
        terms = 1 if allowed == TOLERANCE["float32"] else max(scores.tokens)
        if not worst <= allowed * terms:  # negated, so that NaN counts as a difference
            return f"a log-probability differs by {worst:.2g}"
    return ""


def _questions() -> list[Request]:
    """Return a few questions about drawn images of several sizes."""
    chance = np.random.default_rng(0)
    pictures = []
    for number, (width, height) in enumerate([(96, 64), (50, 120), (64, 64)]):
        dots = chance.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        pixels = Image.fromarray(dots).resize((width, height))
        name = f"drawn-{number}-{width}x{height}"
        pictures.append(LoadedImage(pixels, name, name, width, height))
    first, second, third = pictures
    chats: list[tuple[Turn, ...]] = [
        (Turn("user", "What is shown?", (first,)),),
        (Turn("user", "Is there a person in the picture, and where?", (second,)),),
        (Turn("user", "Which of both is larger?", (first, third)),),
        (
            Turn("user", "What is shown?", (first,)),
            Turn("assistant", "a dog"),
            Turn("user", "And here, on the left?", (second,)),
        ),
    ]
    return [
        Request(f"check-{number}", "check", "check", turns, Choose(_OPTIONS))
        for number, turns in enumerate(chats)
    ]


def _require_known_type(source: Checkpoint) -> None:
    """Refuse a checkpoint for which transformers has no model for images and text.

    Raises:
        UserError: naming the plugin that reads it, where there is one.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN,
    )

    kind = source.config.get("model_type")
    if kind in KNOWN:
        return
    native = family_of(source.config)
    fix = f"give a model for images and text, or a transformers newer than {__version__}"
    raise UserError(
        f"transformers {__version__} has no model for images and text of type {kind!r}",
        where=source.folder / "config.json",
        fix=f"--model {native} reads it" if native not in {"", "hf_vlm"} else fix,
    )


def _load_processor(source: Checkpoint, *, trust: bool) -> Any:
    auto: Any = AutoProcessor
    if not trust:
        require_tokenizer(source.folder)
    try:
        if trust and source.revision:
            processor = auto.from_pretrained(
                source.name, revision=source.revision, trust_remote_code=True
            )
        else:
            processor = auto.from_pretrained(
                str(source.folder), local_files_only=True, trust_remote_code=trust
            )
    except Exception as error:  # noqa: BLE001  transformers raises what is below it
        raise UserError(
            f"transformers cannot read the processor: {_first(error)}",
            where=source.folder,
            fix=missing_package(error)
            or "copy or download the files of its processor, tokenizer and chat template again",
        ) from None
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "image_processor"):
        raise UserError(
            "the checkpoint has no processor for images and text, "
            f"only a {type(processor).__name__}",
            where=source.folder,
            fix="give a checkpoint with preprocessor_config.json and a tokenizer",
        )
    return processor


def _load_trusted(source: Checkpoint, loading: Mapping[str, Any]) -> Any:
    """Return a model that the checkpoint's own code makes; the user has allowed it."""
    location = source.name if source.revision else str(source.folder)
    more = {"revision": source.revision} if source.revision else {}
    auto: Any = AutoModelForImageTextToText
    try:
        model, report = auto.from_pretrained(
            location, trust_remote_code=True, output_loading_info=True, **more, **loading
        )
    except Exception as error:  # noqa: BLE001  code of a stranger's
        raise UserError(
            f"the checkpoint's own code cannot load it: {_first(error)}",
            where=source.folder,
            fix=missing_package(error),
        ) from None
    check_loaded(report["missing_keys"], report["unexpected_keys"], source.folder)
    return model


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
