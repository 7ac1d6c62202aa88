"""Claims that a reviewer accepts: sample sizes, the human row, calibration and disagreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import (
        CommandDescriptor,
        FigureDescriptor,
        MetricDescriptor,
        ModelDescriptor,
    )

__all__ = ["harness_commands", "harness_figures", "harness_metrics", "harness_models"]


@hookimpl
def harness_metrics() -> Sequence[MetricDescriptor]:
    """Offer the metrics; what they compute with is not imported."""
    from harness.metrics import metrics_in

    return metrics_in("harness_claims.metrics")


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer what stands for a release's annotators."""
    from harness.descriptors import ModelDescriptor, Option

    return [
        ModelDescriptor(
            id="human",
            target="harness_claims.model:Human",
            summary="Annotators of the release, each scored against the others (leave one out).",
            capabilities=frozenset({"choose", "generate"}),
            sees_images=False,
            is_asked=False,
            needs_task=True,
            options=(
                Option(
                    name="votes",
                    default="votes",
                    help="Field with counts of votes, where the right answer is a label.",
                ),
            ),
        )
    ]


@hookimpl
def harness_figures() -> Sequence[FigureDescriptor]:
    """Offer a figure; matplotlib is imported when it is drawn."""
    from harness.descriptors import FigureDescriptor

    return [
        FigureDescriptor(
            id="risk_coverage",
            target="harness_claims.curves:risk_coverage",
            summary="Share of wrong answers among the most confident, by coverage.",
            requires=("matplotlib",),
            install="pip install matplotlib",
        )
    ]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer `harness power` and `harness human`; neither is imported."""
    from harness.descriptors import CommandDescriptor

    return [
        CommandDescriptor(
            id="power",
            target="harness_claims.power_command:power",
            summary="Say how many samples or seeds a difference needs.",
            section="Claims",
        ),
        CommandDescriptor(
            id="human",
            target="harness_claims.human_command:human",
            summary="Score each annotator against the rest, and models against that.",
            section="Claims",
            functions={"with_human_shares": "harness_claims.human_share:with_human_shares"},
        ),
        CommandDescriptor(
            id="prompts",
            target="harness_claims.prompts_command:prompts",
            summary="Say how far numbers depend on the wording of the question.",
            section="Claims",
        ),
        CommandDescriptor(
            id="rescore",
            target="harness_claims.rescore_command:rescore",
            summary="Read kept answers again with other metrics.",
            section="Claims",
        ),
    ]
