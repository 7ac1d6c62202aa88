"""The workers of analyses: each finds the same tasks and models, and answers one minibatch a time.

Arguments of an order are those of :func:`harness.probe` or :func:`harness.gradients` as plain data.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.tasks import include, task_name
from harness.descriptors import Json
from harness.samples import Sample
from harness.samples.images import LoadedImage
from harness.workers.contract import (
    Answered,
    BlockRequest,
    Event,
    Hello,
    Raised,
    Ready,
    Refused,
    WorkOrder,
)
from harness.workers.messages import error_data
from harness.workers.terms import with_device

from harness_analyses import api
from harness_analyses.encoders import find_encoder
from harness_analyses.features import Column
from harness_analyses.gradients import GradientSettings, plan_gradients
from harness_analyses.on_workers import gradient_terms, packed, probe_terms
from harness_analyses.probe import ProbeSettings, encoded
from harness_analyses.splits import divided

if TYPE_CHECKING:
    from harness_analyses.sketching import Measurement
    from harness_analyses.towers import Tower


class _OtherImageError(Exception):
    """An image of this worker's data is not the one that was asked for."""


class AnalysisWorker(ABC):
    """Answers minibatches of an order, one at a time.

    Args:
        name: As events call it.
        order: What is to be done.
    """

    def __init__(self, name: str, order: WorkOrder) -> None:
        include(order.include)
        for spec in order.specs:
            task_name(spec)
        self.name, self.options = name, order.options
        shared: Any = {key: order.options[key] for key in api.AnalysisOptions.__annotations__}
        self.shared: api.AnalysisOptions = shared

    @abstractmethod
    def terms(self) -> dict[str, Json]:
        """Return what this worker is, without its device."""

    @abstractmethod
    def records(self, block: int) -> list[Mapping[str, Json]]:
        """Return the records of one minibatch."""

    def hello(self) -> Hello:
        """Return what this worker is: its data, models, packages and device."""
        device = str(self.options["device"])
        return Hello(self.name, with_device(self.terms(), device, torch=True))

    def load(self, request: BlockRequest) -> Iterator[Event]:  # noqa: ARG002  the contract
        """Load nothing: the first minibatch does."""
        return iter(())

    def answer(self, request: BlockRequest) -> Iterator[Event]:
        """Compute one minibatch."""
        began = time.monotonic()
        try:
            records = self.records(request.block)
        except _OtherImageError as error:
            yield Refused(self.name, str(error))
            return
        except Exception as error:  # noqa: BLE001  it would end every other worker as well
            yield Raised(self.name, request.evaluation, error_data(error))
            return
        yield Ready(self.name)
        seconds = time.monotonic() - began
        yield Answered(self.name, request.evaluation, request.block, records, seconds=seconds)

    def close(self) -> None:  # noqa: B027  nothing to free: the process ends
        """Free nothing: the process ends."""


class ProbeWorker(AnalysisWorker):
    """Encodes images.

    Args:
        name: As events call it.
        order: Its options are those of a probe; beside them ``batches`` (encoder and first image of
            each), ``columns`` and ``images`` of each encoder.
    """

    def __init__(self, name: str, order: WorkOrder) -> None:
        super().__init__(name, order)
        options: Any = self.options
        self._settings = ProbeSettings(**options["settings"])
        settings, self._tasks, runtime = api.prepared(options["tasks"], self.shared)
        self._encoders = [
            find_encoder(one, settings, runtime, self._tasks[0]) for one in options["encoders"]
        ]
        self._loaded: tuple[int, Tower] | None = None

    def terms(self) -> dict[str, Json]:
        """Return the data of the tasks and the identity of the encoders."""
        return probe_terms(self._encoders, self._tasks)

    @cached_property
    def _samples(self) -> list[tuple[Any, dict[tuple[str, str], Sample]]]:
        """Spec and samples of each task, by split and id."""
        limit, share = self.options["limit"], float(str(self.options["val_share"]))
        samples = []
        for task in self._tasks:
            spec, splits, *_ = divided(
                task,
                limit=limit if isinstance(limit, int) else None,
                share=share,
                seed=self._settings.seed,
            )
            by_id = {(split, one.id): one for split, some in splits.items() for one in some}
            samples.append((spec, by_id))
        return samples

    def records(self, block: int) -> list[Mapping[str, Json]]:
        """Return each image's vectors by layer and pooling; none for one that is rejected."""
        options: Any = self.options
        index, start = options["batches"][block]
        rows = options["images"][index][start : start + self._settings.batch]
        columns = [Column(layer, pooling) for layer, pooling in options["columns"][index]]
        images = [self._opened(*row) for row in rows]
        pairs = encoded(self._encoders[index].name, self._tower(index), images, columns)
        return [
            {
                "key": key,
                "vectors": None
                if features is None
                else [
                    [column.layer, column.pooling, packed(vector)]
                    for column, vector in features.items()
                ],
            }
            for key, features in pairs
        ]

    def _tower(self, index: int) -> Tower:
        """Return an encoder's tower; the one before is freed."""
        if self._loaded is None or self._loaded[0] != index:
            self._loaded = None
            self._loaded = index, self._encoders[index].load()
        return self._loaded[1]

    def _opened(self, task: int, split: str, name: str, key: str) -> LoadedImage:
        from harness.evaluation.requests import open_sample
        from harness.samples.limits import MAX_PIXELS

        spec, samples = self._samples[task]
        if (sample := samples.get((split, name))) is None:
            raise _OtherImageError(f"it has no sample {name!r} of {spec.id!r}")
        image = open_sample(spec, sample, MAX_PIXELS)[0]
        if image.key != key:
            raise _OtherImageError(f"it has another image of sample {name!r} of {spec.id!r}")
        return image


class GradientsWorker(AnalysisWorker):
    """Takes gradients.

    Args:
        name: As events call it.
        order: Its options are those of the measurement.
    """

    def __init__(self, name: str, order: WorkOrder) -> None:
        super().__init__(name, order)
        options: Any = self.options
        _, tasks, configured = api.with_model(
            options["model"],
            options["tasks"],
            options["options"],
            options["checkpoint"],
            self.shared,
        )
        self._plan = plan_gradients(
            configured,
            tasks,
            GradientSettings(**options["settings"]),
            form=options["form"],
            limit=options["limit"],
            checkpoint=None if options["checkpoint"] is None else Path(options["checkpoint"]),
        )
        self._measurement: Measurement | None = None

    def terms(self) -> dict[str, Json]:
        """Return what the gradients are taken of."""
        return gradient_terms(self._plan)

    def records(self, block: int) -> list[Mapping[str, Json]]:
        """Return the gradient of one minibatch, and the number of parameters."""
        if self._measurement is None:
            self._measurement = self._plan.measurement()
        task, index = divmod(block, len(self._plan.batches[0]))
        places = self._plan.batches[task][index]
        vector = self._measurement.of(self._plan.pools[task], places, first=block == 0)
        return [{"vector": packed(vector), "total": self._measurement.total}]
