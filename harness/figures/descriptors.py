"""Descriptors of the figures that the harness itself adds."""

from __future__ import annotations

from harness.descriptors import FigureDescriptor

_INSTALL = "pip install 'social-harness[plot]'"
_SUMMARIES = {
    "forest": "Every number with its interval.",
    "skew": "Heat map of skew by concept and attribute.",
    "scatter": "Models on two tasks.",
    "radar": "Every task's numbers from its worst to its best row.",
    "epochs": "Skew that a training measured before each epoch.",
    "loss": "Loss of a training by step.",
}
_OF_ANALYSES = {
    "degradation": "What each tower lost, by task (probe, study of degradation).",
    "layers": "Probes by layer.",
    "conflict": "Cosines between the gradients of tasks.",
    "transfer": "Arrows from training on one task to training on several.",
}

FIGURES = (
    *(
        FigureDescriptor(
            id=name,
            target=f"harness.figures.plots:{name}",
            summary=summary,
            requires=("matplotlib",),
            install=_INSTALL,
        )
        for name, summary in _SUMMARIES.items()
    ),
    *(
        FigureDescriptor(
            id=name,
            target="harness.figures.plots:of_analysis",
            summary=summary,
            requires=("matplotlib",),
            install=_INSTALL,
        )
        for name, summary in _OF_ANALYSES.items()
    ),
)
