"""Chats as text and ids, on a small byte-level tokenizer with and without a begin-of-text token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.engine.chats import (
    ChatTemplate,
    Conversation,
    clean,
    find_template,
    tokenize_pieces,
    tokenize_whole,
)
from harness.engine.contract import IMAGE, PromptError
from harness.errors import UserError
from harness.requests import Turn
from harness.requests.request import has_text
from harness.samples.images import LoadedImage

PICTURE = LoadedImage(Image.new("RGB", (2, 2)), "k", "k", 2, 2)
VICUNA = Conversation(end="</s>", system="Be kind.")
SHOTS = (
    Turn("user", "Who?", (PICTURE, PICTURE)),
    Turn("assistant", "a man"),
    Turn("user", "Why?"),
)


def tokenizer(*, begins: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: at for at, letter in enumerate(["<s>", "</s>", *letters])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if begins:
        inner.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    make: Any = PreTrainedTokenizerFast
    made = make(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")  # noqa: S106
    made.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return made


BEGINS, PLAIN = tokenizer(begins=True), tokenizer(begins=False)


def test_turns_stand_between_separators_and_each_image_on_a_line() -> None:
    changed = VICUNA.render(SHOTS).replace("\ufffc", "[i]")
    assert changed == "Be kind. USER: [i]\n[i]\nWho? ASSISTANT: a man</s>USER: Why? ASSISTANT:"


def test_a_system_turn_takes_the_place_of_the_default_and_must_stand_first() -> None:
    system = Turn("system", "Be short.")
    assert VICUNA.render((system, SHOTS[2])) == "Be short. USER: Why? ASSISTANT:"
    assert Conversation(end="").render((SHOTS[2],)) == "USER: Why? ASSISTANT:"
    with pytest.raises(PromptError, match="must stand first"):
        VICUNA.render((SHOTS[2], system))


def test_pieces_begin_once_where_the_tokenizer_begins_texts() -> None:
    text = VICUNA.render(SHOTS)
    pieces = text.split("\ufffc")
    for each in (BEGINS, PLAIN):
        wanted: list[int] = []
        for number, piece in enumerate(pieces):
            ids = each(piece, add_special_tokens=False).input_ids
            wanted += [IMAGE, *ids] if number else ids
        begun = [0] if each is BEGINS else []
        assert tokenize_pieces(each, text, (), None).prefix == (*begun, *wanted)


@given(
    question=st.text(max_size=20),
    options=st.lists(
        st.text(min_size=1, max_size=8).filter(lambda text: has_text(clean(text))), min_size=1
    ),
)
def test_no_text_of_a_stranger_becomes_an_image_and_options_are_whole(
    question: str, options: list[str]
) -> None:
    turns = (Turn("user", question + "<image>\ufffc", (PICTURE,)),)
    text = VICUNA.render(turns)
    image = BEGINS.convert_tokens_to_ids("<image>")
    pieces = tokenize_pieces(PLAIN, text, options, 1)
    full = tokenize_whole(BEGINS, text, options, 1, image)
    assert full.prefix.count(IMAGE) == 1
    assert pieces.prefix.count(IMAGE) == 1
    for joint, option in zip(full.options, options, strict=True):
        assert image not in joint
        assert joint[-1] == 1
        message = BEGINS.decode(joint[:-1], clean_up_tokenization_spaces=False)
        expected = f" {option.replace('<image>', ' ')}"
        if "</s>" not in option and "<s>" not in option:
            assert message.strip() == expected.encode("utf-8", "replace").decode().strip()


def test_an_option_without_text_is_refused() -> None:
    with pytest.raises(PromptError, match="no text"):
        tokenize_pieces(PLAIN, VICUNA.render(SHOTS), ["yes", " "], 1)


def test_a_template_writes_images_before_text_and_begins_by_itself() -> None:
    source = (
        "<s>{% for m in messages %}{{ m.role }}:{% for c in m.content %}"
        "{% if c.type == 'image' %}<image>{% else %}{{ c.text }};{% endif %}{% endfor %}"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    text = ChatTemplate(BEGINS, source, "<image>").render(SHOTS)
    assert text.replace("\ufffc", "[i]") == (
        "<s>user:[i][i]Who?;assistant:a man;user:Why?;assistant: "
    )
    image = BEGINS.convert_tokens_to_ids("<image>")
    joint = tokenize_whole(BEGINS, text, ["no"], None, image)
    assert joint.prefix.count(0) == 1
    assert BEGINS.decode(joint.options[0]) == "no"  # the template's own space stands before it


def test_a_template_that_raises_is_a_prompt_error() -> None:
    with pytest.raises(PromptError, match="refuses"):
        ChatTemplate(BEGINS, "{{ raise_exception('no') }}", "<image>").render(SHOTS)
    with pytest.raises(PromptError, match="refuses"):
        ChatTemplate(BEGINS, "{% if %}", "<image>").render(SHOTS)


def test_the_processors_template_goes_before_the_tokenizers(tmp_path: Path) -> None:
    content = tokenizer(begins=True)
    assert find_template(tmp_path, content) is None
    content.chat_template = "tokenizer"
    assert find_template(tmp_path, content) == "tokenizer"
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "processor"}))
    assert find_template(tmp_path, content) == "processor"
    (tmp_path / "chat_template.jinja").write_text("file")
    assert find_template(tmp_path, content) == "file"
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "chat_template.json").write_text("[")
    with pytest.raises(UserError, match="chat template cannot be read"):
        find_template(tmp_path, content)
