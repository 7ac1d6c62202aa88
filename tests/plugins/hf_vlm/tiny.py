"""Tiny random checkpoints of transformers' own vision-language families, made on the spot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from harness.samples.images import LoadedImage

TEXT = [
    "which expression does this face show? surprise, fear, disgust, happiness, sadness",
    "what is the person on the left doing? yes no maybe two people talking",
    "You are a helpful assistant. user assistant system",
] * 3
WORDS = 300

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}\n"
    "{% endfor %}"
)


def tokenizer(*special: str, template: str | None = None, bos: bool = False, **named: str) -> Any:
    """Return a byte-level tokenizer of :data:`WORDS` ids and the special tokens behind them."""
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        TEXT, vocab_size=WORDS, min_frequency=2, special_tokens=["<pad>", "<s>", "</s>", "<unk>"]
    )
    inner = trained._tokenizer
    if bos:
        inner.post_processor = TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
        )
    make: Any = PreTrainedTokenizerFast
    made = make(
        tokenizer_object=inner,
        pad_token="<pad>",  # noqa: S106
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        extra_special_tokens=dict(named),
    )
    filler = [f"<filler_{number}>" for number in range(WORDS - len(made))]
    made.add_tokens(filler)
    made.add_tokens([*special, *named.values()], special_tokens=True)
    made.chat_template = template
    made.model_max_length = 4096
    return made


def seeded(make: Any, config: Any) -> Any:
    """Return a model with random weights far enough from zero that logits differ."""
    torch.manual_seed(0)
    model = make(config).eval()
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                scale = 0.6 / weight[0].numel() ** 0.5
                weight.copy_(torch.randn(weight.shape, generator=chance) * scale)
    return model


def picture(number: int, width: int = 40, height: int = 30) -> LoadedImage:
    chance = np.random.default_rng(number)
    small = chance.integers(0, 255, (6, 6, 3), dtype=np.uint8)
    pixels = Image.fromarray(small).resize((width, height))
    return LoadedImage(pixels, f"sha{number}", f"key{number}-{width}", width, height)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from talking while checkpoints are written."""
    from transformers.utils import logging

    messages = logging.get_verbosity()
    logging.set_verbosity(40)
    try:
        yield
    finally:
        logging.set_verbosity(messages)


def text_settings(vocabulary: int, **more: Any) -> dict[str, Any]:
    """Return the settings that most small decoders share."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 1024,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **more,
    }


def save(folder: Path, model: Any, processor: Any, parts: Sequence[Any] = ()) -> Path:
    """Write a whole checkpoint and return its folder."""
    with quiet():
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        for part in parts:
            part.save_pretrained(folder)
    return folder


# --- Qwen2-VL and its successors ------------------------------------------------------------------

_QWEN_SPECIAL = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>")


def qwen_words() -> tuple[Any, dict[str, int], str]:
    """Return Qwen's tokenizer, the ids of its own tokens, and a chat template."""
    words = tokenizer("<|im_start|>", "<|im_end|>", *_QWEN_SPECIAL)
    words.eos_token = "<|im_end|>"  # noqa: S105
    template = CHATML.replace("IMAGE", "".join(_QWEN_SPECIAL[:3]))
    return words, {name: words.convert_tokens_to_ids(name) for name in _QWEN_SPECIAL}, template


def qwen(folder: Path, kind: str) -> Path:
    """Write a tiny qwen2_vl, qwen2_5_vl or qwen3_vl."""
    import transformers

    words, ids, template = qwen_words()
    vision: dict[str, Any] = {"depth": 2, "num_heads": 2, "patch_size": 4, "temporal_patch_size": 2}
    if kind == "qwen2_vl":
        vision |= {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
    else:
        vision |= {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24}
    if kind == "qwen2_5_vl":
        vision |= {"window_size": 16, "fullatt_block_indexes": [1]}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
    if kind == "qwen3_vl":
        vision |= {"deepstack_visual_indexes": [0, 1], "num_position_embeddings": 16}
        rope["mrope_interleaved"] = True
    classes = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL"}
    name = classes[kind]
    config = getattr(transformers, f"{name}Config")(
        vision_config=vision,
        text_config=text_settings(len(words), rope_parameters=rope),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )
    size = {"shortest_edge": 16 * 16, "longest_edge": 48 * 48}
    processor = getattr(transformers, f"{name}Processor")(
        image_processor=transformers.Qwen2VLImageProcessor(size=size, patch_size=4),
        tokenizer=words,
        video_processor=transformers.Qwen2VLVideoProcessor(patch_size=4),
        chat_template=template,
    )
    model = seeded(getattr(transformers, f"{name}ForConditionalGeneration"), config)
    model.generation_config.eos_token_id = words.eos_token_id
    return save(folder, model, processor)
