"""SocialCounterfactuals: parquet shards with embedded images, one split `train`."""

from __future__ import annotations

import io
from itertools import count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.errors import UserError

from harness_demo_world.chance import identifier, stream
from harness_demo_world.counterfactuals import CounterfactualSet, dealt, kept, part_of, picture
from harness_demo_world.drawing.cues import OCCUPATIONS
from harness_demo_world.layouts.pixels import jpeg
from harness_demo_world.world import COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_PAIRS = {("race", "gender"): 3, ("physical", "gender"): 2, ("physical", "race"): 1}
_SHARDS = 2
_PREFIXES = ("A photo of", "A picture of", "")


def groups(seed: int) -> Iterator[CounterfactualSet]:
    """Yield the sets of all occupations and pairs of attribute types, named as the release does."""
    for pair, times in _PAIRS.items():
        sizes = {part: times * sets for part, sets in COUNTS["scounter"].items()}
        for occupation in OCCUPATIONS:
            yield from dealt(_candidates(seed, pair, occupation), sizes)


def _candidates(seed: int, pair: tuple[str, str], occupation: str) -> Iterator[CounterfactualSet]:
    kind = "_".join(pair)
    for number in count():
        rng = stream(seed, "scounter set", kind, number, occupation)
        prefix = rng.choice(_PREFIXES)
        start = f"{prefix} {kind} {occupation}".strip().lower().replace(" ", "_")
        name = f"{start}_{number}_{rng.randint(100_000, 999_999)}"
        yield CounterfactualSet(name, occupation, pair, number)


def caption(group: CounterfactualSet, values: tuple[str, str]) -> str:
    """Return the caption that an image was made from."""
    values_text = f"{values[0]} {values[1]}"
    article = "an" if values_text[0].lower() in "aeiou" else "a"
    starts = (prefix for prefix in _PREFIXES if prefix)
    named = (p for p in starts if group.name.startswith(p.lower().replace(" ", "_")))
    prefix = next(named, "")
    return f"{prefix} {article} {values_text} {group.concept}".strip()


def _rows(seed: int) -> Iterator[dict[str, object]]:
    for group in groups(seed):
        first, second = group.types
        for member in kept(seed, group, training=part_of(group) == "train"):
            values = (member.values[first], member.values[second])
            yield {
                "image": {"bytes": jpeg(picture(seed, group, member)), "path": None},
                "caption": caption(group, values),
                "a1": values[0],
                "a2": values[1],
                "a1_type": first,
                "a2_type": second,
                "a1a2": " ".join(values),
                "counterfactual_set": group.name,
            }


class SocialCounterfactuals:
    """Writer of the shards; the images are in them, so nothing is drawn beside."""

    splits = ("train",)

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, bytes]]:
        """Yield the shards.

        Raises:
            UserError: when pyarrow, which writes them, is not installed.
        """
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise UserError(
                "the demo world writes SocialCounterfactuals with pyarrow, which is not installed",
                fix="pip install 'social-harness[data]'",
            ) from None

        strings = ("caption", "a1", "a2", "a1_type", "a2_type", "a1a2", "counterfactual_set")
        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        schema = pa.schema([("image", image), *((name, pa.string()) for name in strings)])
        rows = list(_rows(seed))
        a_shard = -(-len(rows) // _SHARDS)
        for shard in range(_SHARDS):
            shard_rows = rows[shard * a_shard : (shard + 1) * a_shard]
            memory = io.BytesIO()
            table = pa.Table.from_pylist(shard_rows, schema=schema)
            pq.write_table(table, memory, row_group_size=100, compression="snappy")
            mark = identifier(seed, "scounter shard", shard)[:16]
            name = f"train-{shard:05d}-of-{_SHARDS:05d}-{mark}.parquet"
            yield PurePosixPath("data", name), memory.getvalue()

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield nothing: the images are in the shards."""
        del seed, split
        yield from ()
