"""Which tokens of an edited prompt stand for which of its source's, when words differ in length.

Prompt-to-Prompt (Hertz et al., arXiv 2208.01626): an edited prompt takes the cross-attention maps
of its source, token by token. Tokens are positions of the text encoder, padding included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.errors import UserError, short

from harness_counterfactuals.templates import ARTICLE, Prompt, Span, find_words


@dataclass(frozen=True, slots=True)
class Tokens:
    """A prompt in tokens.

    Attributes:
        offsets: First character, and the one after the last, of each token, the marks of begin
            and end included (which stand for no character).
        length: Positions of the text encoder; those after the end mark are padding.
        prompt: The prompt.
    """

    offsets: tuple[tuple[int, int], ...]
    length: int
    prompt: Prompt

    def of_characters(self, start: int, end: int) -> list[int]:
        """Return the positions of the tokens that share a character with a span."""
        return [at for at, (a, b) in enumerate(self.offsets) if a < end and b > start]

    def of_words(self, words: str) -> list[int]:
        """Return the positions of words, wherever they stand in the prompt."""
        spans = find_words(self.prompt.text, words)
        return sorted({at for span in spans for at in self.of_characters(*span)})

    def of_slot(self, slot: str) -> list[int]:
        """Return the positions of the words in a slot."""
        spans = [span for span in self.prompt.spans if span.slot == slot]
        return [at for span in spans for at in self.of_characters(span.start, span.end)]


@dataclass(frozen=True, slots=True)
class Alignment:
    """How an edited prompt's maps come from its source's.

    Attributes:
        weights: Source position, edited position, share: the map of the edited token is the sum of
            the source's, weighted. The shares of a source token are 1 in all, where it stands for
            any token.
        own: Positions of edited tokens that keep their own map.
    """

    weights: tuple[tuple[int, int, float], ...]
    own: tuple[int, ...]


def tokens_of(prompt: Prompt, tokenizer: Any) -> Tokens:
    """Return a prompt in a tokenizer's tokens.

    Args:
        prompt: The prompt.
        tokenizer: A text encoder's, with offsets (the fast kind).

    Raises:
        UserError: more tokens than the text encoder reads; the message has the count.
    """
    encoded = tokenizer(prompt.text, return_offsets_mapping=True, verbose=False)
    offsets = tuple((int(a), int(b)) for a, b in encoded["offset_mapping"])
    length = int(tokenizer.model_max_length)
    if len(offsets) > length:
        raise UserError(
            f"the prompt {short(prompt.text, 60)!r} is {len(offsets)} tokens long, and the text "
            f"encoder reads {length}",
            fix="shorten the template or the words of the values",
        )
    return Tokens(offsets, length, prompt)


def align(source: Tokens, edited: Tokens, slot: str, *, refine: bool = False) -> Alignment:
    """Align an edited prompt with its source: they differ in one slot's words alone.

    Words of equal length stand for each other token by token. Of unequal length, each source token
    is divided equally among the edited ones, as Prompt-to-Prompt does. Words that take nobody's
    place keep their own maps. Padding stands for padding; what is left of the source's goes to the
    last, so that no attention is lost where a prompt grows.

    Args:
        source: The source's tokens.
        edited: The edited prompt's, of the same template.
        slot: The attribute that is edited.
        refine: Whether edited words keep their own maps even where others stood.

    Raises:
        UserError: text outside the slot has other tokens in one prompt than in the other.
    """
    weights: list[tuple[int, int, float]] = []
    new_tokens: list[int] = []
    start = other_start = 0
    for first, second in _segments(source, edited, slot):
        before, after = first[0] - start, second[0] - other_start
        # Byte-pair merges across the border of a slot would shift every later position.
        if before != after:
            raise UserError(
                "the edited words change the tokens of the text beside them",
                where=f"{source.prompt.text!r} and {edited.prompt.text!r}",
                fix="put spaces around the braces of the edited attribute",
            )
        weights += [(start + at, other_start + at, 1.0) for at in range(before)]
        count, others = first[1] - first[0], second[1] - second[0]
        # No word stood there (or refining is asked for): nobody's attention can be taken over.
        if refine or not count:
            new_tokens += range(second[0], second[1])
        elif count == others:
            weights += [(first[0] + at, second[0] + at, 1.0) for at in range(count)]
        else:
            # Each source token's shares sum to 1, so the attention of the whole slot is kept.
            weights += [(i, j, 1.0 / others) for i in range(*first) for j in range(*second)]
        start, other_start = first[1], second[1]
    weights += _padding(len(source.offsets), len(edited.offsets), source.length)
    return Alignment(tuple(weights), tuple(new_tokens))


_Range = tuple[int, int]


def _segments(source: Tokens, edited: Tokens, slot: str) -> list[tuple[_Range, _Range]]:
    """Return the edited spans in tokens of both prompts, then the end of each."""
    spans = zip(_spans(source, slot), _spans(edited, slot), strict=True)
    ranges = [(_range(source, one), _range(edited, other)) for one, other in spans]
    end, other_end = len(source.offsets), len(edited.offsets)
    return [*ranges, ((end, end), (other_end, other_end))]


def _spans(tokens: Tokens, slot: str) -> list[Span]:
    """Return article and words of each place of the slot; no article is an empty span."""
    spans: list[Span] = []
    article: Span | None = None
    for span in tokens.prompt.spans:
        if span.slot == ARTICLE + slot:
            article = span
        elif span.slot == slot:
            spans += [article or Span(slot, span.start, span.start), span]
            article = None
    return spans


def _range(tokens: Tokens, span: Span) -> _Range:
    """Return the tokens of a span; of an empty one, the position where words would stand."""
    places = tokens.of_characters(span.start, span.end)
    if places:
        return places[0], places[-1] + 1
    before = sum(end <= span.start for _, end in tokens.offsets[:-1])
    return before, before


def _padding(source: int, edited: int, length: int) -> list[tuple[int, int, float]]:
    """Align padding, from the first position after the end mark on."""
    if edited == length:
        return [(at, length - 1, 1.0) for at in range(source, length)]
    return [(at, min(edited + at - source, length - 1), 1.0) for at in range(source, length)]
