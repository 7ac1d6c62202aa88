"""What of a model may train: names of parts, and the shape of LoRA adapters. Light: no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from harness.arguments import Within, check_fields

LORA = "lora"
AUTO = "auto"
"""What trains when nobody says: as the recipe says, else as the model's descriptor does."""
FULL = ("vision_tower", "connector", "language_model")
"""What ``--train-parts full`` stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Shape of new adapters.

    Attributes:
        rank: Of each adapter.
        alpha: Scale; what an adapter adds is multiplied by ``alpha / rank``.
        dropout: Before them, in training.
    """

    rank: Annotated[int, Within(1)] = 16
    alpha: Annotated[int, Within(1)] = 32
    dropout: Annotated[float, Within(0, 0.9)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
