"""Depth-first prefill of the prefix tree: a prefix runs once, its KV cache serves its children."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.forward import PrefilledRows, prefill_rows, takes_tree_masks
from harness.engine.prefix_tree import Prefix

OnPrefill = Callable[[PrefilledRows, Sequence[Prefix]], None]


def prefill_tree(  # noqa: PLR0913  a recursion carries where it is
    model: VisionLanguageModel,
    prefixes: Sequence[Prefix],
    batches: Batches,
    on_prefill: OnPrefill,
    need: Callable[[int, Prefix], int],
    *,
    widen: int = 1,
    parents: PrefilledRows | None = None,
    rows: Sequence[int] = (),
) -> None:
    """Prefill every prefix once, and hand each batch on while its KV cache lives.

    Args:
        model: The model.
        prefixes: What to prefill.
        batches: How to cut into batches.
        on_prefill: Gets each batch; may get the same prefixes again after memory ran out.
        need: Positions of KV cache that ``on_prefill`` needs for one trie, by the length of its row
            and its prefix.
        widen: Multiplies the size of a batch, where more rows help what follows.
        parents: Rows that the prefixes continue.
        rows: For each prefix, its parent's row.
    """
    parent_length = 0 if parents is None else parents.mask.shape[1]
    items = list(zip(prefixes, rows if parents is not None else [0] * len(prefixes), strict=True))

    def forward(chunk: Sequence[tuple[Prefix, int]]) -> list[None]:
        batch = [prefix for prefix, _ in chunk]
        prefilled = prefill_rows(model, batch, parents, [row for _, row in chunk])
        on_prefill(prefilled, batch)
        children = [(child, row) for row, prefix in enumerate(batch) for child in prefix.children]
        if children:
            prefill_tree(
                model,
                [prefix for prefix, _ in children],
                batches,
                on_prefill,
                need,
                widen=widen,
                parents=prefilled,
                rows=[row for _, row in children],
            )
        return [None] * len(chunk)

    batches.run(
        items,
        lambda item: item[0].length,
        forward,
        cached=lambda item: parent_length + item[0].length,
        reserve=max(_reserve(prefix, parent_length, need) for prefix in prefixes),
        widen=widen,
        # A gap between keys would be a distance to attention that counts rows, not positions.
        equal_lengths=parents is not None and not takes_tree_masks(model.language_model),
    )


def _reserve(prefix: Prefix, parent_length: int, need: Callable[[int, Prefix], int]) -> int:
    """Return the most positions of KV cache that one row needs after a prefix."""
    # Depth first, so only one chain of descendants is in memory at a time: its sum, not the tree's.
    length = parent_length + prefix.length
    below = [length + child.length + _reserve(child, length, need) for child in prefix.children]
    return max(need(length + prefix.longest_suffix, prefix), *below, 0)
