"""Reads stems in batches, and stems behind them, while their keys and values live."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.forward import Read, read_stems, takes_masks
from harness.engine.prefix_tree import Prefix

Behind = Callable[[Read, Sequence[Prefix]], None]


def walk(  # noqa: PLR0913  a recursion carries where it is
    model: VisionLanguageModel,
    stems: Sequence[Prefix],
    batches: Batches,
    behind: Behind,
    need: Callable[[int, Prefix], int],
    *,
    together: int = 1,
    before: Read | None = None,
    rows: Sequence[int] = (),
) -> None:
    """Read every stem once and hand batches of them on.

    Args:
        model: The model.
        stems: What to read.
        batches: How to cut into batches.
        behind: Told each batch that was read; may come again for the same stems after memory ran
            out.
        need: Positions of keys and values that ``behind`` needs for one pack, by the length of its
            row, and its stem.
        together: Read so many times the stems of a usual forward pass, for more rows behind them.
        before: What the stems stand behind.
        rows: For each stem, the row of it.
    """
    held = 0 if before is None else before.mask.shape[1]
    items = list(zip(stems, rows if before is not None else [0] * len(stems), strict=True))

    def forward(chunk: Sequence[tuple[Prefix, int]]) -> list[None]:
        several = [stem for stem, _ in chunk]
        read = read_stems(model, several, before, [row for _, row in chunk])
        behind(read, several)
        children = [(one, row) for row, stem in enumerate(several) for one in stem.children]
        if children:
            walk(
                model,
                [stem for stem, _ in children],
                batches,
                behind,
                need,
                together=together,
                before=read,
                rows=[row for _, row in children],
            )
        return [None] * len(chunk)

    batches.run(
        items,
        lambda item: item[0].length,
        forward,
        kept=lambda item: held + item[0].length,
        behind=max(_reserve(stem, held, need) for stem in stems),
        together=together,
        # A gap between keys would be a distance to attention that counts rows, not positions.
        even=before is not None and not takes_masks(model.language_model),
    )


def _reserve(stem: Prefix, held: int, need: Callable[[int, Prefix], int]) -> int:
    """Return the positions of keys and values that one row needs behind a stem at the most."""
    length = held + stem.length
    below = [length + one.length + _reserve(one, length, need) for one in stem.children]
    return max(need(length + stem.behind, stem), *below, 0)
