from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from harness.engine import answerer as answering
from harness.engine import generation
from harness.engine.answerer import EngineAnswerer
from harness.engine.batching import Batches
from harness.models import Runtime
from harness.requests import Choose, Contrast, Embed, Failed, Generate, Request, Scores, Text, Turn
from harness.samples.images import LoadedImage

pytestmark = pytest.mark.torch

OPTIONS = ("yes", "no", "maybe not", "nobody")
Make = Callable[..., Any]


def requests(images: list[LoadedImage], want: Any = None) -> list[Request]:
    texts = ("who is it", "who is there", "what")
    return [
        Request(
            f"r{at}",
            f"s{at}",
            "t",
            (Turn("user", texts[at % 3], (images[at % 4],)),),
            want or Choose(OPTIONS[: 2 + at % 3]),
        )
        for at in range(10)
    ]


def results(model: Any, arguments: list[Request], *, sharing: bool = True, **runtime: Any) -> Any:
    answerer = EngineAnswerer(model, Runtime(device="cpu", **runtime), sharing=sharing)
    actual = {response.request: response.result for response in answerer.answer(arguments)}
    assert list(actual) == [request.id for request in arguments]
    assert answerer.notes() == []
    return actual


def near(results: dict[str, Scores]) -> dict[str, Any]:
    return {name: pytest.approx(result.values, abs=1e-4) for name, result in results.items()}


def test_neither_batch_nor_order_nor_sharing_changes_answers(
    any_model: Any, images: list[LoadedImage]
) -> None:
    batch = requests(images)
    answers = results(any_model, batch)
    others = [
        results(any_model, batch, batch_size=1),
        results(any_model, batch, batch_size=4, deterministic=True),
        results(any_model, batch[::-1]),
        results(any_model, batch, sharing=False),
        results(any_model, batch, kv_budget=60_000),
        {request.id: results(any_model, [request])[request.id] for request in batch},
    ]
    wanted = {name: result.values for name, result in answers.items()}
    for other in others:
        assert near(other) == wanted
        for name, result in other.items():
            best = max(range(len(result.values)), key=result.values.__getitem__)
            assert answers[name].values[best] == max(answers[name].values)


def test_neither_batch_nor_order_nor_sharing_changes_texts(
    any_model: Any, images: list[LoadedImage]
) -> None:
    batch = requests(images, Generate(7))
    answers = results(any_model, batch)
    assert all(isinstance(result, Text) for result in answers.values())
    assert answers == results(any_model, batch, batch_size=1)
    assert answers == results(any_model, batch[::-1], batch_size=3)
    assert answers == results(any_model, batch, sharing=False)
    assert answers == results(any_model, batch, deterministic=True)


def test_neither_batch_nor_order_nor_sharing_changes_contrasted_texts(
    any_model: Any, images: list[LoadedImage]
) -> None:
    batch = requests(images, Generate(5, contrast=Contrast(1.0, 0.05)))
    answers = results(any_model, batch)
    assert answers != results(any_model, requests(images, Generate(5)))
    assert answers == results(any_model, batch, batch_size=1)
    assert answers == results(any_model, batch[::-1], batch_size=4)
    assert answers == results(any_model, batch, sharing=False)
    plain = requests(images, Generate(5, contrast=Contrast(0.0, 0.3)))
    assert results(any_model, plain) == results(any_model, requests(images, Generate(5)))


def test_contrasted_texts_that_the_slow_way_would_not_write_are_found_out(
    model: Any, images: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "contrasted", lambda answer, *_: answer)
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    answerer.answer(requests(images, Generate(5, contrast=Contrast(1.0, 0.05))))
    (note,) = answerer.notes()
    assert "prefix sharing changed a greedy token" in note


def test_deterministic_answers_are_equal_to_the_last_bit(
    any_model: Any, images: list[LoadedImage]
) -> None:
    batch = requests(images)
    answers = results(any_model, batch, batch_size=1, deterministic=True)
    assert answers == results(any_model, batch, batch_size=64, deterministic=True)


def test_each_distinct_image_is_encoded_once_and_kept_on_disk(
    make_model: Make, images: list[LoadedImage], tmp_path: Path
) -> None:
    model = make_model(features_key={"encoder": "noise"})
    batch = requests(images)
    first = results(model, batch, cache=tmp_path)
    assert sorted(model.encoded) == sorted(image.key for image in images[:4])
    model.encoded.clear()
    assert results(model, batch, cache=tmp_path) == first
    assert model.encoded == []


def test_what_cannot_be_asked_fails_alone(model: Any, images: list[LoadedImage]) -> None:
    good = requests(images)[0]
    bad = LoadedImage(images[0].pixels, "x", "bad", 8, 8)

    def ask(name: str, text: str, want: Any, *images: LoadedImage) -> Request:
        return Request(name, name, "t", (Turn("user", text, images),), want)

    arguments = [
        good,
        ask("long", "a" * 250, Choose(OPTIONS)),
        ask("vectors", "a", Embed()),
        ask("empty", "a", Choose(("", "a"))),
        ask("rejected", "a", Choose(OPTIONS), bad),
        ask("rejected too", "a", Generate(3), images[0], bad),
    ]
    answers = results(model, arguments)
    assert isinstance(answers.pop(good.id), Scores)
    assert {name: result.kind for name, result in answers.items()} == {
        "long": "prompt_too_long",
        "vectors": "unsupported",
        "empty": "empty_option",
        "rejected": "image_rejected",
        "rejected too": "image_rejected",
    }
    assert "60 more than the model's 200" in answers["long"].message
    assert isinstance(answers["long"], Failed)


def test_a_model_that_shares_nothing_is_asked_one_sequence_at_a_time(
    make_model: Make, images: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    arguments = requests(images) + [
        Request(f"w{at}", "s", "t", request.turns, Generate(4))
        for at, request in enumerate(requests(images))
    ]
    shared = results(model, arguments)
    monkeypatch.setattr(model, "shares_prefix", lambda length: length < 32)
    alone = results(model, arguments)
    for name, result in shared.items():
        if isinstance(result, Text):
            assert alone[name] == result
        else:
            assert alone[name].values == pytest.approx(result.values, abs=1e-4)


@pytest.mark.parametrize("want", [None, Generate(5)])
def test_a_model_that_sharing_would_change_is_asked_the_slow_way_and_says_so(
    make_model: Make, images: list[LoadedImage], want: Any
) -> None:
    """A model that shifts positions when something stands before them."""
    model = make_model()
    forward = model.forward

    def columns(embeds: Any, *, cache: Any, **keywords: Any) -> Any:
        if cache is not None and cache.get_seq_length():
            keywords["positions"] = keywords["positions"] + 40
        return forward(embeds, cache=cache, **keywords)

    keywords = requests(images, want)
    right = results(make_model(), keywords, sharing=False)
    model.forward = columns
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    actual: Any = {response.request: response.result for response in answerer.answer(keywords)}
    (note,) = answerer.notes()
    assert "sharing is off" in note
    if want is None:
        assert near(actual) == {name: result.values for name, result in right.items()}


def test_equal_chats_are_tokenised_once(
    make_model: Make, images: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    calls: list[Any] = []
    prompt = model.prompt

    def count(*positional: Any) -> Any:
        calls.append(positional)
        return prompt(*positional)

    monkeypatch.setattr(model, "prompt", count)
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    positional = requests(images)
    answerer.answer(positional)
    answerer.answer(positional)
    distinct = {(request.turns[0].text, request.want) for request in positional}
    assert len(calls) == len(distinct)


def test_positions_and_extra_inputs_follow_their_tokens(
    make_model: Make, images: list[LoadedImage]
) -> None:
    """Three rows of position ids that are not columns, and a feature added to an image's tokens."""
    import torch

    from harness.engine.contract import Inputs

    def dress(model: Any) -> Any:
        plain, forward = model.inputs, model.forward

        def inputs(ids: Any, images: Any) -> Inputs:
            actual = plain(ids, images)
            # An image's tokens take one position together, as in multimodal rotary embeddings.
            marks = torch.tensor(
                [
                    mark
                    for token, displayed in spans(ids, images)
                    for mark in ([1] * displayed if token < 0 else [0])
                ]
            )
            places = (1 - marks).cumsum(0)
            return Inputs(
                actual.embeds,
                places.expand(3, -1).clone(),
                int(places[-1]) + 1,
                {"deep": actual.embeds * marks[:, None]},
            )

        def onward(embeds: Any, *, positions: Any, extras: Any, **keywords: Any) -> Any:
            assert positions.shape[0] == 3
            assert extras["deep"].shape == embeds.shape
            return forward(embeds + extras["deep"], positions=positions[:1], extras={}, **keywords)

        model.inputs, model.forward = inputs, onward
        return model

    def spans(ids: Any, images: Any) -> list[tuple[int, int]]:
        displayed = iter(images)
        return [(token, len(next(displayed)) if token < 0 else 1) for token in ids]

    for want in (None, Generate(6)):
        keywords = requests(images, want)
        fast = results(dress(make_model()), keywords)
        slow = results(dress(make_model()), keywords, sharing=False)
        if want is None:
            assert near(fast) == {name: result.values for name, result in slow.items()}
        else:
            assert fast == slow


def test_memory_that_never_suffices_is_the_users_to_know(
    model: Any, images: list[LoadedImage]
) -> None:
    from harness.errors import UserError

    for budget in (10, 2000):
        with pytest.raises(UserError, match="budget"):
            results(model, requests(images), kv_budget=budget)
    assert answering.batches_for(model, Runtime(deterministic=True)).fixed


@pytest.mark.parametrize("want", [None, Generate(6)])
def test_memory_that_another_process_takes_in_the_middle_changes_no_answer(
    want: Any, make_model: Make, images: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    class Card:
        """Half of its memory goes to another process after the second batch."""

        def __init__(self, work: Callable[..., Any], rows: Callable[[Any], int]) -> None:
            self.work, self.rows, self.calls, self.refused = work, rows, 0, 0

        def __call__(self, given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls > 1 and self.rows(given) > 1:
                self.refused += 1
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return self.work(given, **named)

    given = requests(images, want)
    alone = results(make_model(), given)
    model = make_model()
    card, encoder = Card(model.forward, len), Card(model.encode, len)
    monkeypatch.setattr(model, "forward", card)
    monkeypatch.setattr(model, "encode", encoder)
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    # As on a GPU, where several images are encoded at once.
    answerer._in_batches, answerer._image_batches = True, Batches(positions=2)
    crowded = {response.request: response.result for response in answerer.answer(given)}
    assert card.refused
    assert encoder.refused
    if want is None:
        scores = {name: cast("Scores", result) for name, result in crowded.items()}
        assert near(scores) == {name: result.values for name, result in alone.items()}
    else:
        assert crowded == alone


def test_what_another_process_holds_on_the_card_makes_batches_smaller(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from harness.engine import batching

    card = torch.device("cuda", 0)
    positions = []
    for free in (139, 4):
        monkeypatch.setattr(
            torch.cuda, "mem_get_info", lambda _, free=free: (free << 30, 139 << 30)
        )
        positions.append(batching.fitting_positions(card, 4096, 1 << 20))
    assert positions == [1 << 15, 1 << 10]


def test_notes_reach_the_user_and_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    import harness
    from harness.api.runs import NullReporter
    from harness.models import _baseline

    class Noted(_baseline.RequestAnswerer):
        def notes(self) -> list[str]:
            return ["sharing is off"]

    class Heard(NullReporter):
        said: list[str]

        def say(self, note: str) -> None:
            self.said.append(note)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_baseline, "RequestAnswerer", Noted)
    heard = Heard()
    heard.said = []
    (record,) = harness.run(
        "random", "raf_db", results=tmp_path / "results", limit=4, reporter=heard
    ).records
    assert heard.said == ["raf_db: sharing is off"]
    content = json.loads((record.directory / "evaluation.json").read_text())
    assert content["notes"] == ["sharing is off"]


def test_sampling_depends_on_the_request_alone(any_model: Any, images: list[LoadedImage]) -> None:
    from dataclasses import replace

    arguments = [
        replace(request, seed=at)
        for at, request in enumerate(requests(images, Generate(7, (), 1.5)))
    ]
    answers = results(any_model, arguments)
    assert answers != results(any_model, requests(images, Generate(7)))
    assert answers == results(any_model, arguments[::-1], batch_size=1)
    assert answers == results(any_model, arguments, sharing=False)
    assert answers != results(any_model, [replace(request, seed=99) for request in arguments])
