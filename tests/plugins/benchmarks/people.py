"""Small releases of the fairness benchmarks, written by hand."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

RACES = ("White", "Black", "Indian", "Asian", "Middle Eastern", "Latino")


def picture(shade: int = 0) -> bytes:
    """Return a tiny PNG of one grey."""
    data = io.BytesIO()
    Image.new("RGB", (2, 2), (shade, shade, shade)).save(data, "PNG")
    return data.getvalue()


def counterfactuals(occupation: str, number: int) -> list[dict[str, Any]]:
    """Return the twelve rows of a set of races and genders."""
    rows: list[dict[str, Any]] = []
    for race in RACES:
        for gender in ("male", "female"):
            pair = f"{race} {gender}"
            article = "an" if pair[0] in "AEIOUI" else "a"
            rows.append(
                {
                    "image": {"bytes": picture(len(rows)), "path": None},
                    "caption": f"A picture of {article} {pair} {occupation}",
                    "counterfactual_set": f"a_picture_of_race_gender_{occupation}_{number}_77",
                    "a1": race,
                    "a2": gender,
                    "a1_type": "race",
                    "a2_type": "gender",
                    "a1a2": pair,
                }
            )
    return rows


def shard(root: Path, rows: Sequence[dict[str, Any]], number: int = 0, total: int = 1) -> Path:
    """Write a parquet shard as Hugging Face names it, five rows a group."""
    path = root / "data" / f"train-{number:05d}-of-{total:05d}-0123abcd.parquet"
    return parquet(path, rows)


def parquet(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema | None = None) -> Path:
    """Write rows into a parquet file, five a group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, row_group_size=5)
    return path


def embedded(shade: int = 0) -> dict[str, Any]:
    """Return a picture as copies hold it."""
    return {"bytes": picture(shade), "path": f"{shade}.png"}
