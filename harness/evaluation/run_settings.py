"""How a run asks, with the defaults of every interface. Light: the command line shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from harness.arguments import Seed, Threads, Within, Workers
from harness.samples.limits import MAX_PIXELS

if TYPE_CHECKING:
    from harness.evaluation.plan import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run asks; of these ``seed`` and ``max_pixels`` change numbers.

    Attributes:
        retry_errors: Ask blocks that hold a sample error again, sealed or not.
        again: Set aside what is there, and ask all of it anew.
        threads: PyTorch's threads on a CPU: a number, or ``auto``: by the model's size and load.
        workers: Processes that open images ahead; a thread does when 0.
        keep_prompts: Record each sample's prompt as it is sent; no number depends on it.
        named: Tasks asked for by their own name; of a group, a task that the model cannot be asked
            is left out.
        notes: What is to be said of what was asked for.
    """

    selection: Selection
    seed: Seed = 0
    max_pixels: Annotated[int, Within(1)] = MAX_PIXELS
    max_errors: Annotated[float, Within(0, 1)] = 0.01
    retry_errors: bool = False
    again: bool = False
    threads: Threads | Literal["auto"] = "auto"
    workers: Workers = 0
    keep_prompts: bool = False
    named: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
