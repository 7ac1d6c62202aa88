"""What of a model may train: names of parts, and the shape of LoRA adapters. Light: no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from harness.arguments import Within, check_fields
from harness.errors import UserError, nearest, quoted

LORA = "lora"
AUTO = "auto"
"""What trains when nobody says: as the recipe says, else as the model's descriptor does."""
FULL = ("vision_tower", "connector", "language_model", "encoder")
"""What ``--train-parts full`` stands for; a dual encoder is one part."""
WORDS = (AUTO, "full")


def named_parts(
    text: str, parts: Iterable[str] = FULL, where: str | None = None
) -> tuple[str, ...]:
    """Return the parts that a list with commas names.

    Args:
        text: Names of parts.
        parts: Those that may be named, beside adapters.
        where: What named them, for messages.

    Raises:
        UserError: a part that is not there, none, or two that are one.
    """
    choices = (*parts, LORA)
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in named:
        if part not in choices:
            names = choices if part in FULL else (*choices, *WORDS)
            raise UserError(
                f"the model has no part {quoted(part)}", where=where, fix=nearest(part, names)
            )
    if not named:
        raise UserError("no part is named to train", where=where, fix="name one, or auto")
    if len({*named}) < len(named):
        raise UserError("a part is named twice", where=where)
    if LORA in named and {"language_model", "encoder"} & {*named}:
        raise UserError(
            "lora replaces the training of the language model or of the encoder",
            where=where,
            fix="leave out one of the two",
        )
    return named


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Shape of new adapters.

    Attributes:
        rank: Rank of each adapter.
        alpha: Scale; what an adapter adds is multiplied by ``alpha / rank``.
        dropout: Before them, in training.
    """

    rank: Annotated[int, Within(1, 8192)] = 16
    alpha: Annotated[int, Within(1, 65536)] = 32
    dropout: Annotated[float, Within(0, 0.9)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
