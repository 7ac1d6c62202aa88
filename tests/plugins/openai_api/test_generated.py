"""Options scored by generated tokens, or by SGLang's own route, score as by the prompt's tokens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness_openai_api import native
from harness_openai_api.factory import Endpoint
from harness_openai_api.replies import BadReplyError, read_input, read_next
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Scores, Turn
from tests.plugins.openai_api.conftest import picture
from tests.plugins.openai_api.language import VLLM, SGLang, Tokenizer
from tests.plugins.openai_api.server import Reply

Ask = Callable[..., list[Any]]
OPTIONS = Choose(("happy", "happyness", "very happy", "very sad", "sad", "x"))
TURNS = (Turn("user", "who is it?", (picture(), picture())),)
IDS, MASK = "logprob_token_ids", "allowed_token_ids"


@pytest.fixture
def score(model: Callable[..., Endpoint], ask: Ask) -> Callable[..., Any]:
    def run(url: str, wanted: Choose = OPTIONS, **options: Any) -> Any:
        with closing(model(url, **options).load(Runtime())) as answerer:
            return ask(answerer, wanted, turns=TURNS)[0]

    return run


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch) -> None:
    made = native.Template(Tokenizer(), "", "<image>")
    monkeypatch.setattr("harness_openai_api.answerer.load_template", lambda *_: made)


@pytest.mark.parametrize("fields", [(IDS, MASK), (MASK,)])
def test_the_trie_gives_what_the_prompts_tokens_give(
    fields: tuple[str, ...], score: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(VLLM(*fields)) as server:
        by_prompt = score(server.url)
        sent = len(server.bodies)
        by_trie = score(server.url, scores="generated")
        walked = [body for body in server.bodies[sent:] if "max_tokens" in body]
    assert isinstance(by_prompt, Scores)
    assert by_trie.values == pytest.approx(by_prompt.values, abs=1e-4)
    assert (by_trie.tokens, by_trie.bytes) == (by_prompt.tokens, by_prompt.bytes)
    assert {body["max_tokens"] for body in walked} == {1}
    # " very" is walked once for both options that begin with it; no text ends between " " and "x".
    starts = {
        str(body["messages"][-1]["content"]) for body in walked if body["continue_final_message"]
    }
    assert starts == {"happy", "very", "x"}
    assert [body for body in walked if "prompt_logprobs" in body] == walked[-1:]
    assert len(walked) == (4 if IDS in fields else 7)
    errors = capsys.readouterr().err
    assert "scored with the whole prompt: 'x' (" in errors
    assert f"with {fields[0]}" in errors


def test_questions_asked_again_are_not_tokenised_again(
    model: Callable[..., Endpoint], ask: Ask
) -> None:
    with (
        closing(VLLM(IDS)) as server,
        closing(model(server.url, scores="generated").load(Runtime())) as answerer,
    ):
        first, second = ask(answerer, OPTIONS, OPTIONS, turns=TURNS)
        assert first == second
        tokenised = len([body for body in server.bodies if "max_tokens" not in body])
        assert ask(answerer, OPTIONS, turns=TURNS) == [first]
        assert len([body for body in server.bodies if "max_tokens" not in body]) == tokenised


@pytest.mark.usefixtures("template")
def test_sglangs_own_route_gives_what_the_prompts_tokens_give(
    score: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    options = Choose((*OPTIONS.options, "zz"))
    with closing(VLLM(IDS)) as reference:
        by_prompt = score(reference.url, options)
    with closing(SGLang()) as server:
        scored = score(server.url, options, scores="generated")
        chats = [body for body in server.bodies if "messages" in body]
        starts = {body["logprob_start_len"] for body in server.bodies if "text" in body}
    assert scored.values == pytest.approx(by_prompt.values, abs=1e-4)
    assert (scored.tokens, scored.bytes) == (by_prompt.tokens, by_prompt.bytes)
    assert len(chats) == 1  # the rest reads the cache: nothing before the chat's end is wanted
    assert len(starts) == 1
    assert min(starts) > 10
    assert "logprob_start_len" in capsys.readouterr().err


@pytest.mark.usefixtures("template")
def test_another_template_than_the_servers_is_seen(score: Callable[..., Any]) -> None:
    with closing(SGLang(lead="be brief")) as server:
        scored = score(server.url, scores="generated")
    assert isinstance(scored, Failed)
    assert scored.kind == "template_differs"
    assert "-o template" in scored.message


def test_sglang_without_a_template_is_refused(
    model: Callable[..., Endpoint], tmp_path: Path
) -> None:
    with closing(SGLang()) as server:
        for options in ({}, {"template": str(tmp_path)}):
            with pytest.raises(UserError, match=r"needs the chat template|no tokenizer_config"):
                model(server.url, scores="generated", **options).load(Runtime())


def test_a_server_that_offers_neither_is_refused(model: Callable[..., Endpoint]) -> None:
    with closing(VLLM()) as server:
        with pytest.raises(UserError, match="offers no way"):
            model(server.url, scores="generated").load(Runtime())
        server.documents["/openapi.json"] = Reply("gone", status=404)
        with pytest.raises(UserError, match=r"no /openapi\.json"):
            model(server.url, scores="generated").load(Runtime())


def test_servers_of_two_kinds_are_refused(model: Callable[..., Endpoint]) -> None:
    with (
        closing(VLLM(IDS)) as first,
        closing(VLLM(MASK)) as second,
        pytest.raises(UserError, match="in different ways"),
    ):
        model(f"{first.url},{second.url}", scores="generated").load(Runtime())


def test_log_probabilities_after_the_mask_are_refused(score: Callable[..., Any]) -> None:
    with closing(VLLM(MASK, masked=True)) as server:
        scored = score(server.url, scores="generated")
    assert scored.kind == "bad_answer"
    assert "raw_logprobs" in scored.message


def test_options_that_change_the_chats_last_token_score_as_by_the_prompt(
    score: Callable[..., Any],
) -> None:
    options = Choose(("zz", "sad"))
    with closing(VLLM(IDS)) as server:
        assert score(server.url, options, scores="generated") == score(server.url, options)


@pytest.mark.slow
def test_a_checkpoints_template_renders_chats_and_options(tmp_path: Path) -> None:
    from tests.plugins.hf_vlm.tiny import qwen

    folder = qwen(tmp_path, "qwen2_vl")
    made = native.load_template(str(folder), {})
    turns = (Turn("user", f"who {made.image} is it?", (picture(),)),)
    alone, with_option = made.render(turns, None), made.render(turns, "sad")
    assert alone.count(made.image) == 1
    assert with_option == f"{alone}sad"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(JSON)
def test_nothing_a_server_sends_crashes_the_readers(sent: Any) -> None:
    entry = {"token": "token_id:3", "logprob": sent, "top_logprobs": [sent]}
    for read in (
        lambda: read_next({"choices": [{"logprobs": {"content": [entry]}}]}),
        lambda: read_input({"meta_info": {"prompt_tokens": 2, "input_token_logprobs": sent}}, 0),
    ):
        try:
            read()
        except BadReplyError:
            continue
