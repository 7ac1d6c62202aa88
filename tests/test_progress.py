from __future__ import annotations

import threading

import pytest

from harness import progress
from harness.progress import EachMinute, duration


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_count_is_said_at_most_once_a_minute_and_never_when_it_is_whole() -> None:
    messages: list[str] = []
    clock = Clock()
    far = EachMinute(messages.append, "raf_db", 1000, "samples", done=100, clock=clock)
    far.reach(100)
    for _ in range(9):
        clock.now += 20
        far.advance(50)
    assert messages == [
        "raf_db: 250 of 1,000 samples, about 0:05:00 left",
        "raf_db: 400 of 1,000 samples, about 0:04:00 left",
        "raf_db: 550 of 1,000 samples, about 0:03:00 left",
    ]
    clock.now += 1000
    far.reach(1000)
    assert len(messages) == 3


def test_where_nothing_new_is_done_no_time_is_guessed() -> None:
    messages: list[str] = []
    clock = Clock()
    far = EachMinute(messages.append, "training", 10, "steps", done=4, clock=clock)
    clock.now += 61
    far.reach(4, "loss 0.100")
    assert messages == ["training: 4 of 10 steps, loss 0.100"]


def test_durations_are_said_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0, 59.4, 60, 3725)] == [
        "0 s",
        "59 s",
        "0:01:00",
        "1:02:05",
    ]


def test_what_takes_long_without_news_is_said_each_minute_until_it_is_whole() -> None:
    messages: list[str] = []
    clock = Clock()
    far = EachMinute(messages.append, "raf_db", 1000, "samples", clock=clock)
    far.reach(100)
    for _ in range(9):
        clock.now += 20
        far.wait()
    assert messages == [
        "raf_db: 100 of 1,000 samples, at work on the next for 0:01:00",
        "raf_db: 100 of 1,000 samples, at work on the next for 0:02:00",
        "raf_db: 100 of 1,000 samples, at work on the next for 0:03:00",
    ]
    far.reach(1000)
    clock.now += 600
    far.wait()
    assert len(messages) == 3


def test_the_thread_says_the_newest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = threading.Event()
    monkeypatch.setattr(progress, "_LOOKS", 0.001)
    monkeypatch.setattr(progress, "MINUTE", 0.0)
    monkeypatch.setattr(progress, "_beating", False)
    progress.beat()
    far = EachMinute(lambda _: heard.set(), "raf_db", 10, "samples")
    assert heard.wait(30)
    far.reach(10)
