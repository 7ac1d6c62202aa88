"""Endpoints that are down, slow, busy, broken or no endpoints; budgets; the key."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from harness_openai_api.client import retry_after

from harness.errors import HarnessError, UserError
from harness.models import Runtime
from harness.requests import Failed, Generate, Text
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
    ],
)
def test_what_does_not_pass_is_failed(
    fault: Reply, kind: str, tries: int, endpoint: Start, ask: Ask
) -> None:
    fake, answerer = endpoint(lambda _: fault, retries=2, timeout=0.2)
    (found,) = ask(answerer, Generate(3))
    assert isinstance(found, Failed)
    assert found.kind == kind
    assert len(fake.bodies) == tries


def test_the_servers_own_reason_is_told(endpoint: Start, ask: Ask) -> None:
    _, answerer = endpoint(lambda _: Reply({"error": {"message": "prompt is too long"}}, 400))
    (found,) = ask(answerer, Generate(3))
    assert "400: prompt is too long" in found.message


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
    (found,) = ask(answerer, Generate(3))
    assert found.kind == "server_error"
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
    found = ask(answerer, *[Generate(n + 1) for n in range(9)])
    assert [one.text for one in found] == [str(n + 1) for n in range(9)]


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
    with pytest.raises(HarnessError, match="answered nothing of a block"):
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
    (found,) = ask(answerer, Generate(1))
    assert "bad key ***" in found.message
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": None}, "needs the model's name"),
        ({"base_url": "localhost:8000"}, "not an address"),
        ({"base_url": "ftp://x/v1"}, "not an address"),
        ({"base_url": "http://x:port/v1"}, "not an address"),
        ({"base_url": "http://me:word@x/v1"}, "no user, password or query"),
        ({"base_url": "http://x/v1?key=word"}, "no user, password or query"),
        ({"concurrency": 0}, "0 is less than 1"),
        ({"timeout": 0.0}, "less than"),
        ({"retries": -1}, "-1 is less than 0"),
        ({"temperature": float("nan")}, "nan is less than 0"),
        ({"extra_body": "{"}, "not JSON"),
        ({"extra_body": "[]"}, "not a JSON object"),
        ({"extra_body": '{"model": "x"}'}, "'model' is set by the harness"),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], message: str, model: Any) -> None:
    given = {"url": options.pop("base_url")} if "base_url" in options else {}
    with pytest.raises(UserError, match=message) as caught:
        model(**given, **options)
    assert "word" not in str(caught.value).replace("password", "")


def test_a_key_that_was_named_must_be_there(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'MY_KEY' holds no key"):
        model(key_env="MY_KEY").load(Runtime())
    monkeypatch.setenv("MY_KEY", "two\nlines")
    with pytest.raises(UserError, match="characters that no key has") as caught:
        model(key_env="MY_KEY").load(Runtime())
    assert "lines" not in str(caught.value)
