"""What a worker must be equal to, so that its answers are those of any other.

Terms are plain data. What they distinguish: fingerprints of each evaluation with their parts,
versions of packages, device type and dtype, all of which must be equal; and what can change a
number by rounding alone (processor, GPU, Python), which is refused under ``--deterministic`` and
otherwise a mark on the record.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json

if TYPE_CHECKING:
    from harness.evaluation.model import ConfiguredModel
    from harness.evaluation.run import Planned

MIXED = "mixed workers"
"""The mark of an evaluation by workers that differ in what changes a number by rounding."""
_PYTHON = "python"
_LONGEST = 60


def planned_terms(planned: Sequence[Planned]) -> dict[str, Json]:
    """Return what of the terms follows from a plan: it is the coordinator's and each worker's."""
    from harness.evaluation.exchanged import few_hashes

    evaluations: dict[str, Json] = {}
    for item in planned:
        job = item.job
        evaluations[job.plan.task.spec.name] = {
            "fingerprint": job.fingerprint,
            "task": dict(job.plan.parts),
            "model": job.model.get("identity"),
            "settings": job.numbers,
            "code": job.code,
            "blocks": len(job.plan.blocks),
            "images": few_hashes(job.plan.task),
        }
    return {"evaluations": evaluations, **package_terms(planned[0].job.versions)}


def package_terms(recorded: Mapping[str, Json]) -> dict[str, Json]:
    """Return what of the terms the versions in a record say."""
    versions = dict(recorded)
    python = versions.pop(_PYTHON, None)
    return {"versions": versions, "rounding": {_PYTHON: python}}


def worker_terms(model: ConfiguredModel, planned: Sequence[Planned]) -> dict[str, Json]:
    """Return a worker's terms: those of its plan, and of the device it will compute on."""
    runtime, torch = model.runtime, bool(model.descriptor.requires)
    terms = with_device(planned_terms(planned), runtime.device, torch=torch)
    return {**terms, "dtype": runtime.dtype}


def with_device(terms: Mapping[str, Json], requested: str, *, torch: bool) -> dict[str, Json]:
    """Return terms with the device that a worker will compute on.

    Args:
        terms: Those of its plan.
        requested: The device as it was asked for.
        torch: Whether PyTorch computes.
    """
    device, name = _device(requested, torch=torch)
    part = "processor" if device == "cpu" else "GPU"
    rounding = {**_mapping(terms, "rounding"), part: name}
    return {**terms, "rounding": rounding, "device type": device}


def _device(requested: str, *, torch: bool) -> tuple[str, str]:
    """Return type and name of the device that a model will run on."""
    kind = requested.partition(":")[0]
    if torch and kind in {"auto", "cuda"}:
        import torch as pytorch

        if pytorch.cuda.is_available():
            return "cuda", str(pytorch.cuda.get_device_name())
        if kind == "auto" and pytorch.backends.mps.is_available():
            return "mps", "mps"
    return "cpu" if kind == "auto" or not torch else kind, _processor()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
            names = (line.partition(":")[2] for line in lines if line.startswith("model name"))
            return " ".join(next(names, "").split()) or platform.machine()
    except OSError:
        return platform.processor() or platform.machine()


class Admission:
    """Compares what workers say they are with a plan, and with the first of them.

    Args:
        terms: Those of the coordinator's plan.
        strict: Whether what changes a number by rounding alone keeps a worker away too.

    Attributes:
        is_mixed: Whether workers take part that differ in such.
    """

    def __init__(self, terms: Mapping[str, Json], *, strict: bool = False) -> None:
        self._terms, self._strict = dict(terms), strict
        self._first: Mapping[str, Json] | None = None
        self.is_mixed = False

    def refusal(self, actual: Mapping[str, Json], note: Callable[[str], None]) -> str:
        """Return why a worker cannot take part; empty when it can.

        Args:
            actual: Its terms.
            note: Takes what it differs in all the same, the first time.
        """
        differing = differences(self._terms, actual)
        if self._first is None:
            if not differing:
                self._terms |= {name: actual.get(name) for name in ("device type", "dtype")}
                self._first = actual
        elif not differing and (rounding := rounding_differences(self._first, actual)):
            if self._strict:
                differing = rounding
            elif not self.is_mixed:
                self.is_mixed = True
                note(rounding[0])
        return f"it differs in {'; '.join(differing[:4])}" if differing else ""


def differences(expected: Mapping[str, Json], actual: Mapping[str, Json]) -> list[str]:
    """Return what a worker must be equal in and is not, each in a few words.

    Args:
        expected: Terms of the coordinator's plan; device type and dtype once reported.
        actual: The worker's.
    """
    return [*_of_evaluations(expected, actual), *_of_package(expected, actual)]


def rounding_differences(expected: Mapping[str, Json], actual: Mapping[str, Json]) -> list[str]:
    """Return what a worker differs in that changes a number by rounding at most."""
    return _changed("", _mapping(expected, "rounding"), _mapping(actual, "rounding"))


def _of_package(expected: Mapping[str, Json], actual: Mapping[str, Json]) -> Iterator[str]:
    yield from _changed("version of ", _mapping(expected, "versions"), _mapping(actual, "versions"))
    for name in ("device type", "dtype"):
        if name in expected and expected[name] != actual.get(name):
            yield f"{name} ({_short(expected[name])} there, {_short(actual.get(name))} here)"


def _of_evaluations(expected: Mapping[str, Json], actual: Mapping[str, Json]) -> Iterator[str]:
    theirs = _mapping(actual, "evaluations")
    for task, wanted in _mapping(expected, "evaluations").items():
        planned = theirs.get(task)
        if not isinstance(planned, dict) or not isinstance(wanted, dict):
            yield f"task {task!r} (not planned here)"
            continue
        parts = [
            f"{group}: {name}"
            for group in ("task", "model", "settings", "code")
            for name in _unequal(_mapping(wanted, group), _mapping(planned, group))
        ]
        # An image that the coordinator cannot read says nothing: it may have no images at all.
        images = _mapping(planned, "images")
        parts += [
            f"the image of sample {sample!r}"
            for sample, hashes in _mapping(wanted, "images").items()
            if hashes != images.get(sample)
        ]
        if parts or planned.get("fingerprint") != wanted.get("fingerprint"):
            yield f"task {task!r} ({', '.join(parts[:4]) or 'fingerprint'})"


def _unequal(first: Mapping[str, Json], second: Mapping[str, Json]) -> list[str]:
    return [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]


def _changed(subject: str, first: Mapping[str, Json], second: Mapping[str, Json]) -> list[str]:
    return [
        f"{subject}{name} ({_short(first.get(name))} there, {_short(second.get(name))} here)"
        for name in _unequal(first, second)
    ]


def _mapping(data: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _short(value: Json) -> str:
    return "none" if value is None else str(value)[:_LONGEST]
