"""What is sent, what is read from answers, and what becomes of answers that are wrong."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_openai_api.bodies import Bodies
from harness_openai_api.replies import BadReplyError, joint_scores, read_prompt
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import harness
from harness.engine.tokenize import PromptError
from harness.errors import UserError
from harness.requests import Choose, Embed, Failed, Generate, Reasoning, Scores, Text, Turn
from tests.plugins.openai_api.conftest import picture
from tests.plugins.openai_api.server import Body, Reply, chat

Start = Callable[..., tuple[Any, Any]]
Ask = Callable[..., list[Any]]
OPTIONS = Choose(("happy", "sad"))


def top(**tokens: float) -> Reply:
    entries = [{"token": token, "logprob": value} for token, value in tokens.items()]
    return chat("x", logprobs={"content": [{**entries[0], "top_logprobs": entries}]})


def by_words(body: Body) -> Reply:
    """A server that tokenises at spaces and finds every token as likely as it is short."""
    text = " ".join(
        part["text"] if isinstance(part, dict) else part
        for message in body["messages"]
        for part in (
            message["content"] if isinstance(message["content"], list) else [message["content"]]
        )
        if not isinstance(part, dict) or part["type"] == "text"
    )
    words = text.split()
    results = [None, *({word: {"logprob": -float(len(word))}} for word in words)]
    return Reply({**chat("y").body, "prompt_logprobs": results})


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_a_chat_is_sent_with_its_pictures(form: str, endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(lambda _: chat("two people"), image_format=form)
    turns = (Turn("system", "be brief"), Turn("user", "who?", (picture(),)))
    (result,) = ask(answerer, Generate(7, ("a", "b", "c", "d", "e")), turns=turns)
    assert result == Text("two p", "stop")  # the fifth stop string is heeded here
    (body,) = fake.bodies
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("tiny", 7, 0.0)
    assert body["stop"] == ["a", "b", "c", "d"]
    assert "seed" not in body
    assert body["messages"][0] == {"role": "system", "content": "be brief"}
    image, text = body["messages"][1]["content"]
    assert text == {"type": "text", "text": "who?"}
    head, _, data = image["image_url"]["url"].partition(",")
    assert head == f"data:image/{form};base64"
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert seen.shape == (9, 7, 3)
    assert form == "jpeg" or (seen == np.asarray(picture().pixels)).all()
    assert fake.keys[-1] == "Bearer sk-very-secret"


def test_why_an_answer_ended_is_told(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(lambda _: chat(" two ", "length"))
    assert ask(answerer, Generate(1)) == [Text("two", "length")]


def test_options_are_scored_by_log_probabilities_of_the_chat(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(by_words)
    (result,) = ask(answerer, Choose(("very happy", "sad")))
    assert result == Scores("logprob", (-9.0, -3.0), (2, 1), (10, 3))
    first, *others = fake.bodies
    assert (first["add_generation_prompt"], first["continue_final_message"]) == (True, False)
    assert [body["messages"][-1]["content"] for body in others] == ["very happy", "sad"]
    assert all(body["continue_final_message"] for body in others)


def test_sums_begin_where_any_option_leaves_the_prompt() -> None:
    prompt = [("a", -1.0), ("b", -2.0)]
    merged = [("a", -1.0), ("bc", -4.0)]  # this option's first letter joins the prompt's last token
    plain = [("a", -1.0), ("b", -2.0), ("d", -8.0)]
    assert joint_scores(prompt, [merged, plain], ["c", "d"]).values == (-4.0, -10.0)
    with pytest.raises(PromptError, match="option 1 of 2, 'c', has no tokens"):
        joint_scores(prompt, [prompt, plain], ["c", "d"])


def test_options_are_scored_by_their_first_token(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(
        lambda _: top(**{" happy": -1.0, "Ha": -2.0, "sad": -3.0, "other": -0.5}),
        scores="first_token",
    )
    (result,) = ask(answerer, OPTIONS)
    assert np.allclose(result.values, (math.log(math.exp(-1) + math.exp(-2)), -3.0))
    assert (result.kind, result.tokens, result.bytes) == ("logprob", (), ())


@pytest.mark.parametrize(
    ("reply", "options", "kind"),
    [
        (top(happy=-1.0), OPTIONS, "option_not_scored"),
        (top(s=-1.0, happy=-1.0), Choose(("sad", "surprised", "happy")), "options_alike"),
        (top(happy=math.nan, sad=-1.0), OPTIONS, "bad_answer"),
        (top(happy=1.0, sad=-1.0), OPTIONS, "bad_answer"),
        (chat("happy"), OPTIONS, "no_logprobs"),
    ],
)
def test_first_tokens_that_do_not_tell_are_failed(
    reply: Reply, options: Choose, kind: str, endpoint: Start, ask: Ask
) -> None:
    _, answerer = endpoint(lambda _: reply, scores="first_token")
    (result,) = ask(answerer, options)
    assert isinstance(result, Failed)
    assert result.kind == kind


def test_a_server_without_log_probabilities_is_told_with_the_way_out(
    endpoint: Start, ask: Ask
) -> None:
    fake, answerer = endpoint(lambda _: chat("happy"))
    (result,) = ask(answerer, OPTIONS)
    assert result.kind == "no_logprobs"
    assert "scores=label" in result.message
    assert len(fake.bodies) == 1


def test_a_choice_in_words_is_handed_on_as_it_was_written(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(lambda _: chat(" **Sad**, I think.\n"), scores="label")
    assert ask(answerer, OPTIONS) == [Text("**Sad**, I think.")]
    assert fake.bodies[0]["max_tokens"] == 32


THINK = Reasoning("strip", (), 100)


def message(**fields: Any) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": "stop"}
    return Reply({"choices": [choice], "usage": {"total_tokens": 10}})


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (chat("<think>A? no.</think>\n\nB"), Text("B", "stop", "A? no.")),
        (chat("<think>A? no", "length"), Text("", "length", "A? no", unfinished=True)),
        (message(content="B", reasoning_content="A?"), Text("B", "stop", "A?")),
        (message(content="B", reasoning="A?"), Text("B", "stop", "A?")),
        (
            message(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "A?"}]},
                             {"type": "text", "text": "B"}]),
            Text("B", "stop", "A?"),
        ),
    ],
)  # fmt: skip
def test_reasoning_is_kept_apart_from_the_answer(
    reply: Reply, result: Text, endpoint: Start, ask: Ask
) -> None:
    fake, answerer = endpoint(lambda _: reply, scores="label")
    assert ask(answerer, Generate(7, ("no", "x")), reasoning=THINK) == [result]
    assert fake.bodies[0]["max_tokens"] == 107
    assert "stop" not in fake.bodies[0]  # the server would heed it in the reasoning too
    assert ask(answerer, OPTIONS, reasoning=THINK) == [result]
    assert fake.bodies[1]["max_tokens"] == 132


def test_reasoning_that_took_all_tokens_leaves_no_answer(endpoint: Start, ask: Ask) -> None:
    content = message(content=None, reasoning_content="let me see")
    reply = Reply({"choices": [{**content.body["choices"][0], "finish_reason": "length"}]})
    _, answerer = endpoint(lambda _: reply)
    assert ask(answerer, Generate(4)) == [Text("", "length", "let me see", unfinished=True)]


def test_text_with_markers_is_left_as_it_is_unless_it_is_said(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(lambda _: chat("<think>A</think> B"))
    assert ask(answerer, Generate(4)) == [Text("<think>A</think> B")]
    tags = Reasoning("keep", (("<think>", "</think>"),))
    assert ask(answerer, Generate(4), reasoning=tags) == [Text("<think>A</think> B")]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


@given(JSON)
def test_no_log_probabilities_crash_the_reader(held: Any) -> None:
    try:
        result = read_prompt({"prompt_logprobs": held})
    except BadReplyError:
        return
    assert all(math.isfinite(value) and value <= 0 for _, value in result)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"choices": []}, "bad_answer"),
        ({}, "bad_answer"),
        ([], "bad_answer"),
        ({"choices": [{"message": {"content": None}}]}, "no_text"),
        ({"choices": [{"message": {"content": "x"}}], "t": math.nan}, "bad_answer"),
        ("<html>hello</html>", "not_json"),
        ("not json", "not_json"),
    ],
)
def test_an_answer_of_another_form_is_failed(
    body: Any, kind: str, endpoint: Start, ask: Ask
) -> None:
    _, answerer = endpoint(lambda _: Reply(body))
    (result,) = ask(answerer, Generate(3))
    assert isinstance(result, Failed)
    assert result.kind == kind


def test_what_it_does_not_answer_is_failed(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(lambda _: chat("x"))
    result = ask(answerer, Embed(("x",)), Choose(("sad", " ")))
    assert [item.kind for item in result] == ["unsupported", "empty_option"]
    assert not fake.bodies


@pytest.mark.parametrize("scores", ["label", "first_token"])
def test_texts_that_the_prompt_does_not_show_are_not_asked_for(
    scores: str, endpoint: Start, ask: Ask
) -> None:
    fake, answerer = endpoint(lambda _: chat("x"), scores=scores)
    (result,) = ask(answerer, Choose(("a man rides", "a man walks"), match=True))
    assert isinstance(result, Failed)
    assert "whole texts that the prompt does not show" in result.message
    assert not fake.bodies


@pytest.mark.parametrize("scores", ["label", "first_token", "prompt_logprobs", "generated"])
def test_a_task_whose_texts_no_answer_can_name_is_refused_in_the_plan(
    scores: str, tmp_path: Path
) -> None:
    def plan() -> None:
        options = {"model": "m", "scores": scores}
        harness.plan("openai_api", "vl_checklist", options=options, results=tmp_path, limit=2)

    if scores in {"label", "first_token"}:
        with pytest.raises(UserError, match="texts that the prompt does not show"):
            plan()
    else:
        plan()


def test_a_tasks_temperature_goes_before_the_options(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(lambda _: chat("x"), temperature=0.5)
    ask(answerer, Generate(3, (), 1.25), Generate(3))
    assert sorted(body["temperature"] for body in fake.bodies) == [0.5, 1.25]


def test_sampling_sends_the_requests_seed_and_extra_fields(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(
        lambda _: chat("x"),
        temperature=0.5,
        extra_body='{"top_p": 0.9}',
        limit_field="max_completion_tokens",
    )
    ask(answerer, Generate(3))
    (body,) = fake.bodies
    assert (body["seed"], body["top_p"], body["temperature"]) == (0, 0.9, 0.5)
    assert body["max_completion_tokens"] == 3


# --- options of writing where options are scored --------------------------------------------------

SAMPLED = {"temperature": 0.7, "extra_body": '{"top_p": 0.5, "seed_pool": 3}'}


def test_scores_of_options_do_not_depend_on_how_answers_are_sampled(
    endpoint: Start, ask: Ask
) -> None:
    fake, answerer = endpoint(by_words, **SAMPLED)
    (sampled,) = ask(answerer, OPTIONS)
    _, plain = endpoint(by_words)
    assert [sampled] == ask(plain, OPTIONS)
    assert {body["temperature"] for body in fake.bodies} == {0.0}
    assert all("top_p" not in body and body["seed_pool"] == 3 for body in fake.bodies)


def test_where_the_answer_is_written_in_words_it_is_sampled(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(lambda _: chat("sad"), scores="label", **SAMPLED)
    ask(answerer, OPTIONS)
    (body,) = fake.bodies
    assert (body["temperature"], body["top_p"], body["seed_pool"]) == (0.7, 0.5, 3)


def test_options_that_change_no_answer_are_told_by_kind_of_task(model: Callable[..., Any]) -> None:
    def unused(want: Any, **options: Any) -> list[str]:
        return [text.partition(" ")[0] for text in model(**options).unused(want)]

    assert unused(OPTIONS) == unused(Generate(5)) == []
    assert unused(OPTIONS, **SAMPLED) == ["temperature", "extra_body"]
    assert unused(OPTIONS, scores="label", **SAMPLED) == unused(Generate(5), **SAMPLED) == []
    assert unused(Generate(5, (), 0.2), **SAMPLED) == ["temperature"]
    assert unused(Generate(5), scores="label") == ["scores"]
    assert unused(OPTIONS, template="x") == unused(Generate(5), template="x") == ["template"]
    assert unused(OPTIONS, template="x", scores="generated") == []


def test_a_field_that_a_route_would_drop_is_refused() -> None:
    Bodies("tiny", extra={"chat_template_kwargs": {"x": 1}, "top_p": 0.5}).refuse_fields()
    with pytest.raises(UserError, match="SGLang's /generate would not get 'cache_salt'"):
        Bodies("tiny", extra={"cache_salt": "x"}).refuse_fields()


def test_a_model_that_answers_under_another_name_is_told(endpoint: Start, ask: Ask) -> None:
    def named(name: Any) -> Callable[[Body], Reply]:
        return lambda _: Reply({**chat("x").body, "model": name})

    for same in ("tiny", None, 7, ""):
        _, answerer = endpoint(named(same))
        ask(answerer, Generate(3))
        assert answerer.notes() == []
    _, answerer = endpoint(named("tiny-2024-08-06"))
    ask(answerer, Generate(3), Generate(3))
    message = "asked for 'tiny', the endpoint says that 'tiny-2024-08-06' answered"
    assert answerer.notes() == [message]
