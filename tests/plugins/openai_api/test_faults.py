"""Endpoints that are down, slow, busy, broken or no endpoints; budgets; the key."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from harness_openai_api.client import retry_after

from harness.errors import HarnessError, UserError
from harness.models import Runtime
from harness.plugins import plugins
from harness.requests import Choose, Failed, Generate, Text
from tests.plugins.openai_api.conftest import KEY
from tests.plugins.openai_api.server import Body, FakeEndpoint, Reply, chat

Start = Callable[..., tuple[Any, Any]]
Ask = Callable[..., list[Any]]


class Then:
    """Answers with one reply after another; the last one stays."""

    def __init__(self, *replies: Reply) -> None:
        self.left = list(replies)

    def __call__(self, _: Body) -> Reply:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


@pytest.mark.parametrize(
    "fault",
    [
        Reply("busy", 503),
        Reply("<html>", 502),
        Reply({"error": {"message": "slow down"}}, 429),
        Reply("{}", cut=True),
    ],
)
def test_what_may_pass_is_tried_again(fault: Reply, endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(Then(fault, fault, chat("here")), retries=2)
    assert ask(answerer, Generate(3)) == [Text("here")]
    assert len(fake.bodies) == 3


@pytest.mark.parametrize(
    ("fault", "kind", "tries"),
    [
        (Reply("busy", 500), "server_error", 3),
        (Reply("{", cut=True), "endpoint_cut", 3),
        (Reply({}, slow=0.5), "timeout", 3),
        (Reply({"error": {"message": "context too long"}}, 400), "refused", 1),
        (Reply("", 302, {"Location": "http://elsewhere.test/"}), "refused", 1),
        (Reply("<!doctype html>"), "not_json", 1),
        (Reply({"error": {"message": "no credit"}}), "refused", 1),
        (Reply({"error": "no credit", "choices": []}), "refused", 1),
        (Reply({"error": {"message": "slow down", "code": "500"}}), "server_error", 3),
        (Reply({"object": "error", "message": "overloaded", "code": 503}), "server_error", 3),
        (Reply({"choices": [{"error": {"message": "upstream", "code": 502}}]}), "server_error", 3),
    ],
)
def test_what_does_not_pass_is_failed(
    fault: Reply, kind: str, tries: int, endpoint: Start, ask: Ask
) -> None:
    fake, answerer = endpoint(lambda _: fault, retries=2, timeout=0.2)
    (result,) = ask(answerer, Generate(3))
    assert isinstance(result, Failed)
    assert result.kind == kind
    assert len(fake.bodies) == tries


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no credit left"}},
        {"error": "no credit left", "choices": None},
        {"object": "error", "message": "no credit left"},
        {"choices": [{"error": {"message": "no credit left"}, "message": None}]},
    ],
)
def test_the_reason_of_an_error_with_status_200_is_told(
    body: dict[str, Any], endpoint: Start, ask: Ask
) -> None:
    _, answerer = endpoint(lambda _: Reply(body), retries=0)
    (result,) = ask(answerer, Generate(3))
    assert isinstance(result, Failed)
    assert result.message == "the endpoint answers 200: no credit left"


def test_a_mark_of_byte_order_before_an_answer_is_no_part_of_it(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(lambda _: Reply("\ufeff" + json.dumps(chat("yes").body)))
    (result,) = ask(answerer, Generate(3))
    assert isinstance(result, Text), result
    assert result.text == "yes"


def test_the_servers_own_reason_is_told(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(lambda _: Reply({"error": {"message": "prompt is too long"}}, 400))
    (result,) = ask(answerer, Generate(3))
    assert "400: prompt is too long" in result.message


def test_retry_after_is_heeded(endpoint: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float, *_: Any) -> None:
        slept.append(seconds)
        await real(0)

    busy = Reply("busy", 429, {"Retry-After": "7"})
    fake, answerer = endpoint(Then(busy, chat("here")))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert ask(answerer, Generate(3)) == [Text("here")]
    assert max(slept) >= 7
    assert len(fake.bodies) == 2


def test_a_server_that_wants_hours_is_not_waited_for(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(Then(Reply("quota", 503, {"Retry-After": "86400"})))
    (result,) = ask(answerer, Generate(3))
    assert result.kind == "server_error"
    assert len(fake.bodies) == 1


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("3") == 3
    assert retry_after("-3") == 0
    assert retry_after(None) is None
    assert retry_after("soon") is None
    later = retry_after(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    assert later is not None
    assert 3500 < later <= 3600


def test_no_more_than_asked_for_are_under_way_at_once(endpoint: Start, ask: Ask) -> None:
    lock, state = threading.Lock(), {"now": 0, "most": 0}

    def reply(_: Body) -> Reply:
        with lock:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
        threading.Event().wait(0.02)
        with lock:
            state["now"] -= 1
        return chat("x")

    _, answerer = endpoint(reply, concurrency=3)
    assert len(ask(answerer, *[Generate(n + 1) for n in range(12)])) == 12
    assert 1 < state["most"] <= 3


def test_answers_come_in_the_order_of_requests(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(lambda body: chat(str(body["max_tokens"])))
    result = ask(answerer, *[Generate(n + 1) for n in range(9)])
    assert [item.text for item in result] == [str(n + 1) for n in range(9)]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (Reply("<html>welcome</html>"), "answers with a web page"),
        (Reply("[1]"), "no JSON object"),
        (Reply("{", cut=True), "broke off"),
        (Reply({"error": "no"}, 401), "401: no"),
    ],
)
def test_what_is_no_endpoint_is_told_before_anything_is_asked(
    models: Reply, message: str, model: Any
) -> None:
    fake = FakeEndpoint(lambda _: chat("x"))
    fake.models = models
    try:
        with pytest.raises(UserError, match=message):
            model(fake.url).load(Runtime())
    finally:
        fake.close()


def test_a_server_without_a_list_of_models_will_do(model: Any, ask: Ask) -> None:
    fake = FakeEndpoint(lambda _: chat("x"))
    fake.models = Reply("", 404)
    answerer = model(fake.url).load(Runtime())
    try:
        assert ask(answerer, Generate(1)) == [Text("x")]
    finally:
        answerer.close()
        fake.close()


def test_an_endpoint_that_is_down_is_told(model: Any) -> None:
    with pytest.raises(UserError, match="cannot be reached") as caught:
        model().load(Runtime())
    assert "start the server" in str(caught.value)


def test_an_endpoint_that_goes_down_ends_the_task(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(lambda _: chat("x"))
    assert ask(answerer, Generate(1)) == [Text("x")]
    fake.close()
    with pytest.raises(HarnessError, match="answered no request of a block"):
        ask(answerer, Generate(1), Generate(2))


def test_a_budget_of_requests_ends_the_task_before_a_block(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(lambda _: chat("x"), budget_requests=3)
    ask(answerer, Generate(1), Generate(2))
    with pytest.raises(HarnessError, match="budget is 3 requests; 2 are sent, the next block n"):
        ask(answerer, Generate(3), Generate(4))
    assert len(fake.bodies) == 2


def test_a_budget_of_tokens_ends_the_task_before_a_block(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(lambda _: chat("x"), budget_tokens=15)
    ask(answerer, Generate(1))
    ask(answerer, Generate(2))
    with pytest.raises(HarnessError, match="budget is 15 tokens; 20 are used"):
        ask(answerer, Generate(3))


# --- the key and the identity ---------------------------------------------------------------------


def test_the_key_is_in_no_identity_error_or_log(
    endpoint: Start, ask: Ask, model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Reply({"error": {"message": f"bad key {KEY}"}}, 400)
    _, answerer = endpoint(lambda _: echo)
    (result,) = ask(answerer, Generate(1))
    assert "bad key ***" in result.message
    assert KEY not in json.dumps(model().identity(Runtime()))
    assert KEY not in caplog.text
    fake, answerer = endpoint(lambda _: Reply({"error": f"no {KEY}"}, 403))
    with pytest.raises(UserError) as caught:
        ask(answerer, Generate(1))
    assert KEY not in str(caught.value)
    assert fake.keys[-1] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent(
    endpoint: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    fake, answerer = endpoint(lambda _: chat("x"))
    ask(answerer, Generate(1))
    assert set(fake.keys) == {None}


def test_the_identity_names_model_host_and_options_that_change_numbers(model: Any) -> None:
    def told(url: str = "http://one.test:8000/v1", **options: Any) -> str:
        return json.dumps(model(url, **options).identity(Runtime()), sort_keys=True)

    assert '"endpoint": "one.test:8000/v1"' in told()
    different = [
        told(),
        told(model="other"),
        told("http://two.test:8000/v1"),
        told(scores="label"),
        told(image_format="jpeg"),
        told(temperature=0.5),
        told(extra_body='{"top_p": 1}'),
    ]
    assert len(set(different)) == len(different)
    for same in ({"concurrency": 1}, {"timeout": 3.0}, {"retries": 0}, {"budget_tokens": 9}):
        assert told(**same) == told()
    assert told("http://one.test:8000/v1/") == told()


def test_the_identity_has_the_reader_of_options_in_words_where_answers_are_words(
    model: Any,
) -> None:
    version = plugins().extractors()["label"].version
    url = "http://one.test:8000/v1"
    assert model(url, scores="label").identity(Runtime())["label reader"] == version
    assert "label reader" not in model(url).identity(Runtime())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": None}, "needs the name under which"),
        ({"base_url": "localhost:8000"}, "not an address"),
        ({"base_url": "ftp://x/v1"}, "not an address"),
        ({"base_url": "http://x:port/v1"}, "not an address"),
        ({"base_url": "http://me:word@x/v1"}, "not contain a user, password or query"),
        ({"base_url": "http://x/v1?key=word"}, "not contain a user, password or query"),
        ({"concurrency": 0}, "0 is less than 1"),
        ({"timeout": 0.0}, "less than"),
        ({"retries": -1}, "-1 is less than 0"),
        ({"temperature": float("nan")}, "nan is not a finite number"),
        ({"extra_body": "{"}, "not JSON"),
        ({"extra_body": "[]"}, "not a JSON object"),
        ({"extra_body": '{"model": "x"}'}, "'model' is set by the harness"),
        ({"extra_body": '{"prompt_logprobs": 5}'}, "'prompt_logprobs' is set by the harness"),
        ({"extra_body": '{"top_logprobs": 1}'}, "'top_logprobs' is set by the harness"),
        ({"extra_body": '{"temperature": 1}'}, "'temperature' is set by the harness"),
        ({"extra_body": '{"max_tokens": 1}'}, "'max_tokens' is set by the harness"),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], message: str, model: Any) -> None:
    arguments = {"url": options.pop("base_url")} if "base_url" in options else {}
    with pytest.raises(UserError, match=message) as caught:
        model(**arguments, **options)
    assert "word" not in str(caught.value).replace("password", "")


def test_a_key_that_was_named_must_be_there(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'MY_KEY' holds no key"):
        model(key_env="MY_KEY").load(Runtime())
    monkeypatch.setenv("MY_KEY", "two\nlines")
    with pytest.raises(UserError, match="characters that no key has") as caught:
        model(key_env="MY_KEY").load(Runtime())
    assert "lines" not in str(caught.value)


# --- waits, endpoints that are gone, refusals, keys in texts --------------------------------------


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("9" * 400, math.inf, math.inf),
        ("9" * 5000, math.inf, math.inf),
        ("-" + "9" * 400, 0, 0),
        ("1.5", 1.5, 1.5),
        ("0", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1e9, math.inf),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 1e9, math.inf),
    ],
)
def test_any_number_or_date_to_wait_until_is_seconds(header: str, low: float, high: float) -> None:
    result = retry_after(header)
    assert result is None or low <= result <= high
    assert result is not None or "9999" in header  # past what a date can be


@pytest.mark.parametrize(
    "header",
    ["", " ", "soon", "nan", "1e5", "inf", "0x10", "٣", "Fri, 99 Abc 2015", "1;2", "\x1b[0m"],
)
def test_what_is_no_time_to_wait_is_none(header: str) -> None:
    assert retry_after(header) is None


def test_a_wait_of_400_digits_is_no_traceback(endpoint: Start, ask: Ask) -> None:
    fake, answerer = endpoint(Then(Reply("quota", 503, {"Retry-After": "9" * 400})))
    (result,) = ask(answerer, Generate(3))
    assert result.kind == "server_error"
    assert len(fake.bodies) == 1


def test_a_long_wait_is_told_once(
    endpoint: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda *_: real(0))
    busy = Reply({"error": f"later, {KEY}"}, 503, {"Retry-After": "100"})
    _, answerer = endpoint(Then(*[busy] * 4, chat("here")), retries=9)
    assert ask(answerer, *[Generate(3)] * 4) == [Text("here")] * 4
    printed = capfd.readouterr().err.splitlines()
    assert len(printed) == 1
    assert re.fullmatch(
        r"openai_api: waits until \d\d:\d\d:\d\d \(the endpoint answers 503: later, \*\*\*\)",
        printed[0],
    )


def test_a_short_wait_is_not_told(
    endpoint: Start, ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    _, answerer = endpoint(Then(Reply("busy", 503, {"Retry-After": "0"}), chat("here")))
    ask(answerer, Generate(3))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "fault", [Reply("busy", 500), Reply({"error": "no such model"}, 404), Reply("<html>", 200)]
)
def test_an_endpoint_that_only_errors_is_gone_after_two_blocks(
    fault: Reply, endpoint: Start, ask: Ask
) -> None:
    _, answerer = endpoint(lambda _: fault, retries=0)
    assert all(isinstance(item, Failed) for item in ask(answerer, *[Generate(1)] * 3))
    with pytest.raises(HarnessError, match="only errors for 2 blocks, 5 requests") as caught:
        ask(answerer, *[Generate(1)] * 2)
    assert caught.value.exit_code == 1
    assert "the same command continues" in caught.value.fix


def test_an_answer_between_errors_says_that_it_is_there(endpoint: Start, ask: Ask) -> None:
    busy = Reply("busy", 500)
    _, answerer = endpoint(Then(busy, busy, chat("x"), busy, busy, chat("x")), retries=0)
    for _ in range(3):
        assert len(ask(answerer, Generate(1), Generate(2))) == 2


def test_what_a_filter_took_is_a_refusal_and_ends_no_run(endpoint: Start, ask: Ask) -> None:
    choice = {"finish_reason": "content_filter", "message": {"content": "She seems "}}
    cut = Reply({"choices": [choice]})
    inner = {"code": "ResponsibleAIPolicyViolation"}
    error = {"message": "the prompt triggered a policy", "code": "content_filter", "status": 400,
             "innererror": inner}  # fmt: skip
    flagged = {"code": 403, "message": "flagged", "metadata": {"flagged_input": "a"}}
    for scores in ("label", "first_token"):
        for reply, text in (
            (cut, "She seems"),
            (Reply({"error": error}, 400), "the endpoint answers 400: the prompt triggered"),
            (Reply({"error": flagged}, 200), "the endpoint answers 403: flagged"),
        ):
            fake, answerer = endpoint(lambda _: chat("x"), scores=scores)
            ask(answerer, Generate(1))  # the key works
            fake.reply = lambda _, reply=reply: reply
            for _ in range(3):  # blocks of nothing else are no endpoint that is gone
                for answer in ask(answerer, Generate(1), Choose(("a", "b"))):
                    assert answer.refused
                    assert answer.text.startswith(text)
    _, answerer = endpoint(Then(Reply({"error": error}, 400)), scores="prompt_logprobs")
    assert ask(answerer, Choose(("a", "b")))[0].refused


def test_a_refusal_of_the_endpoint_is_a_refusal(endpoint: Start, ask: Ask) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I would rather not say. "}
    reply = Reply({"choices": [{"message": message, "finish_reason": "stop"}]})
    _, answerer = endpoint(lambda _: reply, scores="label")
    refused = Text("I would rather not say.", refused=True)
    assert ask(answerer, Generate(3), Choose(("a", "b"))) == [refused, refused]
    parts = [{"type": "refusal", "refusal": "I would rather not say."}]
    reply = Reply({"choices": [{"message": {"content": parts}}]})
    assert ask(answerer, Generate(3)) == [refused]


def test_a_403_is_of_the_sample_once_the_key_has_worked(endpoint: Start, ask: Ask) -> None:
    moderated = Reply({"error": {"message": "flagged by moderation"}}, 403)
    fake, answerer = endpoint(lambda _: chat("x"))
    ask(answerer, Generate(1))
    fake.reply = Then(moderated)
    (refused,) = ask(answerer, Generate(1))
    assert refused.kind == "refused"
    assert "flagged by moderation" in refused.message
    fake.reply = Then(Reply({"error": "no"}, 401))
    with pytest.raises(UserError, match="valid key"):
        ask(answerer, Generate(1))


def test_a_number_too_large_for_a_float_is_no_log_probability(endpoint: Start, ask: Ask) -> None:
    top = [{"token": "a", "logprob": -(10**400)}, {"token": "b", "logprob": -1}]
    choice = {"message": {"content": "a"}, "logprobs": {"content": [{"top_logprobs": top}]}}
    _, answerer = endpoint(lambda _: Reply({"choices": [choice]}), scores="first_token")
    (failed,) = ask(answerer, Choose(("a", "b")))
    assert failed.kind == "bad_answer"
    assert len(failed.message) < 100


def test_a_key_that_is_spelt_with_escapes_is_hidden_in_reasoning_too(
    endpoint: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    body = json.dumps({"content": LONG_KEY, "reasoning_content": LONG_KEY})
    body = body.replace("sk-", "\\u0073k-")
    _, answerer = endpoint(lambda _: Reply(f'{{"choices": [{{"message": {body}}}]}}'))
    assert LONG_KEY not in str(ask(answerer, Generate(9)))


LONG_KEY = "sk-proj-" + "Ab3dEf6hIj9lMn2pQr5tUv8xYz1" + "0ZyXwVuT"  # 43 characters


@pytest.mark.parametrize("before", range(0, 1300, 13))
def test_no_part_of_a_key_is_written_wherever_a_text_is_cut(
    before: int, endpoint: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    text = "x" * before + LONG_KEY
    faults = [
        Reply({"error": {"message": text}}, 400),
        Reply(text),
        chat(text),
        chat(text, "length"),
    ]
    fake, answerer = endpoint(Then(*faults), scores="label")
    result = ask(answerer, *[Choose(("a", "b"))] * 4)
    fake.reply = Then(chat(text))
    written = json.dumps([str(item) for item in (*result, *ask(answerer, Generate(9)))])
    assert not [at for at in range(36) if LONG_KEY[at : at + 8] in written]


@pytest.mark.parametrize("part", [LONG_KEY[:20], LONG_KEY[5:30], LONG_KEY[-9:], LONG_KEY])
def test_a_part_of_a_key_in_an_error_is_hidden(
    part: str, endpoint: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    _, answerer = endpoint(lambda _: Reply({"error": f"wrong: {part}!"}, 400))
    (result,) = ask(answerer, Generate(1))
    assert result.message == "the endpoint answers 400: wrong: ***!"


@pytest.mark.parametrize("part", [LONG_KEY[:20], LONG_KEY[5:30], LONG_KEY[-16:], LONG_KEY])
def test_a_part_of_a_key_in_an_answer_is_hidden_where_it_can_be_no_word(
    part: str, endpoint: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    _, answerer = endpoint(lambda _: chat(f"It is {part}! sk-proj-"))
    assert ask(answerer, Generate(9)) == [Text("It is ***! sk-proj-")]


def test_users_of_addresses_are_hidden(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(lambda _: Reply({"error": "via http://me:word@proxy.test/x"}, 400))
    (result,) = ask(answerer, Generate(1))
    assert result.message.endswith("via http://***@proxy.test/x")


def test_a_word_in_the_place_of_a_key_changes_no_answer(
    endpoint: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    _, answerer = endpoint(lambda _: chat("The street is EMPTY"))
    assert ask(answerer, Generate(9)) == [Text("The street is EMPTY")]


@pytest.mark.parametrize("name", ["model", "extra_body"])
def test_a_key_in_an_option_is_refused(
    name: str, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    with pytest.raises(UserError, match="contains the API key") as caught:
        model(**{name: json.dumps({"key": LONG_KEY})})
    assert LONG_KEY not in str(caught.value)
