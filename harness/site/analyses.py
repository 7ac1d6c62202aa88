"""Pages of analyses: probes, degradation, conflict, transfer; every table, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.results import Analysis, Table
from harness.descriptors import Json
from harness.figures.analyses import figures_of, marks_of
from harness.site.evaluation import in_both_lights
from harness.site.files import Site, plain, slug

_TITLES = {
    "probe": "Probes of visual encoders",
    "gradients": "Gradient conflict",
    "transfer": "Joint against single training",
    "mir": "Modality integration rate",
    "degradation": "Degradation of a vision tower",
}
_SAID = {
    "degradation": "What each tower lost by task, with intervals; positive is worse than before.",
    "layers": "Probe value by block of each encoder, a field for each task.",
    "conflict": "Mean cosines between the tasks' gradients; the diagonal is a task with itself.",
    "transfer": "Arrows from no change to the relative change by joint training, by task.",
}
_DIGITS = 4


def write_analyses(site: Site, analyses: Sequence[Analysis], *, drawn: bool) -> None:
    """Write the list of analyses and a page for each; figures where they can be drawn."""
    listed = []
    for found in analyses:
        name = f"analyses/{slug(found.kind, found.fingerprint[:12])}"
        marks = set(marks_of(found))
        site.page(
            f"{name}.html",
            "analysis.html",
            title=title_of(found),
            marks=marks,
            notes=found.notes,
            figures=_figures(site, found, name) if drawn else [],
            tables=[(table.name, *_cells(table)) for table in found.tables],
            about=plain(dict(found.about)),
        )
        listed.append((title_of(found), f"{name}.html", found.kind, sorted(marks), _of(found)))
    site.page("analyses.html", "analyses.html", title="Analyses", listed=listed)


def title_of(found: Analysis) -> str:
    """Return an analysis' title; a study has one of its own."""
    study = found.about.get("study")
    if isinstance(study, dict) and isinstance(study.get("title"), str):
        return str(study["title"])
    return _TITLES.get(found.kind, found.kind)


def _of(found: Analysis) -> str:
    """Return what was analysed, in short: its towers, models and tasks."""
    names: dict[str, None] = {}
    for table in found.tables[:1]:
        for row in table.records():
            for key in ("encoder", "model", "task", "first", "second"):
                if isinstance(row.get(key), str):
                    names[str(row[key])] = None
    return ", ".join(names)


def _figures(site: Site, found: Analysis, name: str) -> list[tuple[str, str]]:
    """Write an analysis' figures; return the file beside the page and what it shows."""
    from harness.figures.draw_analyses import DRAWN
    from harness.figures.save import figure_bytes

    held = []
    for kind, shown in figures_of(found).items():
        content = in_both_lights(figure_bytes(DRAWN[kind], shown, ".svg", clear=True))
        site.write(f"{name}-{kind}.svg", content)
        held.append((f"{name.rpartition('/')[2]}-{kind}.svg", _SAID[kind]))
    return held


Shown = list[tuple[str, bool]]


def _cells(table: Table) -> tuple[Shown, list[Shown]]:
    """Return headings and rows: each cell's text, and whether it is a number or none."""
    rows = [[(_text(cell), cell is None or _is_number(cell)) for cell in row] for row in table.rows]
    heads = [
        (column.replace("_", " "), all(row[place][1] for row in rows))
        for place, column in enumerate(table.columns)
    ]
    return heads, rows


def _text(cell: Any) -> str:
    if isinstance(cell, list):
        return ", ".join(_text(one) for one in cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.{_DIGITS}g}"
    return plain(cell)


def _is_number(cell: Json) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
