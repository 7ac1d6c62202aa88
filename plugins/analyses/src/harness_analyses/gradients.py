"""Do tasks pull against each other? Cosines between the gradients of their losses.

Pair by pair over minibatches, as in PCGrad (Yu et al. 2020); which parameters arXiv 2512.01148
compared is not known, so they are an option. Noise pulls every cosine of minibatches towards zero:
the cosine of two minibatches of one task is the most that two tasks could be expected to reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from harness.analysis.results import (
    Analysis,
    AnalysisTable,
    finished,
    table_of,
    write_analysis,
)
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.model import ConfiguredModel
from harness.evaluation.task import Task
from harness.models.guard import require_offer
from harness.progress import EachMinute
from harness.stats.intervals import over_seeds
from harness_training.checkpoint import load_trainable
from harness_training.parts import LORA, LoraSettings
from harness_training.pool import Pool, make_pool
from numpy.typing import NDArray

from harness_analyses.marks import marks_of

if TYPE_CHECKING:
    from harness_analyses.sketching import Measurement

KIND = "gradients"
SCHEME = 1  # raised when the way gradients are computed changes their numbers
LEAST = 4

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSettings:
    """What decides the numbers beside model and tasks.

    Attributes:
        parts: ``lora``, ``connector``, ``vision_tower``, several with commas, or ``all``.
        batches: Minibatches a task, none sharing a sample with another.
        batch: Samples in each.
        sketch: Length of the sketches; 0 is exact, as any length is that holds all parameters.
        rank: Rank of LoRA adapters that are not there yet; their second matrix is zero at first, so
            that the first one's gradient is.
        seed: Chooses minibatches, new adapters and sketches.
        micro_batch: Samples in memory at once; changes nothing but memory.
    """

    parts: str = "lora"
    batches: int = 16
    batch: int = 8
    sketch: int = 1 << 16
    rank: int = LoraSettings().rank
    seed: int = 0
    micro_batch: int = 4


@dataclass(frozen=True, slots=True)
class GradientPlan:
    """What is measured: planned without loading a weight.

    Attributes:
        pools: What each task trains on.
        batches: By task, each minibatch's places in the pool; as many of each task.
        about: Everything that can change a number.
    """

    subject: ConfiguredModel
    tasks: Sequence[Task]
    settings: GradientSettings
    checkpoint: Path | None
    pools: Sequence[Pool]
    batches: Sequence[Sequence[Sequence[int]]]
    about: Mapping[str, Json]

    def measurement(self) -> Measurement:
        """Load the model, and make it ready for taking gradients."""
        import torch
        from harness_training.weights import Trained

        from harness_analyses import sketching

        settings = self.settings
        model = load_trainable(self.subject, self.tasks[0])
        torch.manual_seed(settings.seed)  # new LoRA weights
        lora = Trained((), rank=settings.rank, alpha=2 * settings.rank)
        trained = sketching.ready(model, settings.parts, lora, self.checkpoint)
        return sketching.Measurement(
            model,
            trained,
            size=settings.sketch,
            micro_batch=settings.micro_batch,
            seed=settings.seed,
        )


Measure = Callable[[GradientPlan, Callable[[str], None]], tuple[list[Rows], int, int]]
"""Returns ``(minibatches, width)`` gradients by task, their width, and the parameters' number."""


def plan_gradients(  # noqa: PLR0913  what the measurement is made of
    subject: ConfiguredModel,
    tasks: Sequence[Task],
    settings: GradientSettings,
    *,
    form: str | None,
    limit: int | None,
    checkpoint: Path | None,
) -> GradientPlan:
    """Deal the samples of tasks out to minibatches.

    Raises:
        UserError: fewer than two tasks, too few samples, a model that cannot be trained.
    """
    if len(tasks) < 2:
        raise UserError(
            "conflict is measured between tasks: name at least two", fix="--tasks ONE,OTHER"
        )
    require_offer(subject.descriptor, "hidden", "has no gradients that can be measured")
    _refuse_idle_rank(subject, settings)
    pools = [make_pool([task], form=form, limit=limit, seed=settings.seed) for task in tasks]
    batches = [
        minibatches(pool, task.id, settings) for pool, task in zip(pools, tasks, strict=True)
    ]
    number = min(len(by_task) for by_task in batches)
    batches = [by_task[:number] for by_task in batches]
    plain = {key: value for key, value in asdict(settings).items() if key != "micro_batch"}
    about: dict[str, Json] = {
        "model": subject.record(tasks[0]),
        "data": {task.id: pool.sha256 for task, pool in zip(tasks, pools, strict=True)},
        "form": form,
        "minibatches": number,
        "settings": {**plain, "scheme": SCHEME},
        "marks": marks_of(subject, tasks, limited=any(pool.limited for pool in pools)),
    }
    return GradientPlan(subject, tasks, settings, checkpoint, pools, batches, about)


def _refuse_idle_rank(subject: ConfiguredModel, settings: GradientSettings) -> None:
    """Refuse a rank of adapters where no new one is made.

    Raises:
        UserError: the parts name no adapter, or the training has its own.
    """
    if settings.rank == GradientSettings().rank:
        return
    parts = [part.strip() for part in settings.parts.split(",")]
    why = ""
    if parts != ["all"] and LORA not in parts:
        why = f"no adapter is made: the parts are {settings.parts}"
    trained = () if subject.checkpoint is None else subject.checkpoint.about.get("parts", ())
    if isinstance(trained, list) and LORA in trained:
        why = "no adapter is made: the training that is measured has its own"
    if why:
        raise UserError(why, where="--lora-rank", fix="leave it out")


def run_gradients(
    plan: GradientPlan,
    *,
    results: Path,
    say: Callable[[str], None],
    measure: Measure | None = None,
    notes: Sequence[str] = (),
) -> Analysis:
    """Measure gradient conflict of a model between tasks; what was done before is read back.

    Args:
        plan: What is measured.
        results: Folder of the results.
        say: Receives lines on the progress.
        measure: Takes the gradients elsewhere; this process does it when ``None``.
        notes: On how they were taken elsewhere; read afterwards.

    Raises:
        UserError: a part that the model has not or that no gradient reaches.
    """
    done = finished(results, KIND, plan.about)
    if done is not None:
        return done
    started = time.monotonic()
    gradients, width, total = (measure or _measure)(plan, say)
    by_task = dict(zip([task.id for task in plan.tasks], gradients, strict=True))
    size = "exact" if width == total else f"count sketches of {width:,} places"
    notes = [*notes, f"{total:,} parameters, {size}"]
    number = len(plan.batches[0])
    if number < plan.settings.batches:
        notes.append(f"{number} minibatches a task: the smallest train split has no more")
    seconds = time.monotonic() - started
    tables = tables_of(by_task)
    return write_analysis(results, KIND, plan.about, tables, notes=notes, seconds=seconds)


def _measure(plan: GradientPlan, say: Callable[[str], None]) -> tuple[list[Rows], int, int]:
    measurement, rows = plan.measurement(), list[Rows]()
    try:
        for pool, batches in zip(plan.pools, plan.batches, strict=True):
            task = pool.examples[0].task
            far, vectors = EachMinute(say, task, len(batches), "minibatches"), list[Rows]()
            for places in batches:
                vectors.append(measurement.of(pool, places, first=not rows and not vectors))
                far.advance()
            rows.append(np.stack(vectors))
            say(f"{task}: {len(vectors)} minibatches")
    finally:
        measurement.close()
    return rows, measurement.width, measurement.total


def minibatches(pool: Pool, task: str, settings: GradientSettings) -> list[list[int]]:
    """Return places of lessons, dealt out at random without repeats.

    Raises:
        UserError: fewer lessons than :data:`LEAST` minibatches take.
    """
    order = list(range(len(pool.lessons)))
    Random(f"{settings.seed}|{task}").shuffle(order)
    number = min(settings.batches, len(order) // settings.batch)
    if number < LEAST:
        raise UserError(
            f"task {task!r} has {len(order)} samples to train on, {LEAST} minibatches of "
            f"{settings.batch} are the least",
            fix="a smaller --batch-size, or a larger --limit",
        )
    return [order[at * settings.batch : (at + 1) * settings.batch] for at in range(number)]


def cosine(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return cosines ``(...)`` of vectors ``(..., width)``; NaN for a zero vector."""
    left, right = first.astype(np.float64), second.astype(np.float64)
    above = (left * right).sum(axis=-1)
    below = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def tables_of(gradients: Mapping[str, Rows]) -> list[AnalysisTable]:
    """Return ``pairs``, ``tasks`` and the ``matrix`` of mean cosines.

    Args:
        gradients: Task to ``(minibatches, width)``.

    The matrix's diagonal is the cosine of two minibatches of one task: the reference.
    """
    own_cosines = {task: _own(rows) for task, rows in gradients.items()}
    means: dict[tuple[str, str], Json] = {
        (task, task): row["own"] for task, row in own_cosines.items()
    }
    pairs: list[dict[str, Json]] = []
    for first, second in combinations(gradients, 2):
        cosines = cosine(gradients[first], gradients[second])
        cosine_of_means = cosine(gradients[first].mean(axis=0), gradients[second].mean(axis=0))
        row = _summary(cosines)
        means[first, second] = means[second, first] = row["mean"]
        pairs.append({"first": first, "second": second, **row, "of_means": float(cosine_of_means)})
    matrix: list[dict[str, Json]] = [
        {"task": first, **{second: means[first, second] for second in gradients}}
        for first in gradients
    ]
    tasks: list[dict[str, Json]] = [{"task": task, **row} for task, row in own_cosines.items()]
    return [table_of("pairs", pairs), table_of("tasks", tasks), table_of("matrix", matrix)]


def _own(rows: Rows) -> dict[str, Json]:
    """Return one task's cosines with itself: of pairs of minibatches, and of two halves' means."""
    half = len(rows) // 2
    summary = _summary(cosine(rows[0 : 2 * half : 2], rows[1 : 2 * half : 2]))
    halves = cosine(rows[0::2].mean(axis=0), rows[1::2].mean(axis=0))
    norm = float(np.linalg.norm(rows.astype(np.float64), axis=1).mean())
    return {
        "own": summary["mean"],
        "low": summary["low"],
        "high": summary["high"],
        "split_half": float(halves),
        "norm": norm,
        "minibatches": len(rows),
    }


def _summary(cosines: NDArray[np.float64]) -> dict[str, Json]:
    """Return mean, t interval over minibatches (within -1 and 1), and share below 0."""
    finite = cosines[np.isfinite(cosines)]
    interval = over_seeds(finite.tolist())
    return {
        "mean": float(finite.mean()) if len(finite) else None,
        "low": max(-1.0, interval.low) if interval else None,
        "high": min(1.0, interval.high) if interval else None,
        "negative": float((finite < 0).mean()) if len(finite) else None,
        "minibatches": len(finite),
    }
