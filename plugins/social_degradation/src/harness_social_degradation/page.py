"""A study of degradation as a page of documentation, with its numbers and figures beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.results import Analysis
from harness.figures.make import page_figures, why_no_figures
from harness.runs.seal import write_json, write_whole
from harness.tables.formats import escape_markdown
from harness_studies.pages import check_page, marker

from harness_social_degradation.study import BEFORE, DegradationStudy

Row = Mapping[str, Any]


def write_page(
    study: DegradationStudy, analysis: Analysis, path: Path, steps: Mapping[str, int]
) -> list[Path]:
    """Write page, numbers and figures; what stands above the marker is left as it is.

    Raises:
        UserError: as :func:`harness_studies.pages.check_page`.
    """
    check_page(study, path)
    above = f"# {study.title}\n\n"
    if path.exists():
        above = path.read_text("utf-8").partition(marker(study))[0]
    figures = _figures(analysis, path)
    records = {table.name: table.records() for table in analysis.tables}
    parts = [marker(study), "## What probes find", _lost(records["degradation"], records["probe"])]
    parts += _shown(figures, "degradation", "What each tower lost by task")
    parts += ["## Tasks against controls", _groups(records["groups"])]
    if "contrasts" in records:
        parts += ["## One training against another", _contrasts(records["contrasts"])]
    if "transfer" in records:
        parts += ["## Joint against single training", _transfer(records["transfer"])]
        parts += _shown(figures, "transfer", "Change by joint training")
    if "conflict" in records:
        parts += ["## Gradient conflict", _conflict(records["conflict"])]
        parts += _shown(figures, "conflict", "Mean cosines between tasks' gradients")
    parts += ["## Steps", _steps(steps)]
    parts += ["## Made by", f"```console\nharness study {study.id} --page {path.name}\n```"]
    parts.append(f"```yaml\n{study.text.strip()}\n```")
    write_json(path.with_suffix(".json"), analysis.as_json())
    write_whole(path, [(above + "\n\n".join(parts) + "\n").encode()])
    return [path, path.with_suffix(".json"), *figures.values()]


def _figures(analysis: Analysis, path: Path) -> dict[str, Path]:
    if why_no_figures("analysis"):
        return {}
    files = {}
    for figure in page_figures("analysis", analysis):
        if figure.id != "layers":
            files[figure.id] = path.with_name(f"{path.stem}_{figure.id}.svg")
            write_whole(files[figure.id], [figure.content(".svg")])
    return files


def _shown(figures: Mapping[str, Path], kind: str, caption: str) -> list[str]:
    return [f"![{caption}]({figures[kind].name})"] if kind in figures else []


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        f"| {' | '.join(map(escape_markdown, heads))} |",
        "|" + " :-- |" + " --: |" * (len(heads) - 1),
    ]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return a cell's text; what begins as a number does was made here and needs no escape."""
    return text if text[:1] in "+-0123456789" else escape_markdown(text)


def _text(row: Row, key: str, scale: float = 1.0, *, sign: str = "", digits: int = 1) -> str:
    """Return a number with its interval."""
    numbers = [row[name] for name in (key, "low", "high")]
    if numbers[0] is None:
        return "--"
    value, *ends = [
        None if each is None else f"{each * scale:{sign}.{digits}f}" for each in numbers
    ]
    return str(value) if None in ends else f"{value} [{ends[0]}, {ends[1]}]"


def _digits(row: Row) -> int:
    return 1 if row["scale"] == 100 else 3


def _lost(lost: Sequence[Row], probes: Sequence[Row]) -> str:
    """Return tasks by training: before with its interval over test samples, then what was lost."""
    labels = list(dict.fromkeys(row["encoder"] for row in lost))
    places = list(dict.fromkeys((row["task"], row["layer"], row["pooling"]) for row in lost))
    by_place = {(row["encoder"], row["task"], row["layer"], row["pooling"]): row for row in lost}
    first = {
        (row["task"], row["layer"], row["pooling"]): row
        for row in probes
        if row["encoder"] == BEFORE
    }
    several_places = len({key[1:] for key in places}) > 1
    rows = []
    for key in places:
        base = first[key]
        named = f"{key[0]}, layer {key[1]}, {key[2]}" if several_places else str(key[0])
        control = " (control)" if base["is_control"] else ""
        cells = [f"{named}{control}, {base['metric']}"]
        cells.append(_text(base, "value", base["scale"], digits=_digits(base)))
        for label in labels:
            row = by_place[label, *key]
            cells.append(_text(row, "degradation", row["scale"], sign="+", digits=_digits(row)))
        rows.append(cells)
    caption = (
        "Before: the probe's value with its interval over test samples. Then what each training "
        "took away (positive: less is found after), mean over seeds with Student's t interval."
    )
    return f"{caption}\n\n{_table(['task', 'before', *(f'lost: {one}' for one in labels)], rows)}"


def _groups(groups: Sequence[Row]) -> str:
    labels = list(dict.fromkeys((row["encoder"], row["layer"], row["pooling"]) for row in groups))
    kinds = list(dict.fromkeys(row["group"] for row in groups))
    by_key = {(row["encoder"], row["layer"], row["pooling"], row["group"]): row for row in groups}
    rows = [
        [
            str(label[0]),
            *(_text(by_key[*label, kind], "relative_loss", 100, sign="+") for kind in kinds),
        ]
        for label in labels
    ]
    caption = "Loss relative to before, in percent, mean over the tasks of each group."
    return f"{caption}\n\n{_table(['training', *kinds], rows)}"


def _contrasts(contrasts: Sequence[Row]) -> str:
    pairs = list(dict.fromkeys((row["first"], row["second"]) for row in contrasts))
    places = list(dict.fromkeys((row["task"], row["layer"], row["pooling"]) for row in contrasts))
    by_key = {
        (row["first"], row["second"], row["task"], row["layer"], row["pooling"]): row
        for row in contrasts
    }
    rows = []
    for key in places:
        cells = [str(key[0])]
        for pair in pairs:
            row = by_key[*pair, *key]
            cells.append(_text(row, "difference", row["scale"], sign="+", digits=_digits(row)))
        rows.append(cells)
    caption = "What the first took away minus what the second did, seed by seed."
    heads = ["task", *(f"{one} - {other}" for one, other in pairs)]
    return f"{caption}\n\n{_table(heads, rows)}"


def _transfer(transfers: Sequence[Row]) -> str:
    rows = []
    for row in transfers:
        scale, digits = row["scale"], _digits(row)
        values = [
            "--" if row[key] is None else f"{row[key] * scale:.{digits}f}"
            for key in ("single", "joint")
        ]
        change = _text(row, "relative", 100, sign="+")
        rows.append([f"{row['task']}, {row['metric']}", str(row["tower"]), *values, change])
    caption = (
        "Relative change in percent, positive where joint training is better. Ends of intervals "
        "are cut to the changes that the metric allows."
    )
    return f"{caption}\n\n{_table(['task', 'tower', 'single', 'joint', 'change'], rows)}"


def _conflict(conflict: Sequence[Row]) -> str:
    towers = list(dict.fromkeys(row["tower"] for row in conflict))
    pairs = list(dict.fromkeys((row["first"], row["second"]) for row in conflict))
    by_key = {(row["tower"], row["first"], row["second"]): row for row in conflict}
    rows = []
    for first, second in pairs:
        cells = [f"{first} with itself" if first == second else f"{first}, {second}"]
        for tower in towers:
            row = by_key[tower, first, second]
            below = "" if row["negative"] is None else f", {100 * row['negative']:.0f} % below 0"
            cells.append(_text(row, "cosine", sign="+", digits=3) + below)
        rows.append(cells)
    caption = (
        "Mean cosine of minibatches' gradients, with Student's t interval over seeds. A task with "
        "itself is the most that two tasks could be expected to reach."
    )
    return f"{caption}\n\n{_table(['tasks', *(f'tower {first}' for first in towers)], rows)}"


def _steps(steps: Mapping[str, int]) -> str:
    return _table(["training", "steps"], [[name, str(count)] for name, count in steps.items()])
