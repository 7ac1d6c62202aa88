"""Half precision: rounding chooses no option, and fixed shapes give equal bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.engine import answerer as answering
from harness.engine.answerer import EngineAnswerer
from harness.engine.self_check import CLOSE
from harness.models import Runtime
from harness.requests import Choose, Request, Scores, Turn
from harness.samples.images import LoadedImage

pytestmark = pytest.mark.torch

LABELS = tuple(chr(61 + at) for at in range(48))
Values = dict[str, tuple[float, ...]]


@pytest.fixture(scope="module")
def half(make_model: Callable[..., Any]) -> Any:
    import torch

    model = make_model()
    model.language_model.to(torch.bfloat16)
    return model


def requests(images: Sequence[LoadedImage], count: int) -> list[Request]:
    chance = random.Random(0)
    collected = []
    for at in range(count):
        text = "which is " + "".join(chance.choices("abcdefgh ", k=12))
        turns = (Turn("user", text, (images[at * len(images) // count],)),)
        collected.append(Request(f"r{at}", f"s{at}", "t", turns, Choose(LABELS)))
    return collected


def values(model: Any, asked: list[Request], *, sharing: bool = True, **runtime: Any) -> Values:
    answerer = EngineAnswerer(model, Runtime(device="cpu", **runtime), sharing=sharing)
    results: Values = {}
    for response in answerer.answer(asked):
        assert isinstance(response.result, Scores)
        results[response.request] = response.result.values
    assert answerer.notes() == []
    return results


def bests(result: Values) -> dict[str, int]:
    return {
        name: max(range(len(LABELS)), key=content.__getitem__) for name, content in result.items()
    }


def close(result: Values) -> list[str]:
    within = CLOSE["bfloat16"]
    return [
        name for name, content in result.items() if max(content) - sorted(content)[-2] <= within
    ]


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_batches_and_sharing_choose_the_same_option(
    half: Any, images: list[LoadedImage], count: int
) -> None:
    batch = requests(images, count)
    computed = values(half, batch, batch_size=1)
    assert close(computed)  # or there would be nothing that rounding could turn
    for other in (
        values(half, batch),
        values(half, batch[::-1], batch_size=5),
        values(half, batch, deterministic=True),
        values(half, batch, sharing=False),
    ):
        content = bests(other)
        turned = [name for name, best in bests(computed).items() if content[name] != best]
        assert len(turned) <= count / 1000


def test_what_is_close_is_scored_alone(half: Any, images: list[LoadedImage]) -> None:
    batch = requests(images, 60)
    first, other = values(half, batch, batch_size=1), values(half, batch)
    name = close(first)[0]
    request = next(request for request in batch if request.id == name)
    order = sorted(range(len(LABELS)), key=lambda at: -first[name][at])[:2]
    alone = values(half, [request], sharing=False, batch_size=1)[name]
    for at in order:
        assert first[name][at] == other[name][at] == alone[at]


def test_what_is_close_has_the_same_bytes_at_any_batch_size_and_beside_anything(
    half: Any, images: list[LoadedImage]
) -> None:
    batch = requests(images, 60)
    computed = values(half, batch, batch_size=1)
    ways = [
        values(half, batch, batch_size=7),
        values(half, batch[::-1], kv_budget=200_000),
        {**values(half, batch[:31]), **values(half, batch[31:])},
    ]
    # What is close in all ways was settled in each of them.
    for name in set.intersection(*(set(close(way)) for way in (computed, *ways))):
        assert all(way[name] == computed[name] for way in ways)


def test_a_near_tie_reads_the_image_once_and_each_question_once(
    half: Any, images: list[LoadedImage]
) -> None:
    from harness.engine.self_check import rescore_near_ties

    batch = requests(images[:1], 12)
    answerer = EngineAnswerer(half, Runtime(device="cpu"))
    answerer.answer(batch)
    passes: list[int] = []
    forward = half.forward

    def counted(embeds: Any, **more: Any) -> Any:
        passes.append(embeds.shape[1])
        return forward(embeds, **more)

    def level(*arguments: Any) -> None:
        """Settle all: every option of every prompt is level."""
        model, prompts, totals, shares = arguments
        for prompt in prompts:
            totals[prompt] = [0.0] * len(prompt.options)
        half.forward = counted
        rescore_near_ties(model, prompts, totals, shares)
        assert all(min(totals[prompt]) < 0 for prompt in prompts)
        del half.forward

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "rescore_near_ties", level)
        answerer.answer(batch)
    assert len(passes) == 1 + len(batch)
    assert sum(passes) < 2 * passes[0] + 40 * len(batch)


def test_fixed_shapes_give_equal_bytes(half: Any, images: list[LoadedImage]) -> None:
    batch = requests(images, 40)
    results = [values(half, batch, deterministic=True, batch_size=rows) for rows in (1, 3, None)]
    assert results[0] == results[1] == results[2]


def test_float32_has_nothing_to_settle(
    model: Any, images: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = requests(images, 6)
    computed = values(model, batch)
    monkeypatch.setattr(answering, "rescore_near_ties", lambda *_: None)
    assert values(model, batch) == computed
