"""A small table of image sets, and a reviewer at work on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness_review.decisions import DecisionFile, Plan
from harness_review.session import REASONS, Session
from harness_review.sets import Columns, Material, read_material
from PIL import Image

HOSTILE = "<img src=x onerror=document.title='1'>"
RACES = ("A", "B")


def table(folder: Path, sets: int = 4) -> Path:
    """Write sets of two images, with a CSV that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["id,set,race,concept,image"]
    for number in range(sets):
        for index, race in enumerate(RACES):
            name = f"{number}-{race}.png"
            Image.new("RGB", (24, 16), (40 * number % 256, 120 * index, 9)).save(folder / name)
            concept = HOSTILE if number == 0 else "doctor"
            lines.append(f"{number}-{race},s{number},{race},{concept},{name}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def material_of(folder: Path) -> Material:
    return read_material(folder, Columns(), everything=False)


@contextmanager
def at_work(
    folder: Path,
    reviewer: str = "ann",
    *,
    reviewers: tuple[str, ...] = ("ann",),
    overlap: float = 0.0,
) -> Iterator[tuple[Session, DecisionFile]]:
    """Open a reviewer's file and session."""
    material = material_of(folder)
    plan = Plan(reviewers, overlap, 0)
    about = {"fingerprint": material.fingerprint, "table": material.table,
             "sets": len(material.sets), "images": material.images}  # fmt: skip
    with DecisionFile(folder / "reviews", reviewer, about, plan) as file:
        yield Session(material, file, plan, REASONS, {}), file


def wish(state: dict[str, Any], verdict: str, *reasons: str, **more: Any) -> dict[str, Any]:
    """Return what the page sends for a decision on the set that it shows."""
    return {"set": state["set"]["id"], "line": state["line"], "verdict": verdict,
            "reasons": [*reasons], "note": "", "seconds": 1.5, **more}  # fmt: skip


def lines_of(folder: Path, reviewer: str = "ann") -> list[dict[str, Any]]:
    text = (folder / "reviews" / f"{reviewer}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
