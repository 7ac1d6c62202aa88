"""Parts of the training: repeatable text, losses that mean what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("open_clip")
torch = pytest.importorskip("torch")

from harness_demo_world.chance import stream  # noqa: E402
from harness_demo_world.questions import Question  # noqa: E402
from harness_demo_world.training import (  # noqa: E402
    corpus,
    encoder,
    exercises,
    llava,
    tokens,
    words,
)
from harness_demo_world.training.encoder import caption_loss, cell  # noqa: E402
from harness_demo_world.training.pictures import pictures  # noqa: E402

from harness import find_model  # noqa: E402
from harness.samples import Sample  # noqa: E402

pytestmark = pytest.mark.torch


def test_the_corpus_and_the_tokenizer_are_the_same_every_time() -> None:
    first, second = corpus.examples(3, 3000), corpus.examples(3, 3000)
    assert first == second
    texts = [text + answer for text, answer in first]
    assert tokens.learn(texts).to_str() == tokens.learn(texts).to_str()


def test_every_question_is_one_that_a_task_asks() -> None:
    questions = [text for text, _ in corpus.examples(0, 5000)[-400:] if text]
    main = [
        "Which hand gesture is the person making?",
        "Answer yes or no.",
        "Please select the correct answer from the options above.",
        "Answer the question using a single word or phrase.",
    ]
    for wording in main:
        assert any(wording in text for text in questions)


def test_a_choice_is_answered_by_the_letter_of_the_right_option() -> None:
    question = Question("What?", "cup", ("ball", "box", "star"), "other", "what", "c", "l")
    text, letter = corpus.choice(question, stream(0, "choice"))
    assert f"{letter}. cup" in text


def test_exercises_come_from_the_spec_and_concepts_are_asked_both_ways(tmp_path: Path) -> None:
    made = exercises.Exercises()
    task = exercises.drawn_task("mmbench", 1, tmp_path, "dev")
    exercises._add(made, task, "mmbench", "dev", 1, 1.0)
    _, question, answer = made.questions["mmbench"][0]
    assert "Options:" in question
    assert answer in {"A", "B", "C", "D"}
    assert made.pixels[0].shape == (96, 96, 3)
    assert len(made.questions["mmbench"]) > len(made.pixels)
    sample = Sample(
        "s", (), None, "s", {"concept": "chef", "concept_text": "a chef", "target": None}
    )
    pairs = list(exercises._pairs(corpus.spec("cmsc"), "cmsc", sample, stream(0, "pairs")))
    assert [answer for _, answer in pairs] == ["yes", "no"]
    assert "a chef" in pairs[0][0]
    assert "a chef" not in pairs[1][0]


def test_the_towers_weights_give_the_same_patches_in_both_libraries() -> None:
    from open_clip.model import CLIP
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    setup = encoder.config(encoder.EncoderSettings(layers=2, text_layers=1), 50)["model_cfg"]
    model = CLIP(**{k: dict(v) if isinstance(v, dict) else v for k, v in setup.items()}).eval()
    vision = CLIPVisionConfig(
        hidden_size=160, intermediate_size=480, num_hidden_layers=1, num_attention_heads=4,
        image_size=96, patch_size=12, hidden_act="gelu",
    )  # fmt: skip
    tower: Any = CLIPVisionModel(vision)
    tower.train(mode=False)
    inner = getattr(tower, "vision_model", tower)
    inner.load_state_dict(llava.tower_weights(model.state_dict(), 1), strict=True)
    displayed = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        wanted = model.visual.forward_intermediates(
            displayed, indices=[0], normalize_intermediates=False, intermediates_only=True,
            output_fmt="NLC",
        )["image_intermediates"][0]  # fmt: skip
        hidden_state = tower(displayed, output_hidden_states=True).hidden_states[-1][:, 1:]
    assert torch.allclose(hidden_state, wanted, atol=1e-4)


def test_the_caption_loss_is_zero_only_when_all_true_captions_win() -> None:
    scores = torch.tensor([[50.0, 50.0, 0.0], [0.0, 0.0, 50.0]])
    true = torch.tensor([[True, True, False], [False, False, True]])
    assert float(caption_loss(scores, true)) == pytest.approx(0.0, abs=1e-4)
    assert float(caption_loss(scores, ~true)) > 10


def test_a_place_falls_into_its_patch() -> None:
    places = torch.tensor([[0.0, 0.0], [0.99, 0.0], [0.5, 0.5], [1.0, 1.0]])
    assert cell(places, 8).tolist() == [0, 7, 36, 63]


def test_pictures_for_training_say_where_the_person_looks() -> None:
    (displayed,) = pictures("gazefollow", 0, "train", 1, 1)
    assert displayed.pixels.shape == (96, 96, 3)
    assert (displayed.pixels == [255, 0, 0]).all(-1).sum() > 20
    phrase, x, y = displayed.places[0]
    assert phrase == words.LOOKED_AT
    assert f"{x:.3f} {y:.3f}" == displayed.label


@pytest.mark.slow
def test_every_stage_follows_from_the_ones_before(tmp_path: Path) -> None:
    out = tmp_path / "weights"
    script = [sys.executable, "-m", "harness_demo_world.training", "--share", "0.005"]
    folder = ["--out", str(out), "--cache", str(tmp_path / "drawn")]
    done = subprocess.run([*script, *folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((out / "training_record.json").read_text())
    assert set(record["stages"]) == {"language_model", "encoder", "fusion", "llava"}
    assert record["stages"]["llava"]["validation"]["gazefollow"]["Avg L2"] > 0
    result = find_model("socialfusion", options={"path": str(out / "socialfusion")}, profile="demo")
    assert result.descriptor.id == "socialfusion"
