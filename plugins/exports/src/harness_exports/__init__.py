"""Results for other programs: files of evaluations, and tables in LaTeX, CSV and HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor, ExporterDescriptor, FormatDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_commands", "harness_exporters", "harness_leaderboard_formats"]

_SUMMARIES = {
    "eval_results": "Hugging Face .eval_results YAML: the headline value of each task.",
    "lm_eval": "Results JSON in the shape of lm-eval.",
    "every_eval_ever": "Every Eval Ever 0.3: aggregate JSON and samples.",
    "card": "An evaluation card in Markdown.",
}
_READS = {
    "eval_results": ("datasets",),
    "every_eval_ever": ("organization",),
    "card": ("organization",),
}
_SAMPLES = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}


@hookimpl
def harness_exporters() -> Sequence[ExporterDescriptor]:
    """Offer the formats; none is imported."""
    exporters = [
        ExporterDescriptor(
            id=name,
            target=f"harness_exports.{name}:export",
            summary=summary,
            reads=_READS.get(name, ()),
        )
        for name, summary in _SUMMARIES.items()
    ]
    exporters += [
        ExporterDescriptor(
            id=f"samples_{kind}",
            target=f"harness_exports.samples:{kind}_samples",
            summary=f"A row for each sample, as {name}.",
            reads=(),
        )
        for kind, name in _SAMPLES.items()
    ]
    return exporters


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer ``harness export`` and ``harness submission``, for formats of every plugin."""
    return [
        CommandDescriptor(
            id="export",
            target="harness_exports.command_export:export",
            summary="Write finished evaluations in the formats of others.",
            section="Evaluate",
            functions={
                "export": "harness_exports.api:export",
                "in_slices": "harness_exports.slices:in_slices",
                "run_file_of": "harness_exports.run_file:run_file_of",
            },
        ),
        CommandDescriptor(
            id="submission",
            target="harness_exports.command_submission:submission",
            summary="Write the file that a benchmark's own server takes.",
            section="Evaluate",
            functions={"submission": "harness_exports.api:submission"},
        ),
    ]


@hookimpl
def harness_leaderboard_formats() -> Sequence[FormatDescriptor]:
    """Offer tables for papers, spreadsheets and pages; none is imported."""
    return [
        FormatDescriptor(
            id="latex",
            target="harness_exports.latex:latex",
            summary="A booktabs table with its caption, for a paper.",
            suffix=".tex",
        ),
        FormatDescriptor(
            id="csv",
            target="harness_exports.csv_formats:csv_long",
            summary="One line per number, for analysis.",
            suffix=".csv",
        ),
        FormatDescriptor(
            id="csv_wide",
            target="harness_exports.csv_formats:csv_wide",
            summary="One line per model, for spreadsheets.",
            suffix=".csv",
        ),
        FormatDescriptor(
            id="html",
            target="harness_exports.html_formats:html",
            summary="A page that stands alone.",
            suffix=".html",
        ),
        FormatDescriptor(
            id="html_fragment",
            target="harness_exports.html_formats:html_fragment",
            summary="The table and its notes, for a page of your own.",
            suffix=".html",
        ),
    ]
