"""Files of finished evaluations: in the shape that other tools read, or a benchmark's server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor, ExporterDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_commands", "harness_exporters"]

_SUMMARIES = {
    "eval_results": "Hugging Face .eval_results YAML: the headline value of each task.",
    "lm_eval": "Results JSON in the shape of lm-eval.",
    "every_eval_ever": "Every Eval Ever 0.3: aggregate JSON and samples.",
    "card": "An evaluation card in Markdown.",
}
_SAMPLES = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}


@hookimpl
def harness_exporters() -> Sequence[ExporterDescriptor]:
    """Offer the formats; none is imported."""
    exporters = [
        ExporterDescriptor(id=name, target=f"harness_exports.{name}:export", summary=summary)
        for name, summary in _SUMMARIES.items()
    ]
    exporters += [
        ExporterDescriptor(
            id=f"samples_{kind}",
            target=f"harness_exports.samples:{kind}_samples",
            summary=f"A row for each sample, as {name}.",
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
            functions={"export": "harness_exports.api:export"},
        ),
        CommandDescriptor(
            id="submission",
            target="harness_exports.command_submission:submission",
            summary="Write the file that a benchmark's own server takes.",
            section="Evaluate",
            functions={"submission": "harness_exports.api:submission"},
        ),
    ]
