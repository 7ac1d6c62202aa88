"""The kit of tasks: a spec that says what it is, data that can be read, prompts that render."""

from __future__ import annotations

from itertools import islice

import harness
from harness.config.tasks import installed_catalog
from harness.errors import HarnessError, UserError
from harness.evaluation.task import Task
from harness.specs.loader import check
from harness.specs.prompt import build_turns, prompt_text

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.subjects import Subject

_SHOWN = 20  # samples whose prompts are rendered
_BLANK = {"", "todo", "not said", "unknown", "?"}


def _task(subject: Subject) -> Task:
    return harness.load_task(subject.id, data=subject.data)


def valid(subject: Subject) -> None:
    """Be a spec that the schema takes, and name what is installed."""
    catalog = installed_catalog()
    catalog.task(subject.id)  # raises where it cannot be used
    for problem in check(catalog.entries[subject.id].document):
        raise ContractError(str(problem))


def says(subject: Subject) -> None:
    """Say under which licence the data are, and what numbers may be used for."""
    spec = _task(subject).spec
    for name in ("licence", "intended_use", "citation"):
        if str(getattr(spec, name, "-")).strip().lower() in _BLANK:
            raise ContractError(f"{name} says nothing")


def samples(subject: Subject) -> None:
    """Read its data, and ask of each sample what the template says."""
    task = _task(subject)
    try:
        read = list(islice(task.samples(), _SHOWN))
    except UserError as error:
        raise NotApplicableError(f"its data are missing: {error.message}") from None
    except HarnessError as error:
        raise ContractError(str(error)) from error
    if not read:
        raise ContractError("the evaluated split has no sample")
    for sample in read:
        try:
            build_turns(task.spec, sample, ())
            text = prompt_text(task.spec, sample)
        except HarnessError as error:
            raise ContractError(f"sample {sample.id!r}: {error.message}") from None
        if not text.strip():
            raise ContractError(f"sample {sample.id!r} has an empty prompt")


CHECKS = (
    Check("valid", "a spec that names what is there", valid),
    Check("says", "licence, citation and intended use", says),
    Check("samples", "data that can be read, prompts that render", samples),
)
