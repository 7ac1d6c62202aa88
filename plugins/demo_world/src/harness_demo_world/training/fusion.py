"""The last stage: a connector from frozen patch tokens to the language model, and LoRA on it."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from harness_socialfusion import settings as socialfusion
from harness_socialfusion.connector import Connector
from harness_socialfusion.encoder import VisualEncoder
from harness_socialfusion.settings import ConnectorSettings
from harness_socialfusion.sources import find_encoder, find_language_model
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import AutoTokenizer, LlamaForCausalLM

from harness_demo_world.training import words
from harness_demo_world.training.corpus import QUESTIONS
from harness_demo_world.training.encoder import prepare
from harness_demo_world.training.pictures import Picture, pictures
from harness_demo_world.training.schedule import Optimiser
from harness_demo_world.world import COUNTS, frames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_IGNORED = -100
_A_CHUNK = 200
_ENCODER = "local-dir:../encoder"
_LANGUAGE_MODEL = "../language_model"
_FEW = 20
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """Size of what is trained, and length of the training."""

    hidden: int = 384
    merge: int = 2
    rank: int = 16
    batch: int = 96
    steps: int = 350
    rate: float = 1e-3


SHARES = {"hagridv2": 0.22, "pisc": 0.08, "gazefollow": 0.5, "raf_db": 0.12, "jrdb_social": 0.08}
"""Share of each batch: classes are learnt within fifty steps, two numbers are not."""


def answer(picture: Picture) -> str:
    """Return the right answer as text; a gaze point as two whole hundredths."""
    if picture.task == "gazefollow":
        return " ".join(str(min(99, int(float(part) * 100))) for part in picture.label.split())
    return picture.label.replace("_", " ")


class Fusion(nn.Module):
    """Connector and adapted language model; it sees an image as projected patch tokens."""

    def __init__(self, folder: Path, settings: FusionSettings, encoder: VisualEncoder) -> None:
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "language_model")
        model = LlamaForCausalLM.from_pretrained(folder / "language_model", dtype=torch.float32)
        out = model.config.hidden_size
        shape = ConnectorSettings(hidden=settings.hidden, merge=settings.merge)
        self.connector = Connector(shape, given=encoder.width, out=out, grid=encoder.grid)
        lora = LoraConfig(
            r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear"
        )
        self.language_model = get_peft_model(model, lora)

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return found

    def rows(
        self, questions: Sequence[str], answers: Sequence[str]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids (B, T) of question, answer and end, and labels (B, T) of answer and end."""
        pairs = []
        for question, said in zip(questions, answers, strict=True):
            start = self._ids(f"\n{question}\nAnswer:")
            pairs.append((start, [*self._ids(f" {said}"), self.tokenizer.eos_token_id]))
        longest = max(len(start) + len(end) for start, end in pairs)
        ids = torch.full((len(pairs), longest), self.tokenizer.pad_token_id)
        labels = torch.full((len(pairs), longest), _IGNORED)
        for row, (start, end) in enumerate(pairs):
            whole = len(start) + len(end)
            ids[row, :whole] = torch.tensor(start + end)
            labels[row, len(start) : whole] = torch.tensor(end)
        return ids, labels

    def logits(self, features: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Return the scores (B, T, V) of each of the `ids` (B, T) behind the image's tokens."""
        embed = self.language_model.get_input_embeddings()
        begin = torch.full((len(ids), 1), self.tokenizer.bos_token_id)
        shown = self.connector(features.float())
        whole = torch.cat([embed(begin), shown, embed(ids)], dim=1)
        first = whole.shape[1] - ids.shape[1]
        scores: torch.Tensor = self.language_model(inputs_embeds=whole).logits
        return scores[:, first - 1 : -1]

    def log_likelihood(
        self, features: torch.Tensor, questions: Sequence[str], answers: Sequence[str]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return for each row the summed log-likelihood of its answer, and its token count."""
        ids, labels = self.rows(questions, answers)
        scores = self.logits(features, ids).transpose(1, 2).float()
        each = -functional.cross_entropy(scores, labels, ignore_index=_IGNORED, reduction="none")
        return each.sum(1), (labels != _IGNORED).sum(1)


@torch.no_grad()
def features(encoder: VisualEncoder, shown: Sequence[Picture]) -> torch.Tensor:
    """Return the frozen encoder's patch tokens (B, N, W) in half precision."""
    found = []
    for start in range(0, len(shown), _A_CHUNK):
        pixels = np.stack([picture.pixels for picture in shown[start : start + _A_CHUNK]])
        found.append(encoder(prepare(torch.from_numpy(pixels))).half())
    return torch.cat(found)


@torch.no_grad()
def validate(
    model: Fusion, task: str, tokens: torch.Tensor, shown: Sequence[Picture]
) -> dict[str, float]:
    """Return accuracy over the task's options, or the mean distance of a greedy gaze answer."""
    question = [QUESTIONS[task][0]] * len(shown)
    right = [answer(picture) for picture in shown]
    if task == "gazefollow":
        first = _greedy(model, tokens, question, [" "] * len(shown), 0)
        both = _greedy(model, tokens, question, first, 1)
        distance = [_distance(guess, picture) for guess, picture in zip(both, shown, strict=True)]
        return {"mean_l2": round(sum(distance) / len(distance), 4)}
    options = words.ALL_INTERACTIONS if task == "jrdb_social" else sorted(set(right))
    scores = torch.cat(
        [
            _option_scores(model, tokens[low : low + _FEW], question[0], options)
            for low in range(0, len(shown), _FEW)
        ]
    )
    hits = [options[g] == said for g, said in zip(scores.argmax(1).tolist(), right, strict=True)]
    return {"accuracy": round(sum(hits) / len(hits), 4)}


def _option_scores(
    model: Fusion, tokens: torch.Tensor, question: str, options: Sequence[str]
) -> torch.Tensor:
    """Return the log-likelihood (B, O) of each option; image and question are read once."""
    ids, labels = model.rows([question] * len(options), options)
    asked = int((labels[0] == _IGNORED).int().argmin())
    embed = model.language_model.get_input_embeddings()
    begin = torch.full((len(tokens), 1), model.tokenizer.bos_token_id)
    start = ids[:1, :asked].expand(len(tokens), -1)
    shown = torch.cat([embed(begin), model.connector(tokens.float()), embed(start)], dim=1)
    first = model.language_model(inputs_embeds=shown, use_cache=True)
    cache = first.past_key_values
    cache.batch_repeat_interleave(len(options))
    ends, wanted = ids[:, asked:], labels[:, asked:].repeat(len(tokens), 1)
    rest = model.language_model(
        input_ids=ends[:, :-1].repeat(len(tokens), 1), past_key_values=cache
    ).logits
    head = first.logits[:, -1:].repeat_interleave(len(options), dim=0)
    scores = torch.cat([head, rest], dim=1).transpose(1, 2).float()
    each = -functional.cross_entropy(scores, wanted, ignore_index=_IGNORED, reduction="none")
    return each.sum(1).view(len(tokens), len(options))


def _greedy(
    model: Fusion, tokens: torch.Tensor, question: list[str], begun: list[str], place: int
) -> list[str]:
    """Return the answers begun so far with the likeliest number at `place` added."""
    padded = [f"{text} 0 0".strip() for text in begun]
    ids, labels = model.rows(question, padded)
    at = int((labels[0] != _IGNORED).int().argmax()) + place
    best = model.logits(tokens, ids)[:, at].argmax(1).tolist()
    return [
        f"{text} {str(model.tokenizer.decode([number])).strip()}".strip()
        for text, number in zip(begun, best, strict=True)
    ]


def _distance(guess: str, picture: Picture) -> float:
    """Return how far a guess is off; one that is no two numbers counts as a far corner."""
    x, y = (float(part) for part in picture.label.split())
    try:
        a, b = (int(part) / 100 for part in guess.split())
    except ValueError:
        return math.dist((x, y), (round(1 - x), round(1 - y)))
    return math.dist((x, y), (a, b))


def _constant_guess(trained: Sequence[Picture], asked: Sequence[Picture]) -> float:
    """Return the mean distance when every answer is the mean point of the training split."""
    points = [[float(part) for part in picture.label.split()] for picture in trained]
    x, y = np.mean(points, axis=0).tolist()
    aims = [[float(part) for part in picture.label.split()] for picture in asked]
    return round(sum(math.dist(aim, (x, y)) for aim in aims) / len(aims), 4)


def train(settings: FusionSettings, seed: int, folder: Path, workers: int) -> dict[str, Any]:
    """Train connector and LoRA on the five training splits, save them, return the record."""
    start = time.perf_counter()
    place = folder / "socialfusion"
    place.mkdir(parents=True, exist_ok=True)
    encoder = VisualEncoder(find_encoder(_ENCODER, None, place, None))
    shown = {task: _split(task, seed, "train", workers) for task in SHARES}
    seen = {task: features(encoder, found) for task, found in shown.items()}
    torch.manual_seed(seed)
    model = Fusion(folder, settings, encoder)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = Optimiser(model.named_parameters(), settings.rate, settings.steps)
    chance = torch.Generator().manual_seed(seed)
    losses: list[dict[str, float]] = []
    for step in range(settings.steps):
        said = _step(model, settings, shown, seen, chance)
        optimiser.step()
        if step % 25 == 0 or step == settings.steps - 1:
            losses.append(said)
            _LOG.info("fusion step %d: losses %s", step, said)
    save(model, place, settings)
    figures: dict[str, Any] = {}
    for split, name in (("val", "on_unseen_people"), ("test", "test")):
        figures[name] = {}
        for task in SHARES:
            found = _split(task, seed, split, workers)
            figures[name][task] = validate(model, task, features(encoder, found), found)
            if task == "gazefollow":
                constant = _constant_guess(shown[task], found)
                figures[name][task]["constant_guess_l2"] = constant
    return {
        "settings": asdict(settings),
        "shares": SHARES,
        "trained_parameters": sum(weight.numel() for weight in weights),
        "losses_every_25": losses,
        **figures,
        "seconds": round(time.perf_counter() - start, 1),
    }


def _split(task: str, seed: int, split: str, workers: int) -> list[Picture]:
    count = len(frames(split)) if task == "jrdb_social" else COUNTS[task].get(split, 200)
    return pictures(task, seed, split, count, workers)


def _step(
    model: Fusion,
    settings: FusionSettings,
    shown: Mapping[str, Sequence[Picture]],
    seen: Mapping[str, torch.Tensor],
    chance: torch.Generator,
) -> dict[str, float]:
    """Add the gradients of one mixed batch, task by task; return the loss of each task."""
    said: dict[str, float] = {}
    for task, share in SHARES.items():
        rows = torch.randint(len(shown[task]), (round(settings.batch * share),), generator=chance)
        answers = [answer(shown[task][row]) for row in rows.tolist()]
        with torch.autocast("cpu", torch.bfloat16):
            likelihood, count = model.log_likelihood(
                seen[task][rows], [QUESTIONS[task][0]] * len(rows), answers
            )
        loss = -likelihood.sum() / count.sum()
        torch.autograd.backward(loss * share)
        said[task] = round(float(loss.detach()), 4)
    return said


def save(model: Fusion, folder: Path, settings: FusionSettings) -> None:
    """Write the connector and the adapter, in half precision, without pickles."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16)
    save_file(model.connector.state_dict(), folder / "connector.safetensors")
    # The adapter names its model by folder, not by the place it was trained at.
    model.language_model.peft_config["default"].base_model_name_or_path = "language_model"
    model.language_model.save_pretrained(str(folder / "adapter"))
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    model.to(torch.float32)
    encoder = find_encoder(_ENCODER, None, folder, None)
    language_model = find_language_model(_LANGUAGE_MODEL, None, folder, None)
    held = socialfusion.FusionSettings(
        encoder=socialfusion.Part(id=_ENCODER, sha256=encoder.sha256),
        language_model=socialfusion.Part(id=_LANGUAGE_MODEL, sha256=language_model.sha256),
        connector=ConnectorSettings(hidden=settings.hidden, merge=settings.merge),
        prompt_format="answer_line",
        dtype="float32",
        image_tokens=model.connector.tokens,
    )
    path = folder / socialfusion.CONFIG
    path.write_text(json.dumps(held.to_json(), indent=2) + "\n", encoding="utf-8")
