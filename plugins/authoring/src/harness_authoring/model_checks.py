"""Check that a model plugin keeps the contract: :func:`harness.check_model`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.arguments import FORMER, Device, checked
from harness.descriptors import Json
from harness.models import Runtime

from harness_authoring.contract import Outcome
from harness_authoring.models.candidate import Candidate
from harness_authoring.models.report import about, as_json, run_checks

FORMER["check_model"] = {"begin": "on_start", "tell": "on_outcome"}


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What came of the checks of a model.

    Attributes:
        data: The whole report as plain data: model, versions, machine, checks.
    """

    outcomes: Sequence[Outcome]
    data: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(outcome.status == "failed" for outcome in self.outcomes)


@checked
def check_model(  # noqa: PLR0913  one keyword for each flag
    name: str,
    *,
    options: Mapping[str, Json] | None = None,
    changes: Mapping[str, Json] | None = None,
    device: Device = "cpu",
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    on_start: Callable[[Mapping[str, Any]], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> ModelReport:
    """Run every check of the contract on a model, which is loaded several times.

    Args:
        name: The model's id.
        options: Its options (``-o``).
        changes: Another value of an option that must change the fingerprint; others are guessed.
        device: Where it runs.
        dtype: The weights'; checks are stricter in ``float32`` than in 16 bits.
        on_start: Called once with the report's contents besides the checks.
        on_outcome: Called with each finished check.

    Raises:
        UserError: the model cannot be loaded at all.
    """
    runtime = Runtime(device=device, dtype=dtype)
    candidate = Candidate(name, {**(options or {})}, runtime=runtime, changes={**(changes or {})})
    # A wrong path or a device that is not there ends the call, not each check.
    candidate.model().identity(candidate.runtime)
    candidate.answerer()
    if on_start is not None:
        on_start(about(candidate))
    outcomes = run_checks(candidate, on_outcome or (lambda _: None))
    return ModelReport(outcomes, as_json(candidate, outcomes))
