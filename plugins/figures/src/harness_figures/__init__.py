"""Figures for papers and pages, drawn by matplotlib: of evaluations, trainings and analyses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor, FigureDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.descriptors import PageKind

__all__ = ["harness_commands", "harness_figures"]

_SUMMARIES = {
    "forest": "Every number with its interval.",
    "skew": "Heat map of skew by concept and attribute.",
    "scatter": "Scatter plot of models on two tasks.",
    "plane": "Bias against ability: models on two tasks, with those that none beats in both.",
    "radar": "Each task's numbers, scaled from its worst to its best row.",
    "epochs": "Skew that a training run measured before each epoch.",
    "loss": "Training loss by step.",
}
_OF_ANALYSES = {
    "degradation": "What each vision tower lost, by task (degradation study).",
    "layers": "Probe accuracy by layer.",
    "conflict": "Cosines between the gradients of tasks.",
    "transfer": "Arrows from training on one task to training on several.",
}
_PAGES: Mapping[str, frozenset[PageKind]] = {
    "forest": frozenset({"evaluation", "changes"}),
    "skew": frozenset({"evaluation"}),
}


@hookimpl
def harness_figures() -> Sequence[FigureDescriptor]:
    """Offer the figures; matplotlib is imported when one is made."""
    analysis: frozenset[PageKind] = frozenset({"analysis"})
    return [
        *(
            _figure(name, name, summary, _PAGES.get(name, frozenset()))
            for name, summary in _SUMMARIES.items()
        ),
        *(
            _figure(name, "of_analysis", summary, analysis)
            for name, summary in _OF_ANALYSES.items()
        ),
    ]


def _figure(name: str, maker: str, summary: str, pages: frozenset[PageKind]) -> FigureDescriptor:
    return FigureDescriptor(
        id=name,
        target=f"harness_figures.plots:{maker}",
        summary=summary,
        requires=("matplotlib",),
        install="pip install matplotlib",
        pages=pages,
    )


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer ``harness plot``, for figures of every plugin."""
    return [
        CommandDescriptor(
            id="plot",
            target="harness_figures.command:plot",
            summary="Draw a figure of evaluations or of a training.",
            section="Evaluate",
            functions={"plot": "harness_figures.api:plot"},
        )
    ]
