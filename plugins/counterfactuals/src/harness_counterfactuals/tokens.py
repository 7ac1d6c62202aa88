"""Every prompt of a spec in tokens, checked before any weight is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import UserError

from harness_counterfactuals.alignment import Tokens, tokens_of
from harness_counterfactuals.plan import planned_set

if TYPE_CHECKING:
    from harness_counterfactuals.plan import Base
    from harness_counterfactuals.spec import Spec


def base_tokens(base: Base, at: int, tokenizers: list[Any]) -> Tokens:
    """Return the tokens of one of a base's prompts; all text encoders must read the same ones.

    Raises:
        UserError: too many tokens, or tokenizers that divide the prompt differently.
    """
    prompt = base.images[at].prompt
    first, *others = [tokens_of(prompt, tokenizer) for tokenizer in tokenizers]
    if any(other.offsets != first.offsets or other.length != first.length for other in others):
        raise UserError(
            "the checkpoint's tokenizers split a prompt into different tokens", where=prompt.text
        )
    return first


def check_tokens(spec: Spec, tokenizers: list[Any]) -> int:
    """Check that the text encoders read every prompt whole; return the tokens of the longest.

    Raises:
        UserError: one is too long; the message has the count.
    """
    longest = 0
    for concept in spec.concepts:
        for number in range(min(spec.sets, len(concept.prompts))):
            for base in planned_set(spec, concept, number).bases:
                for at in range(len(base.images)):
                    try:
                        tokens = base_tokens(base, at, tokenizers)
                    except UserError as error:
                        error.where = f"template {number + 1} of concept {concept.name!r}"
                        raise
                    longest = max(longest, len(tokens.offsets))
    return longest
