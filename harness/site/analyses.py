"""Pages of analyses: probes, degradation, conflict, transfer; every table, and their figures."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.results import Analysis
from harness.figures.analyses import figures_of
from harness.site.analysis_tables import shown_tables
from harness.site.evaluation import in_both_lights
from harness.site.files import Site, plain, slug

_TITLES = {
    "probe": "Probes of visual encoders",
    "gradients": "Gradient conflict",
    "transfer": "Joint against single training",
    "mir": "Modality integration rate",
}
_SAID = {
    "degradation": "What each tower lost by task, with 95 % intervals; positive: worse.",
    "layers": "Probe value by block of each encoder, a field for each task; bands: 95 % intervals.",
    "conflict": "Mean cosines between the tasks' gradients; the diagonal is a task with itself.",
    "transfer": "Arrows from no change to the change by joint training, by task; below each its "
    "95 % interval; grey: it holds 0, or there is none.",
}


def write_analyses(site: Site, analyses: Sequence[Analysis], *, drawn: bool) -> None:
    """Write the list of analyses and a page for each; figures where they can be drawn."""
    listed = []
    for found in analyses:
        name = f"analyses/{slug(found.kind, found.fingerprint[:12])}"
        marks = set(found.marks)
        site.page(
            f"{name}.html",
            "analysis.html",
            title=title_of(found),
            marks=marks,
            notes=found.notes,
            figures=_figures(site, found, name) if drawn else [],
            of=_of(found),
            tables=shown_tables(found),
            about=plain(dict(found.about)),
        )
        listed.append((title_of(found), f"{name}.html", found.kind, sorted(marks), _of(found)))
    every = {mark for found in analyses for mark in found.marks}
    site.page("analyses.html", "analyses.html", title="Analyses", marks=every, listed=listed)


def title_of(found: Analysis) -> str:
    """Return an analysis' title; a study has one of its own."""
    study = found.about.get("study")
    if isinstance(study, dict) and isinstance(study.get("title"), str):
        return str(study["title"])
    return _TITLES.get(found.kind, found.kind)


def _of(found: Analysis) -> str:
    """Return what was analysed, in short: its models, towers and tasks."""
    model = found.about.get("model")
    held = {"models": [str(model["id"])] if isinstance(model, dict) and "id" in model else []}
    for name, keys in (("models", ("encoder", "model")), ("tasks", ("task",))):
        rows = [row for table in found.tables for row in table.records()]
        held.setdefault(name, []).extend(
            str(row[key]) for row in rows for key in keys if key in row
        )
    settings = found.about.get("settings")
    if isinstance(settings, dict) and "parts" in settings:
        held["parts"] = [f"gradients of {settings['parts']}"]
    return "; ".join(" · ".join(dict.fromkeys(names)) for names in held.values() if names)


def _figures(site: Site, found: Analysis, name: str) -> list[tuple[str, str]]:
    """Write an analysis' figures; return the file beside the page and what it shows."""
    from harness.figures.draw_analyses import DRAWN
    from harness.figures.save import figure_bytes

    held = []
    for kind, shown in figures_of(found).items():
        content = in_both_lights(figure_bytes(DRAWN[kind], shown, ".svg", clear=True))
        site.write(f"{name}-{kind}.svg", content)
        held.append(
            (
                f"{name.rpartition('/')[2]}-{kind}.svg",
                f"{_SAID[kind]}{_against(found, kind)}{_counted(found)}",
            )
        )
    return held


def _against(found: Analysis, kind: str) -> str:
    """Return what towers are compared with, where a probe compared them."""
    if (found.kind, kind) != ("probe", "degradation"):
        return ""
    return f" Compared with {found.table('degradation').records()[0]['first']}."


def _counted(found: Analysis) -> str:
    """Return how many samples, minibatches or seeds an analysis' numbers are of."""
    held = {table.name: table.records() for table in found.tables}
    for table, key, said in (
        ("degradation", "seeds", "seeds"),
        ("transfer", "seeds", "seeds"),
        ("tasks", "minibatches", "minibatches a task"),
        ("probe", "samples", "test samples a task"),
    ):
        rows = held.get(table, [])
        counts = {count for row in rows if isinstance(count := row.get(key), int)}
        if counts == {1} and key == "seeds":
            return " One seed, so without intervals."
        if counts:
            least, most = min(counts), max(counts)
            return f" {least} {said}." if least == most else f" {least} to {most} {said}."
    return ""
