"""Pages of analyses: probes, degradation, conflict, transfer; every table, and their figures."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.results import Analysis
from harness.figures.make import page_figures

from harness_site.analysis_tables import shown_tables
from harness_site.evaluation import in_both_lights
from harness_site.files import Site, plain, slug

_TITLES = {
    "probe": "Probes of visual encoders",
    "gradients": "Gradient conflict",
    "transfer": "Joint against single training",
    "mir": "Modality integration rate",
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
    images = []
    for figure in page_figures("analysis", analysis):
        file = f"{name}-{figure.id}.svg"
        site.write(file, in_both_lights(figure.content(".svg", clear=True)))
        images.append((file.rpartition("/")[2], figure.plot.caption))
    return images
