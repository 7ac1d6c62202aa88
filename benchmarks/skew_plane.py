"""Draws docs/explanation/skew_plane.svg, bias against ability, of the committed numbers of a study.

It takes the table of ``docs/results/asd_main.json`` and the functions that draw ``harness plot
plane``, and trains and evaluates nothing. One way up stands MinSkew@C, the other one its matched
counterpart, so that both planes have the same rows and abilities.

Example: python benchmarks/skew_plane.py --out docs/explanation
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from harness_figures.draw import scatter
from harness_figures.records import with_front
from harness_figures.shapes import Dot, Point, Scatter

from harness.figures.save import figure_bytes
from harness.tables.table import Column

NUMBERS = Path(__file__).parents[1] / "docs" / "results" / "asd_main.json"
ABILITY = Column("vqav2", "VQAv2", "vqa_accuracy", "Acc", "higher", 100.0)
BIASES = {
    "skew_plane": Column("scounter", "SCounter", "min_skew", "Min", "zero", 1.0),
    "skew_plane_matched": Column(
        "scounter", "SCounter", "matched_min_skew", "Matched min", "zero", 1.0
    ),
}


def plane(numbers: dict[str, Any], bias: Column) -> Scatter:
    """Return the rows of a study's table that have both numbers, with the Pareto front."""
    table = numbers["tables"][0]
    places = [table["columns"].index(f"{column.over} {column.label}") for column in (ABILITY, bias)]
    dots = []
    for row in table["rows"]:
        cells = [row["cells"][place] for place in places]
        if None in cells or any(cell[0] is None for cell in cells):
            continue
        x, y = (Point(row["row"], *cell[:3]) for cell in cells)
        dots.append(Dot(row["row"], x, y))
    across, up = (f"{column.title}: {column.heading}" for column in (ABILITY, bias))
    return with_front(Scatter("", across, up, tuple(dots)), ABILITY, bias)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path("docs/explanation"))
    arguments = parser.parse_args()
    numbers = json.loads(NUMBERS.read_bytes())
    for name, bias in BIASES.items():
        content = figure_bytes(
            scatter, plane(numbers, bias), ".svg", note="Marked: demo, limited. 95 % intervals."
        )
        (arguments.out / f"{name}.svg").write_bytes(content)


if __name__ == "__main__":
    main()
