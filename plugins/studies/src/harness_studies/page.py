"""A study's results as a page of documentation: what a person wrote, then all that was measured.

Beside ``NAME.md`` stand ``NAME.json`` with every number and ``NAME.svg`` with the figure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.figures.make import page_figures, why_no_figures
from harness.jsonfiles import read_object
from harness.runs.seal import write_whole
from harness.tables.formats import escape_markdown, markdown
from harness.tables.table import Section, Table
from harness_training.figures import chosen, measuring
from harness_training.run import RECORD

from harness_studies.noise import SEEDS
from harness_studies.pages import check_page, marker
from harness_studies.study import Study

if TYPE_CHECKING:
    from harness_studies.run import Outcome, StudyResult


def write_page(study: Study, result: StudyResult, path: Path) -> list[Path]:
    """Write page, numbers and figure; what stands above the marker is left as it is.

    Raises:
        UserError: as :func:`harness_studies.pages.check_page`.
    """
    check_page(study, path)
    above = f"# {study.title}\n\n"
    if path.exists():
        above = path.read_text("utf-8").partition(marker(study))[0]
    files = [path, path.with_suffix(".json")]
    figure = _figure(result.tables, path.with_suffix(".svg"))
    parts = [marker(study), *(markdown(table).strip() for table in result.tables)]
    if figure is not None:
        files.append(figure)
        parts.insert(2, f"![{study.title}]({figure.name})")
    trained = [one for one in result.outcomes if _record(one)]
    if trained:
        parts += ["## Trainings", _trainings(trained)]
    page_path = path.name if path.is_absolute() else path.as_posix()
    words = [*(f"{name}={value}" for name, value in study.environment.items()), "harness study"]
    parts += ["## Made by", f"```console\n{' '.join(words)} {study.id} --page {page_path}\n```"]
    parts.append(f"```yaml\n{study.text.strip()}\n```")
    numbers = json.dumps(_numbers(study, result), indent=1, sort_keys=True, ensure_ascii=False)
    write_whole(files[1], [numbers.encode() + b"\n"])
    write_whole(path, [(above + "\n\n".join(parts) + "\n").encode()])
    return files


def _figure(tables: Sequence[Table], path: Path) -> Path | None:
    changes = _changes(tables)
    if changes is None or why_no_figures("changes"):
        return None
    figures = page_figures("changes", changes)
    if not figures:
        return None
    note = f"{changes.title}; {SEEDS}, 95 %"
    write_whole(path, [figures[0].content(".svg", note=note)])
    return path


def _changes(tables: Sequence[Table]) -> Table | None:
    """Return the last table of changes with its intervals over seeds alone, rows fully named."""
    for table in reversed(tables):
        groups = {row.group for row in table.rows}
        rows = []
        for section in table.sections:
            part = section.title.rpartition(" = ")[2]
            for row in section.rows:
                if row.model.endswith(SEEDS) and any(row.cells):
                    name = row.model.removesuffix(SEEDS).removeprefix(row.group).strip(": ")
                    model = row.group if len(groups) > 1 or not name else ""
                    rows.append(replace(row, model=": ".join(filter(None, (model, part, name)))))
        if rows:
            return replace(table, sections=(Section("", tuple(rows)),))
    return None


def _trainings(outcomes: Sequence[Outcome]) -> str:
    lines = ["| trial | samples | steps | loss | of each epoch | seconds |"]
    lines.append("| :-- | --: | --: | --: | :-- | --: |")
    for outcome in outcomes:
        record = _record(outcome)
        epochs = record["epochs"]
        figures = (", ".join([*chosen(epoch), *measuring(epoch)]) for epoch in epochs)
        loss = epochs[-1].get("loss") if epochs else None
        cells = [
            escape_markdown(outcome.trial.name),
            f"{sum(outcome.plan.samples.values()):,}",
            f"{sum(epoch['steps'] for epoch in epochs):,}",
            f"{loss:.4f}" if isinstance(loss, float) else "--",
            escape_markdown("; ".join(filter(None, figures))) or "--",
            f"{record['seconds']:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _record(outcome: Outcome) -> dict[str, Any]:
    """Return the training's record; empty for a trial without one."""
    if outcome.plan.folder is None:
        return {}
    try:
        return read_object(outcome.plan.folder / RECORD)
    except UserError:
        return {}


def _numbers(study: Study, result: StudyResult) -> dict[str, Any]:
    return {
        "format": 1,
        "study": study.id,
        "environment": dict(study.environment),
        "failed": list(result.failed),
        "tables": [_plain(table) for table in result.tables],
        **{
            path.stem: json.loads(path.read_bytes())
            for path in result.files
            if path.name.endswith("_seeds.json") or path.name == "study.json"
        },
    }


def _plain(table: Table) -> dict[str, Any]:
    """Return a table's numbers; all that stands beside them is in the study's own folder."""
    rows = [
        {
            "section": section.title,
            "group": row.group,
            "row": row.model,
            "cells": [
                None if cell is None else [cell.value, cell.low, cell.high, cell.seeds]
                for cell in row.cells
            ],
        }
        for section in table.sections
        for row in section.rows
    ]
    columns = [f"{column.over} {column.label}" for column in table.columns]
    cells = "value, low, high, seeds"
    return {"title": table.title, "columns": columns, "cells": cells, "rows": rows}
