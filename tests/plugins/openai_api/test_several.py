"""Several endpoints as one model: who is asked, who is down, and how many at once."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness_openai_api.factory import Endpoint
from harness_openai_api.pool import Counts, Pace

import harness
from harness.cli.main import invoke, main
from harness.errors import HarnessError, UserError
from harness.models import Runtime
from harness.requests import Choose, Generate, Scores, Text
from harness.runs.seal import check_seal
from tests.plugins.openai_api.server import Body, FakeEndpoint, Reply, chat

Start = Callable[..., tuple[Any, Any]]
Ask = Callable[..., list[Any]]
NOBODY = "http://127.0.0.1:9/v1"


def asked(body: Body) -> str:
    """Return the limit of an answer, which tells requests apart."""
    return str(body["max_tokens"])


def answers(ask: Ask, answerer: Any, number: int = 12) -> list[str]:
    results = ask(answerer, *(Generate(at + 1) for at in range(number)))
    assert all(isinstance(result, Text) for result in results), results
    return [result.text for result in results]


def test_requests_go_to_the_one_with_the_fewest_under_way(
    endpoint: Start, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = FakeEndpoint(lambda body: chat(asked(body)))
    slow.reply = lambda body: Reply(chat(asked(body)).body, slow=0.2)
    try:
        quick, answerer = endpoint(lambda body: chat(asked(body)), also=[slow.url], concurrency=2)
        assert answers(ask, answerer) == [str(at + 1) for at in range(12)]
        assert 1 <= len(slow.bodies) <= 4 < len(quick.bodies)
        answerer.close()
        assert f"{quick.url} {len(quick.bodies)} (0 failed)" in capsys.readouterr().err
    finally:
        slow.close()


def test_one_that_is_down_gives_its_work_to_the_others(
    endpoint: Start, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    fake, answerer = endpoint(
        lambda body: chat(asked(body)), also=[NOBODY], retries=0, concurrency=3
    )
    assert answers(ask, answerer) == [str(at + 1) for at in range(12)]
    assert len(fake.bodies) == 12
    assert capsys.readouterr().err.count(f"{NOBODY} is down") == 1


def test_one_that_dies_at_work_costs_no_try(endpoint: Start, ask: Ask) -> None:
    dying = FakeEndpoint(lambda body: chat(asked(body)))
    fake, answerer = endpoint(
        lambda body: chat(asked(body)), also=[dying.url], retries=0, concurrency=2
    )
    assert len(answers(ask, answerer, 4)) == 4
    dying.close()
    assert answers(ask, answerer) == [str(at + 1) for at in range(12)]
    assert len(fake.bodies) >= 12


FAULTS = {
    "full": Reply({"error": "full"}, status=503),
    "busy": Reply({"error": "slow down"}, status=429, headers={"Retry-After": "500"}),
    "over its quota": Reply({"error": "tomorrow"}, status=429, headers={"Retry-After": "90000"}),
    "a web page": Reply("<html>Sign in</html>"),
    "no JSON": Reply("oops"),
    "cut off": Reply({"choices": []}, cut=True),
    "another model": Reply({"error": {"message": "no such model"}}, status=404),
    "a number that is none": Reply('{"choices": NaN}'),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_one_does_wrong_another_answers_without_a_try(
    endpoint: Start, ask: Ask, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = FakeEndpoint(lambda _: FAULTS[fault])
    try:
        good, answerer = endpoint(
            lambda body: Reply(chat(asked(body)).body, slow=0.02),
            also=[broken.url],
            retries=0,
            concurrency=2,
        )
        started = time.monotonic()
        assert answers(ask, answerer, 30) == [str(at + 1) for at in range(30)]
        assert time.monotonic() - started < 100  # it does not wait as long as one asks it to
        assert len(good.bodies) == 30
        answerer.close()
        assert f"{broken.url} 0 ({len(broken.bodies)} failed)" in capsys.readouterr().err
    finally:
        broken.close()


def test_one_that_fails_again_and_again_is_told_and_rests(
    endpoint: Start, ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr("harness_openai_api.pool._FIRST_REST", 1e-4)
    broken = FakeEndpoint(lambda _: FAULTS["full"])
    try:
        _, answerer = endpoint(lambda body: chat(asked(body)), also=[broken.url], concurrency=1)
        answers(ask, answerer, 60)
        monkeypatch.setattr("harness_openai_api.pool._FIRST_REST", 100)
        answers(ask, answerer, 20)
        before = len(broken.bodies)
        answers(ask, answerer, 20)
        assert len(broken.bodies) == before
        assert capsys.readouterr().err.count("failed 3 times in a row") == 1
    finally:
        broken.close()


@pytest.mark.parametrize("scores", ["prompt_logprobs", "first_token"])
def test_one_without_log_probabilities_costs_no_sample(
    endpoint: Start, ask: Ask, scores: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each request that it cannot answer is asked of the other one, also while that one rests."""

    def scored(body: Body) -> Reply:
        tokens: list[Any] = [None, {"5": {"logprob": -0.1}}]
        if len(body["messages"]) > 1:
            tokens.append({"7": {"logprob": -float(len(body["messages"][-1]["content"]))}})
        likeliest = [{"token": "y", "logprob": -0.5}, {"token": "n", "logprob": -2.0}]
        first = {"token": "y", "logprob": -0.5, "top_logprobs": likeliest}
        reply = chat("y", logprobs={"content": [first]})
        reply.body["prompt_logprobs"] = tokens
        return reply

    without = FakeEndpoint(lambda _: chat("yes"))
    hiccups = iter([True])

    def mostly(body: Body) -> Reply:
        return FAULTS["full"] if next(hiccups, False) else scored(body)

    try:
        fake, answerer = endpoint(
            mostly, also=[without.url], scores=scores, retries=1, concurrency=2
        )
        results = ask(answerer, *[Choose(("yes", "no"))] * 20)
        assert all(isinstance(result, Scores) for result in results), results
        assert without.bodies
        assert len(fake.bodies) >= 20
        assert capsys.readouterr().err.count(f"{without.url} failed 3 times in a row") <= 1
        first, alone = endpoint(lambda _: chat("yes"), scores=scores, retries=0)
        (failed,) = ask(alone, Choose(("yes", "no")))
        assert (failed.kind, len(first.bodies)) == ("no_logprobs", 1)
    finally:
        without.close()


def test_a_text_that_one_does_not_give_another_gives(endpoint: Start, ask: Ask) -> None:
    empty = FakeEndpoint(lambda _: Reply({"choices": [{"message": {"content": None}}]}))
    try:
        _, answerer = endpoint(
            lambda body: chat(asked(body)), also=[empty.url], retries=0, concurrency=2
        )
        assert answers(ask, answerer, 20) == [str(at + 1) for at in range(20)]
        assert empty.bodies
    finally:
        empty.close()


def test_an_error_of_all_is_that_of_the_first_one(endpoint: Start, ask: Ask) -> None:
    second = FakeEndpoint(lambda _: Reply({"error": {"message": "too long there"}}, status=400))
    try:
        fake, answerer = endpoint(
            lambda _: Reply({"error": {"message": "too long"}}, status=400), also=[second.url]
        )
        results = ask(answerer, *[Generate(1)] * 9, Generate(2))
        assert {(result.kind, result.message) for result in results} == {
            ("refused", "the endpoint answers 400: too long")
        }
        assert len(fake.bodies) == len(second.bodies) == 10
    finally:
        second.close()


@pytest.mark.parametrize("status", [400, 404, 503])
def test_all_that_refuse_end_the_task(endpoint: Start, ask: Ask, status: int) -> None:
    second = FakeEndpoint(lambda _: Reply({"error": "no"}, status=status))
    try:
        _, answerer = endpoint(second.reply, also=[second.url], retries=0)
        ask(answerer, Generate(1))
        with pytest.raises(HarnessError, match="only errors for 2 blocks"):
            ask(answerer, Generate(1))
    finally:
        second.close()


def test_one_that_lists_other_models_is_refused() -> None:
    first, second = FakeEndpoint(lambda _: chat("")), FakeEndpoint(lambda _: chat(""))
    try:
        options = {"model": "m", "base_url": f"{first.url},{second.url}"}
        second.models = Reply({"data": [{"id": "x"}]})
        Endpoint(options).load(Runtime()).close()  # a list that none else has says nothing
        first.models = Reply({"data": [{"id": "m"}, {"id": "x"}]})
        with pytest.raises(UserError, match="does not list 'm'") as refused:
            Endpoint(options).load(Runtime())
        assert refused.value.where == second.url
        second.models = Reply({"data": 3})
        Endpoint(options).load(Runtime()).close()
    finally:
        first.close()
        second.close()


def test_all_that_are_down_are_one_message(model: Any) -> None:
    with pytest.raises(UserError, match="the endpoint cannot be reached"):
        model(f"{NOBODY},http://127.0.0.1:10/v1").load(Runtime())


def test_the_identity_names_all_in_any_order(model: Any) -> None:
    def identity(urls: str) -> Any:
        return model(urls).identity(Runtime())

    assert identity("http://a/v1,http://b:80/v1") == identity("http://b:80/v1/, http://a/v1")
    assert identity("http://a/v1")["endpoint"] == "a/v1"


@pytest.mark.parametrize(
    ("url", "another", "recorded"),
    [
        ("http://a/v1", "http://A:80/v1/", "a/v1"),
        ("https://a/v1", "https://a:443/v1", "a/v1"),
        ("http://127.0.0.1:8000/v1", "http://localhost:8000/v1", "localhost:8000/v1"),
        ("https://a:80/v1", "https://a:80/v1/", "a:80/v1"),
    ],
)
def test_a_record_names_a_server_the_same_however_it_is_spelt(
    model: Any, url: str, another: str, recorded: str
) -> None:
    """A run with another spelling continues; it does not begin anew."""
    endpoints = [model(item).identity(Runtime())["endpoint"] for item in (url, another)]
    assert endpoints == [recorded] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://a/v1,"}, "not an address"),
        ({"url": "http://a/v1,http://a/v1"}, "http://a/v1 occurs twice"),
        ({"url": "http://a/v1,http://a/v1/"}, "http://a/v1/ are the same server"),
        ({"url": "http://a/v1,http://A:80/v1"}, "are the same server"),
        ({"url": "http://localhost:8000/v1,http://127.0.0.1:8000/v1"}, "are the same server"),
        ({"url": "http://[::1]:8000/v1,http://localhost:8000/v1"}, "are the same server"),
        ({"url": "http://a/v1,localhost:8000/v1"}, "not an address"),
        ({"max_concurrency": 4}, "4 is less than concurrency 8"),
    ],
)
def test_wrong_words_are_one_message(model: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        model(**options)


def served(pace: Pace, slots: int, answers: int, seed: int = 0) -> float:
    """Ask a pretended server that answers ``slots`` at once; return the mean number under way."""
    chance, limits = random.Random(seed), []
    for _ in range(answers):
        pace.done(max(1.0, pace.limit / slots) * chance.uniform(0.95, 1.05), failed=False)
        limits.append(pace.limit)
    return sum(limits[-200:]) / 200


@pytest.mark.parametrize("slots", [3, 16, 40])
def test_the_number_grows_until_no_more_are_answered(slots: int) -> None:
    pace = Pace(2, 64)
    assert slots * 0.6 <= served(pace, slots, 2000) <= max(slots * 1.6, slots + 2)


def test_the_number_is_bounded_and_falls_with_errors_and_latency() -> None:
    pace = Pace(4, 16)
    assert served(pace, 1000, 2000) == 16
    pace.done(0.1, failed=True)
    assert pace.limit == 8
    pace.done(0.1, failed=True)  # asked before it fell
    assert pace.limit == 8
    settled = Pace(2, 64)
    served(settled, 16, 2000)
    before = settled.limit
    for _ in range(4 * before):
        settled.done(5.0, failed=False)
    assert settled.limit < before


def test_a_number_that_is_fixed_stays() -> None:
    pace = Pace(8, 8)
    pace.done(1.0, failed=True)
    assert pace.limit == 8


def test_what_grows_answers_the_same(
    endpoint: Start, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def reply(body: Body) -> Reply:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        with lock:
            under_way -= 1
        return chat(asked(body))

    _, answerer = endpoint(reply, concurrency=1, max_concurrency=6)
    assert answers(ask, answerer, 60) == [str(at + 1) for at in range(60)]
    assert 1 < most <= 6
    answerer.close()
    assert re.search(r"60 \(0 failed; \d at once, [2-6] at most\)", capsys.readouterr().err)


def test_a_record_s_clocks_say_what_each_endpoint_did(
    endpoint: Start, ask: Ask, tmp_path: Path
) -> None:
    fake, answerer = endpoint(lambda _: chat("happiness"))
    answers_before = ask(answerer, Generate(1), Generate(1))
    assert len(answers_before) == 2  # of no run, so no record counts them
    options: dict[str, Any] = {
        "model": "tiny", "scores": "label", "base_url": f"{fake.url},{NOBODY}", "retries": 0,
        "concurrency": 2, "max_concurrency": 6,
    }  # fmt: skip
    run = harness.run("openai_api", "raf_db", options=options, results=tmp_path, limit=5)
    (record,) = run.records
    timings = json.loads((record.directory / "timings.json").read_text("utf-8"))
    assert timings["samples_answered"] == 5
    alive, dead = timings["endpoints"][fake.url], timings["endpoints"][NOBODY]
    assert (alive["answered"], alive["failed"], alive["times_down"]) == (5, 0, 0)
    assert (dead["answered"], dead["times_down"]) == (0, 1)
    assert 2 <= alive["at_once"] <= alive["most_at_once"] <= 6
    sealed = (record.directory / "evaluation.json").read_text("utf-8")
    assert "times_down" not in sealed
    check_seal(record.directory)
    # The next evaluation counts its own requests, and what is there already stays as it is.
    harness.run("openai_api", "raf_db", options=options, results=tmp_path, limit=5)
    assert json.loads((record.directory / "timings.json").read_text("utf-8")) == timings
    more = harness.run("openai_api", "raf_db", options=options, results=tmp_path, limit=7)
    second = json.loads((more.records[0].directory / "timings.json").read_text("utf-8"))
    assert second["endpoints"][fake.url]["answered"] == 7


def test_results_show_prints_the_clocks(
    endpoint: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake, _ = endpoint(lambda _: chat("happiness"))
    options = {"model": "tiny", "scores": "label", "base_url": fake.url}
    run = harness.run("openai_api", "raf_db", options=options, results=tmp_path, limit=3)
    show = ["results", "show", str(run.records[0].directory)]
    assert invoke(main, show) == 0
    printed = capsys.readouterr().out
    assert f"endpoints ({fake.url} (answered 3, at_once 8, failed 0" in printed
    assert "samples_answered 3" in printed
    assert invoke(main, [*show, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["timings"]["endpoints"][fake.url]["answered"] == 3


def test_counts_of_two_connections_to_one_endpoint_add_up() -> None:
    joined = Counts(3, 1, 1, 4, 8).joined(Counts(2, 0, 1, 6, 6))
    assert joined == Counts(5, 1, 2, 6, 8)
