"""Parts of the training: repeatable text, losses that mean what they say."""

from __future__ import annotations

import pytest

pytest.importorskip("open_clip")
torch = pytest.importorskip("torch")

from harness_demo_world.training import corpus, tokens, words  # noqa: E402
from harness_demo_world.training.encoder import caption_loss, cell  # noqa: E402
from harness_demo_world.training.pictures import pictures  # noqa: E402

pytestmark = pytest.mark.torch


def test_the_corpus_and_the_tokenizer_are_the_same_every_time() -> None:
    first, second = corpus.examples(3, 3000), corpus.examples(3, 3000)
    assert first == second
    texts = [text + answer for text, answer in first]
    assert tokens.learn(texts).to_str() == tokens.learn(texts).to_str()


def test_every_answer_follows_from_its_text() -> None:
    for text, answer in corpus.examples(0, 4000)[-500:]:
        if text:
            assert answer.strip().split()[0] in text


def test_the_caption_loss_is_zero_only_when_all_true_captions_win() -> None:
    scores = torch.tensor([[50.0, 50.0, 0.0], [0.0, 0.0, 50.0]])
    true = torch.tensor([[True, True, False], [False, False, True]])
    assert float(caption_loss(scores, true)) == pytest.approx(0.0, abs=1e-4)
    assert float(caption_loss(scores, ~true)) > 10


def test_a_place_falls_into_its_patch() -> None:
    places = torch.tensor([[0.0, 0.0], [0.99, 0.0], [0.5, 0.5], [1.0, 1.0]])
    assert cell(places, 8).tolist() == [0, 7, 36, 63]


def test_pictures_for_training_say_where_the_person_looks() -> None:
    (shown,) = pictures("gazefollow", 0, "train", 1, 1)
    assert shown.pixels.shape == (96, 96, 3)
    assert (shown.pixels == [255, 0, 0]).all(-1).sum() > 20
    phrase, x, y = shown.places[0]
    assert phrase == words.LOOKED_AT
    assert f"{x:.3f} {y:.3f}" == shown.label
