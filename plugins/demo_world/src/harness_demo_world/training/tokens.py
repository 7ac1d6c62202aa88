"""The tokenizer of both tiny text models: byte-level pairs, so that any text has tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAD, BOS, EOS, IMAGE = "<pad>", "<bos>", "<eos>", "<image>"
PAD_ID, BOS_ID, EOS_ID, IMAGE_ID = 0, 1, 2, 3
VOCABULARY = 1280


def learn(corpus: Sequence[str]) -> Tokenizer:
    """Return a byte-level pair tokenizer of the corpus; frequent words become one token."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        special_tokens=[PAD, BOS, EOS, IMAGE],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(corpus, trainer)
    return made


def save(made: Tokenizer, folder: Path, context: int, end: bool) -> None:
    """Write `tokenizer.json` and its configuration; with `end`, texts get an end token too."""
    folder.mkdir(parents=True, exist_ok=True)
    template = f"{BOS} $A {EOS}" if end else f"{BOS} $A"
    specials = [(BOS, BOS_ID), (EOS, EOS_ID)] if end else [(BOS, BOS_ID)]
    copy = Tokenizer.from_str(made.to_str())
    copy.post_processor = processors.TemplateProcessing(single=template, special_tokens=specials)
    copy.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "bos_token": BOS,
        "eos_token": EOS,
        "additional_special_tokens": [IMAGE],
        "model_max_length": context,
        "padding_side": "right",
        "clean_up_tokenization_spaces": False,
    }
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
