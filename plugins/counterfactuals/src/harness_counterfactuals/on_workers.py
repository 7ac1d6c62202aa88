"""Sets made by the workers of an executor: each makes a set at a time, this process journals."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import HarnessError, UserError
from harness.runs.sample_record import SampleRecord
from harness.workers.contract import (
    Answered,
    BlockRequest,
    Event,
    Hello,
    Raised,
    Ready,
    WorkOrder,
)
from harness.workers.messages import error_data
from harness.workers.start import here
from harness.workers.terms import package_terms, with_device
from harness_studies.items import ItemCoordinator

from harness_counterfactuals.make import entries
from harness_counterfactuals.plan import planned_sets
from harness_counterfactuals.spec import Spec, load_spec
from harness_counterfactuals.studio import Materials, Studio, find_materials

if TYPE_CHECKING:
    from harness.runs.journal import Journal
    from harness.workers.start import FoundExecutor

_WORK = "harness_counterfactuals.on_workers:SetWorker"


def make_on(  # noqa: PLR0913, PLR0917  one keyword for each of a run's parts
    workers: FoundExecutor,
    materials: Materials,
    out: Path,
    batch: int | None,
    journal: Journal,
    missing: Sequence[int],
    say: Callable[[str], None],
) -> None:
    """Have workers make what is missing; their folder must be this one.

    Raises:
        UserError: no worker can take part, one raised, or a set cost several workers.
    """
    options: dict[str, Json] = {
        "spec": str(out.absolute() / "spec.yaml"),
        "model": materials.spec.generator.model,
        "out": str(out.absolute()),
        "batch": batch,
        "device": materials.device.type,
    }
    order = WorkOrder(
        model="",
        tasks=(),
        options=options,
        evaluations=(materials.spec.id,),
        directories=(str(out.absolute()),),
        terms=terms(materials),
        work=_WORK,
        **here(),
    )
    names = [planned.name for planned in planned_sets(materials.spec)]
    ItemCoordinator(workers, order, _Sets(journal, names, missing, say), say).run()


def terms(materials: Materials) -> dict[str, Json]:
    """Return what a worker must be equal to, without its device."""
    identity = materials.identity
    packages = identity.pop("packages")
    plan: dict[str, Json] = {
        "fingerprint": json.dumps(identity, sort_keys=True),
        "task": materials.spec.making(),
        "model": dict(materials.hashes),
        "settings": {"dtype": materials.dtype, "device": materials.device.type},
    }
    assert isinstance(packages, dict)
    return {"evaluations": {materials.spec.id: plan}, **package_terms(packages)}


class _Sets:
    """What the coordinator is to have made."""

    def __init__(
        self,
        journal: Journal,
        names: Sequence[str],
        missing: Sequence[int],
        say: Callable[[str], None],
    ) -> None:
        self._journal, self._names, self._say = journal, names, say
        self.pending = list(missing)
        self._left = len(missing)

    def is_free(self, item: int, asked: Collection[int]) -> bool:  # noqa: ARG002  the contract
        """Say that sets do not meet: each has folders of its own."""
        return True

    def begin(self, item: int, worker: str) -> None:
        """Note nothing: a finished set is printed."""

    def take(self, item: int, event: Answered) -> None:
        """Journal a set that a worker made."""
        for note in event.notes:
            self._journal.note(note)
            self._say(note)
        self._journal.append(item, [SampleRecord.from_json(dict(one)) for one in event.records])
        self._left -= 1
        self._say(f"{self._names[item]} by {event.worker}; {self._left} left")

    def give_up(self, item: int, why: str) -> None:
        """End the command: a set that ends its workers would end any other.

        Raises:
            UserError: always.
        """
        raise UserError(
            f"the set {self._names[item]!r} cannot be made: {why}",
            fix="the same command then continues; --batch-size 2 takes the least memory",
        )


class SetWorker:
    """Makes the sets of an order one at a time, and writes their images.

    Args:
        name: As events call it.
        order: What is to be done; its options are ``spec``, ``model``, ``out``, ``batch`` and
            ``device``.

    Raises:
        HarnessError: what keeps it from finding the checkpoint.
    """

    def __init__(self, name: str, order: WorkOrder) -> None:
        self.name, options = name, order.options
        spec = load_spec(str(options["spec"]))
        generator = replace(spec.generator, model=str(options["model"]))
        self._spec: Spec = replace(spec, generator=generator)
        self._out = Path(str(options["out"]))
        self._batch = options["batch"]
        self._materials = find_materials(self._spec, str(options["device"]))
        self._studio: Studio | None = None
        self._notes: list[str] = []
        self._sets = list(planned_sets(self._spec))

    def hello(self) -> Hello:
        """Return what this worker is: what it makes sets from, its packages and its device."""
        requested = self._materials.device.type
        return Hello(self.name, with_device(terms(self._materials), requested, torch=True))

    def load(self, request: BlockRequest) -> Iterator[Event]:  # noqa: ARG002  the contract
        """Load the checkpoint."""
        self._made()
        yield Ready(self.name)

    def _made(self) -> Studio:
        if self._studio is None:
            batch = self._batch if isinstance(self._batch, int) else None
            most = batch or len(self._spec.attributes[self._spec.edited])
            self._studio = Studio(self._materials, self._out, most, self._notes.append)
        return self._studio

    def answer(self, request: BlockRequest) -> Iterator[Event]:
        """Make one set."""
        studio = self._made()
        yield Ready(self.name)
        began = time.monotonic()
        try:
            rows = studio.make(self._sets[request.block])
        except HarnessError as error:
            yield Raised(self.name, request.evaluation, error_data(error))
            return
        taken = time.monotonic() - began
        records: list[Mapping[str, Json]] = [one.to_json() for one in entries(rows, taken)]
        notes, self._notes[:] = tuple(self._notes), []
        yield Answered(self.name, request.evaluation, request.block, records, notes, seconds=taken)

    def close(self) -> None:
        """Free the checkpoint."""
        self._studio = None
