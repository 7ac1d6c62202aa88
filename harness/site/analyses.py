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
    for analysis in analyses:
        name = f"analyses/{slug(analysis.kind, analysis.fingerprint[:12])}"
        marks = set(analysis.marks)
        site.page(
            f"{name}.html",
            "analysis.html",
            title=title_of(analysis),
            marks=marks,
            notes=analysis.notes,
            figures=_figures(site, analysis, name) if drawn else [],
            of=_of(analysis),
            tables=shown_tables(analysis),
            about=plain(dict(analysis.about)),
        )
        listed.append(
            (title_of(analysis), f"{name}.html", analysis.kind, sorted(marks), _of(analysis))
        )
    every = {mark for analysis in analyses for mark in analysis.marks}
    site.page("analyses.html", "analyses.html", title="Analyses", marks=every, listed=listed)


def title_of(analysis: Analysis) -> str:
    """Return an analysis' title; a study has one of its own."""
    study = analysis.about.get("study")
    if isinstance(study, dict) and isinstance(study.get("title"), str):
        return str(study["title"])
    return _TITLES.get(analysis.kind, analysis.kind)


def _of(analysis: Analysis) -> str:
    """Return what was analysed, in short: its models, towers and tasks."""
    model = analysis.about.get("model")
    names_by_kind = {
        "models": [str(model["id"])] if isinstance(model, dict) and "id" in model else []
    }
    for name, keys in (("models", ("encoder", "model")), ("tasks", ("task",))):
        rows = [row for table in analysis.tables for row in table.records()]
        names_by_kind.setdefault(name, []).extend(
            str(row[key]) for row in rows for key in keys if key in row
        )
    settings = analysis.about.get("settings")
    if isinstance(settings, dict) and "parts" in settings:
        names_by_kind["parts"] = [f"gradients of {settings['parts']}"]
    return "; ".join(" · ".join(dict.fromkeys(names)) for names in names_by_kind.values() if names)


def _figures(site: Site, analysis: Analysis, name: str) -> list[tuple[str, str]]:
    """Write an analysis' figures; return the file beside the page and what it shows."""
    from harness.figures.draw_analyses import DRAWN
    from harness.figures.save import figure_bytes

    images = []
    for kind, content_shown in figures_of(analysis).items():
        content = in_both_lights(figure_bytes(DRAWN[kind], content_shown, ".svg", clear=True))
        site.write(f"{name}-{kind}.svg", content)
        images.append(
            (
                f"{name.rpartition('/')[2]}-{kind}.svg",
                f"{_SAID[kind]}{_against(analysis, kind)}{_counted(analysis)}",
            )
        )
    return images


def _against(analysis: Analysis, kind: str) -> str:
    """Return what towers are compared with, where a probe compared them."""
    if (analysis.kind, kind) != ("probe", "degradation"):
        return ""
    return f" Compared with {analysis.table('degradation').records()[0]['first']}."


def _counted(analysis: Analysis) -> str:
    """Return how many samples, minibatches or seeds an analysis' numbers are of."""
    records = {table.name: table.records() for table in analysis.tables}
    for table, key, noun in (
        ("degradation", "seeds", "seeds"),
        ("transfer", "seeds", "seeds"),
        ("tasks", "minibatches", "minibatches a task"),
        ("probe", "samples", "test samples a task"),
    ):
        rows = records.get(table, [])
        counts = {count for row in rows if isinstance(count := row.get(key), int)}
        if counts == {1} and key == "seeds":
            return " One seed, so without intervals."
        if counts:
            least, most = min(counts), max(counts)
            return f" {least} {noun}." if least == most else f" {least} to {most} {noun}."
    return ""
