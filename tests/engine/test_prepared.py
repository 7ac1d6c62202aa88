"""Inputs made ready in other threads: the same as without, each once, within bounded memory."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from concurrent.futures import wait
from threading import Event, get_ident
from typing import Any

import pytest

from harness.engine.answerer import EngineAnswerer
from harness.models import Runtime
from harness.requests import Choose, Failed, Request, Scores, Turn
from harness.samples.images import LoadedImage

pytestmark = pytest.mark.torch


class Preparing:
    """Counts what it prepares, and in which threads."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.threads: set[int] = set()
        self.may_run = Event()
        self.may_run.set()

    def __call__(self, item: int) -> Mapping[str, Any]:
        import torch

        self.threads.add(get_ident())
        if get_ident() != MAIN:
            self.may_run.wait()
        self.made.append(item)
        if item < 0:
            raise ValueError("below 0")
        return {"x": torch.full((4,), item, dtype=torch.float32)}


MAIN = get_ident()


def prepared(work: Preparing, limit: int = 1 << 20) -> Any:
    import torch

    from harness.engine.prepared import PreparedInputs

    return PreparedInputs(work, torch.device("cpu"), limit)


def finish(inputs: Any) -> None:
    """Wait until nothing more begins by itself."""
    seen = -1
    while seen != len(inputs._begun):
        seen = len(inputs._begun)
        wait(list(inputs._begun.values()))


def test_each_is_made_once_in_another_thread_or_where_it_is_taken() -> None:
    work = Preparing()
    inputs = prepared(work)
    inputs.start({at: at for at in range(4)})
    finish(inputs)
    assert MAIN not in work.threads
    assert [float(inputs.take(at, at)["x"][0]) for at in range(5)] == [0, 1, 2, 3, 4]
    assert work.made == [0, 1, 2, 3, 4]
    assert MAIN in work.threads  # the last was never begun
    inputs.close()


def test_what_is_taken_before_its_turn_is_made_at_once() -> None:
    work = Preparing()
    work.may_run.clear()
    inputs = prepared(work)
    inputs.start({at: at for at in range(3)})
    assert float(inputs.take(2, 2)["x"][0]) == 2
    work.may_run.set()
    assert float(inputs.take(0, 0)["x"][0]) == 0
    inputs.close()
    assert work.made.count(2) == 1


@pytest.mark.parametrize("limit", [1, 16, 48])
def test_no_more_wait_than_memory_allows(limit: int) -> None:
    work = Preparing()
    inputs = prepared(work, limit)
    inputs.start({at: at for at in range(10)})
    finish(inputs)
    assert len(work.made) == max(1, limit // 16)
    assert [float(inputs.take(at, at)["x"][0]) for at in range(10)] == list(range(10))
    inputs.close()
    assert sorted(work.made) == list(range(10))


def test_what_is_never_taken_makes_room_again() -> None:
    inputs = prepared(Preparing())
    for block in range(40):
        inputs.start({block * 10 + at: at for at in range(10)})
        finish(inputs)
    assert len(inputs._begun) <= 160
    keys: list[Hashable] = [*inputs._begun]
    inputs.drop(keys)
    assert not inputs._begun
    inputs.close()


def test_an_error_is_raised_where_the_input_is_taken() -> None:
    inputs = prepared(Preparing())
    inputs.start({"bad": -1, "good": 1})
    finish(inputs)
    with pytest.raises(ValueError, match="below 0"):
        inputs.take("bad", -1)
    assert float(inputs.take("good", 1)["x"][0]) == 1
    inputs.close()


def asked(images: list[LoadedImage]) -> list[Request]:
    return [
        Request(f"r{at}", f"s{at}", "t", (Turn("user", "who", (image,)),), Choose(("a", "b")))
        for at, image in enumerate(images)
    ]


def test_a_model_that_prepares_answers_as_one_that_does_not(
    make_model: Any, images: list[LoadedImage]
) -> None:
    import torch

    from harness.engine.contract import PromptError

    plain = make_model()
    images = [*images, LoadedImage(images[0].pixels, "x", "bad", 8, 8)]
    expected = EngineAnswerer(plain, Runtime(device="cpu")).answer(asked(images))

    toy: Any = type(plain)

    class Prepares(toy):  # type: ignore[misc]
        def prepare(self, image: LoadedImage) -> Mapping[str, Any]:
            if image.key == "bad":
                raise PromptError("image_rejected", "no such picture")
            return {"key": torch.tensor(list(image.key.encode()))}

        def encode_prepared(self, inputs: Any) -> Any:
            keys = [bytes(item["key"].tolist()).decode() for item in inputs]
            displayed = [LoadedImage(images[0].pixels, "", key, 8, 8) for key in keys]
            return toy.encode(self, displayed)

    model = make_model()
    model.__class__ = Prepares
    for ahead in (False, True):
        answerer = EngineAnswerer(model, Runtime(device="cpu"))
        if ahead:
            answerer.prepare(asked(images))
        result = answerer.answer(asked(images))
        assert [each.result for each in result] == [each.result for each in expected]
        assert isinstance(result[0].result, Scores)
        assert isinstance(result[-1].result, Failed)
