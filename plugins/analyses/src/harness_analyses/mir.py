"""Modality integration rate: how far apart a language model holds images and texts.

Label-free: ``log10`` of the sum over layers of a distance between the states of image positions
and of text positions; lower is better integrated (arXiv 2410.07167).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.results import Analysis, finished, table_of, write_analysis
from harness.descriptors import Json
from harness.errors import SampleError, UserError, reason_of
from harness.evaluation.model import ConfiguredModel
from harness.evaluation.plan import Selection
from harness.evaluation.requests import open_sample
from harness.evaluation.task import Task
from harness.models.guard import require_offer
from harness.progress import EachMinute
from harness.requests import Turn
from harness.samples import Sample
from harness.samples.images import LoadedImage
from harness.samples.limits import MAX_PIXELS
from harness.specs.prompt import build_turns, render_answer
from harness_training.checkpoint import load_trainable

from harness_analyses.marks import marks_of

if TYPE_CHECKING:
    from harness.engine.contract import VisionLanguageModel

    from harness_analyses.hidden import Pair

KIND = "mir"
SCHEME = 1  # raised when the way distances are computed changes their numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class MirSettings:
    """What decides the numbers beside model and tasks.

    Attributes:
        pairs: Images with texts for each task; 100 in the official code.
    """

    pairs: int = 100


@dataclass(frozen=True, slots=True)
class _Shown:
    """An image with the chat and the answer that follow it."""

    task: Task
    sample: Sample
    text: str | None

    def image(self) -> LoadedImage:
        return open_sample(self.task.spec, self.sample, MAX_PIXELS)[0]

    def turns(self, image: LoadedImage) -> tuple[tuple[Turn, ...], str]:
        """Return the chat and its answer: the text alone where one is given."""
        if self.text is not None:
            return (Turn("user", "", (image,)),), self.text
        turns = build_turns(self.task.spec, self.sample, (image,))
        return turns, render_answer(self.task.spec, self.sample.target)


def run_mir(  # noqa: PLR0913  what the measurement is made of
    subject: ConfiguredModel,
    tasks: Sequence[Task],
    settings: MirSettings,
    *,
    checkpoint: Path | None,
    texts: Path | None,
    results: Path,
    say: Callable[[str], None],
) -> Analysis:
    """Measure a model on each task's images; what was done before is read back.

    Args:
        subject: The model.
        tasks: Where images come from, and texts (question and right answer) unless given.
        settings: How many pairs.
        checkpoint: What ``harness train`` wrote, put over the model's weights.
        texts: A file with one text per line, paired with images in order.
        results: Folder of the results.
        say: Receives lines on the progress.

    Raises:
        UserError: a model whose hidden states cannot be had, too few pairs.
    """
    require_offer(subject.descriptor, "hidden", "shows no hidden states")
    lines = None if texts is None else _lines(texts)
    pairs_of = {task.id: _pairs(task, settings.pairs, lines) for task in tasks}
    about: dict[str, Json] = {
        "model": subject.record(tasks[0]),
        "data": {task: _digest(pairs) for task, pairs in pairs_of.items()},
        "texts": texts is not None,
        "settings": {**asdict(settings), "scheme": SCHEME},
        "marks": marks_of(subject, tasks),
    }
    done = finished(results, KIND, about)
    if done is not None:
        return done
    started = time.monotonic()
    model = load_trainable(subject, tasks[0])
    if checkpoint is not None:
        from harness_training.weights import load

        load(model, checkpoint)
    rows: list[dict[str, Json]] = []
    layers: list[dict[str, Json]] = []
    for task, pairs in pairs_of.items():
        say(f"{task}: {len(pairs)} pairs")
        distances = _distances(model, pairs, say)
        total = math.fsum(distances)
        rate = math.log10(total) if total > 0 else None
        rows.append({"task": task, "mir": rate, "pairs": len(pairs), "layers": len(distances)})
        layers += [
            {"task": task, "layer": layer, "distance": value}
            for layer, value in enumerate(distances, 1)
        ]
    tables = [table_of("mir", rows), table_of("layers", layers)]
    seconds = time.monotonic() - started
    return write_analysis(results, KIND, about, tables, seconds=seconds)


def _distances(
    model: VisionLanguageModel, shown_pairs: Sequence[_Shown], say: Callable[[str], None]
) -> list[float]:
    from harness_analyses.hidden import layer_distances, pair_ids

    def pairs() -> Iterator[Pair]:
        far = EachMinute(say, shown_pairs[0].task.id, len(shown_pairs), "pairs")
        for pair in shown_pairs:
            try:
                image = pair.image()
            except SampleError as error:
                raise UserError(f"an image cannot be opened: {error}") from None
            turns, answer = pair.turns(image)
            yield pair_ids(model, turns, answer), image
            far.advance()

    return layer_distances(model, pairs, say)


def _pairs(task: Task, number: int, lines: Sequence[str] | None) -> list[_Shown]:
    task.annotation_hashes()  # says which files are missing
    candidates = [
        sample
        for sample in Selection(number).narrowed(task).of(task.samples())
        if len(sample.images) == 1 and (lines is not None or sample.target is not None)
    ]
    if lines is not None:
        candidates = candidates[: len(lines)]
    if len(candidates) < 2:
        raise UserError(f"task {task.id!r}: has fewer than two images with a text")
    texts: Sequence[str | None] = lines or [None] * len(candidates)
    return [_Shown(task, sample, text) for sample, text in zip(candidates, texts, strict=False)]


def _lines(path: Path) -> list[str]:
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"the texts cannot be read: {reason_of(error)}", where=path) from None
    except UnicodeDecodeError:
        raise UserError("the texts are not UTF-8", where=path) from None
    if not lines:
        raise UserError("the file holds no text", where=path)
    return lines


def _digest(shown_pairs: Sequence[_Shown]) -> str:
    digest = hashlib.sha256()
    for pair in shown_pairs:
        digest.update(f"{pair.task.spec.id}\n{pair.sample.id}\n{pair.text}\n".encode())
        digest.update(f"{pair.sample.target}\n".encode())
    return digest.hexdigest()
