"""Analyses by the workers of an executor: they encode images or take gradients, by minibatches.

The minibatches are those of one process, so the numbers are its numbers too. This process
alone writes, and computes the analysis from what workers return.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from harness.analysis.encoders import Encoder
from harness.config.settings import Settings
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.task import Task
from harness.models import Runtime
from harness.packages import versions
from harness.progress import EachMinute
from harness.specs import fingerprint
from harness.workers.contract import Answered, WorkOrder
from harness.workers.start import FoundExecutor, here, refuse_local
from harness.workers.terms import MIXED, package_terms
from harness_studies.items import ItemCoordinator

from harness_analyses.features import Column, Features
from harness_analyses.gradients import GradientPlan, Rows
from harness_analyses.probe import ProbeSettings, Seen, Wanted, wanted_of
from harness_analyses.splits import SPLITS, Probed

PROBE, GRADIENTS = "probe", "gradients"
_PACKAGES = ("social-harness", "numpy", "torch", "transformers")
Say = Callable[[str], None]


def packed(vector: Features) -> str:
    """Return a vector of float32 as text."""
    return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode("ascii")


def unpacked(text: Json) -> Features:
    """Return the vector that :func:`packed` wrote."""
    return np.frombuffer(base64.b64decode(str(text)), dtype="<f4").astype(np.float32)


def probe_terms(encoders: Sequence[Encoder], tasks: Sequence[Task]) -> dict[str, Json]:
    """Return what the workers of a probe must be equal in, without their device."""
    data: dict[str, Json] = {task.id: fingerprint(dict(task.parts())) for task in tasks}
    models: dict[str, Json] = {one.name: fingerprint(dict(one.identity)) for one in encoders}
    return _terms(PROBE, {"task": data, "model": models})


def gradient_terms(plan: GradientPlan) -> dict[str, Json]:
    """Return what the workers of a measurement must be equal in, without their device."""
    about = dict(plan.about)
    parts = {"task": about.pop("data"), "model": about.pop("model"), "settings": about}
    return _terms(GRADIENTS, parts)


def _terms(work: str, parts: Mapping[str, Json]) -> dict[str, Json]:
    about: dict[str, Json] = {"fingerprint": fingerprint(dict(parts)), **parts}
    return {"evaluations": {work: about}, **package_terms(versions(*_PACKAGES))}


@dataclass(frozen=True, slots=True)
class AnalysisWorkers:
    """An executor, and the arguments of the call that its workers plan with.

    Attributes:
        arguments: Plain data; see :mod:`harness_analyses.workers`.
        notes: What the analysis says of its workers; there once they are done.
    """

    executor: FoundExecutor
    arguments: Mapping[str, Json]
    settings: Settings
    say: Say
    notes: list[str] = field(default_factory=list)

    def refuse(self, runtime: Runtime) -> None:
        """Refuse what cannot be sent to a worker.

        Raises:
            UserError: a device of one machine was named, or plugins are only in this process.
        """
        refuse_local(self.executor.descriptor.id, runtime.device)

    def run(
        self,
        work: str,
        terms: Mapping[str, Json],
        count: int,
        take: Callable[[int, Answered], None],
        **more: Json,
    ) -> None:
        """Have workers answer ``count`` minibatches.

        Args:
            work: What is computed.
            terms: What workers must be equal in.
            count: Number of minibatches.
            take: Takes the answer to a minibatch.
            more: Further arguments of workers.
        """
        results = str(self.settings.results.absolute())
        order = WorkOrder(
            model="",
            tasks=(),
            options={**self.arguments, **more, "results": results},
            evaluations=(work,),
            directories=(results,),
            terms=terms,
            work=f"harness_analyses.workers:{work.title()}Worker",
            **here(),
        )
        coordinator = ItemCoordinator(self.executor, order, _Minibatches(count, take), self.say)
        coordinator.run()
        self.notes.extend(f"{MIXED}: they differ in {part}" for part in coordinator.mixed)

    def encode(
        self, encoders: Sequence[Encoder], settings: ProbeSettings, prepared: Sequence[Task]
    ) -> Callable[[Sequence[Probed]], Sequence[Seen]]:
        """Return what has the images of encoders encoded by workers."""

        def by_workers(tasks: Sequence[Probed]) -> Sequence[Seen]:
            cache = self.settings.cache
            wanted = [
                wanted_of(one, one.load(), tasks, settings, cache, self.say) for one in encoders
            ]
            batches = [
                (index, start)
                for index, one in enumerate(wanted)
                for start in range(0, len(one.missing), settings.batch)
            ]
            rejected = [0] * len(wanted)
            far = EachMinute(self.say, "workers", len(batches), "minibatches")

            def take(item: int, event: Answered) -> None:
                index = batches[item][0]
                rejected[index] += wanted[index].keep(
                    (str(record["key"]), _features(record)) for record in event.records
                )
                far.advance()

            if batches:
                self.run(
                    PROBE,
                    probe_terms(encoders, prepared),
                    len(batches),
                    take,
                    batches=[list(batch) for batch in batches],
                    columns=[
                        [[one.layer, one.pooling] for one in each.layers()] for each in wanted
                    ],
                    images=[_images(one, tasks) for one in wanted],
                )
            return [one.seen(tasks, lost) for one, lost in zip(wanted, rejected, strict=True)]

        return by_workers

    def measure(self, plan: GradientPlan, say: Say) -> tuple[list[Rows], int, int]:
        """Return the gradients of a plan, taken by workers; see :data:`.gradients.Measure`."""
        number = len(plan.batches[0])
        far = EachMinute(say, "workers", number * len(plan.tasks), "minibatches")
        vectors: dict[int, Features] = {}
        totals: list[int] = []

        def take(item: int, event: Answered) -> None:
            (record,) = event.records
            vectors[item] = unpacked(record["vector"])
            totals.append(int(str(record["total"])))
            far.advance()

        count = number * len(plan.tasks)
        self.run(GRADIENTS, gradient_terms(plan), count, take)
        rows = [
            np.stack([vectors[at] for at in range(start, start + number)])
            for start in range(0, count, number)
        ]
        return rows, rows[0].shape[1], totals[0]


class _Minibatches:
    """What the coordinator is to have computed; see :class:`harness_studies.items.Items`."""

    def __init__(self, count: int, take: Callable[[int, Answered], None]) -> None:
        self.pending = list(range(count))
        self.take = take

    def is_free(self, item: int, asked: Collection[int]) -> bool:  # noqa: ARG002  the contract
        """Say that minibatches do not meet."""
        return True

    def begin(self, item: int, worker: str) -> None:
        """Note nothing: progress is printed each minute."""

    def give_up(self, item: int, why: str) -> None:
        """End the command: what ends its workers would end any other.

        Raises:
            UserError: always.
        """
        raise UserError(
            f"minibatch {item} cannot be computed: {why}",
            fix="fewer workers, if memory is short; without --on the model says more",
        )


def _images(wanted: Wanted, tasks: Sequence[Probed]) -> list[Json]:
    """Return the missing images as workers find them: task, split, sample id and hash."""
    indices = {id(task): index for index, task in enumerate(tasks)}
    splits = {
        (id(task), row.sample.id, row.key): split
        for task in tasks
        for split in SPLITS
        for row in task.rows[split]
    }
    return [
        [indices[id(task)], splits[id(task), row.sample.id, row.key], row.sample.id, row.key]
        for task, row in wanted.missing
    ]


def _features(record: Mapping[str, Any]) -> dict[Column, Features] | None:
    """Return the features in a worker's record of an image; ``None`` for a rejected one."""
    vectors = record["vectors"]
    if vectors is None:
        return None
    return {
        Column(int(layer), str(pooling)): unpacked(vector) for layer, pooling, vector in vectors
    }
