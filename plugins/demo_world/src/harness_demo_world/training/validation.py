"""How a trained SocialFusion model answers about drawn pictures: option scores, greedy points."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from harness.requests import Turn
from torch.nn import functional

from harness_demo_world.training import words
from harness_demo_world.training.corpus import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_socialfusion.model import SocialFusionModel

    from harness_demo_world.training.pictures import Picture

_FEW = 20
_IGNORED = -100


def answer(picture: Picture) -> str:
    """Return the right answer as text; a gaze point as two whole hundredths."""
    if picture.task == "gazefollow":
        return " ".join(str(min(99, int(float(part) * 100))) for part in picture.label.split())
    return picture.label.replace("_", " ")


@torch.no_grad()
def validate(
    model: SocialFusionModel, task: str, tokens: torch.Tensor, shown: Sequence[Picture]
) -> dict[str, float]:
    """Return accuracy over the task's options, or the mean distance of a greedy gaze answer."""
    model.eval()
    question = QUESTIONS[task][0]
    right = [answer(picture) for picture in shown]
    spans = [slice(low, low + _FEW) for low in range(0, len(shown), _FEW)]
    if task == "gazefollow":
        said = [text for span in spans for text in _points(model, tokens[span], question)]
        distance = [_distance(text, picture) for text, picture in zip(said, shown, strict=True)]
        return {"mean_l2": round(sum(distance) / len(distance), 4)}
    options = words.INTERACTION_OPTIONS if task == "jrdb_social" else sorted(set(right))
    scores = torch.cat([option_scores(model, tokens[span], question, options) for span in spans])
    hits = [options[g] == text for g, text in zip(scores.argmax(1).tolist(), right, strict=True)]
    return {"accuracy": round(sum(hits) / len(hits), 4)}


def _prompts(
    model: SocialFusionModel, tokens: torch.Tensor, question: str, said: str
) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Return the prompt's embeddings (B, L, W), and the ids of one answer to it."""
    prompt, ids = model.pair([Turn("user", question)], said)
    rows = [model.embed(prompt, [image]) for image in model.connect(tokens)]
    return torch.stack(rows), ids


def option_scores(
    model: SocialFusionModel, tokens: torch.Tensor, question: str, options: Sequence[str]
) -> torch.Tensor:
    """Return the log-likelihood (B, O) of each option; image and question are read once."""
    turns = [Turn("user", question)]
    ends = [model.pair(turns, option)[1] for option in options]
    longest = max(map(len, ends))
    ids, wanted = torch.zeros(len(ends), longest).long(), torch.full((len(ends), longest), _IGNORED)
    for row, end in enumerate(ends):
        ids[row, : len(end)] = wanted[row, : len(end)] = torch.tensor(end)
    shown, _ = _prompts(model, tokens, question, options[0])
    first = model.language_model(inputs_embeds=shown, use_cache=True)
    cache = first.past_key_values
    cache.batch_repeat_interleave(len(options))
    count = len(tokens)
    rest = model.language_model(
        input_ids=ids[:, :-1].repeat(count, 1), past_key_values=cache
    ).logits
    head = first.logits[:, -1:].repeat_interleave(len(options), dim=0)
    scores = torch.cat([head, rest], dim=1).transpose(1, 2).float()
    each = functional.cross_entropy(
        scores, wanted.repeat(count, 1), ignore_index=_IGNORED, reduction="none"
    )
    return -each.sum(1).view(count, len(options))


def _points(model: SocialFusionModel, tokens: torch.Tensor, question: str) -> list[str]:
    """Return greedy answers of two tokens: a number is one token."""
    shown, _ = _prompts(model, tokens, question, "0 0")
    first = model.language_model(inputs_embeds=shown, use_cache=True)
    x = first.logits[:, -1].argmax(1)
    second = model.language_model(input_ids=x[:, None], past_key_values=first.past_key_values)
    y = second.logits[:, -1].argmax(1)
    return [str(model.tokenizer.decode(pair)) for pair in torch.stack([x, y], dim=1).tolist()]


def _distance(guess: str, picture: Picture) -> float:
    """Return how far a guess is off; one that is no two numbers counts as a far corner."""
    x, y = (float(part) for part in picture.label.split())
    try:
        a, b = (int(part) / 100 for part in guess.split())
    except ValueError:
        return math.dist((x, y), (round(1 - x), round(1 - y)))
    return math.dist((x, y), (a, b))
