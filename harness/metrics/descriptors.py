"""Descriptors of the built-in metrics."""

from __future__ import annotations

from harness.descriptors import MetricDescriptor, Option

_ABSENT_CLASS = Option(
    name="absent_class",
    default="leave_out",
    choices=("leave_out", "zero"),
    help="A class that is not there leaves the mean over classes, or counts as 0.",
)

METRICS: tuple[MetricDescriptor, ...] = (
    MetricDescriptor(
        id="accuracy",
        target="harness.metrics.accuracy:Accuracy",
        summary="Share of right answers.",
    ),
    MetricDescriptor(
        id="mean_class_accuracy",
        target="harness.metrics.accuracy:MeanClassAccuracy",
        summary="Mean over classes of the share of right answers (mean recall).",
        options=(_ABSENT_CLASS,),
    ),
    MetricDescriptor(
        id="recall",
        target="harness.metrics.accuracy:Recall",
        summary="Share of one class's samples answered right.",
        options=(Option(name="label", help="The class."),),
    ),
    MetricDescriptor(
        id="f1_micro",
        target="harness.metrics.f1:F1Micro",
        summary="F1 over all answers together; equals accuracy with one answer a sample.",
    ),
    MetricDescriptor(
        id="f1_macro",
        target="harness.metrics.f1:F1Macro",
        summary="Mean over classes of F1.",
        options=(_ABSENT_CLASS,),
    ),
    MetricDescriptor(
        id="map",
        target="harness.metrics.average_precision:MeanAveragePrecision",
        summary="Mean over classes of average precision, each class against the rest.",
        version=3,
        options=(
            _ABSENT_CLASS,
            Option(
                name="ranked_by",
                default="probability",
                choices=("probability", "likelihood"),
                help="Log-probabilities as shares of all options, or as they are.",
            ),
        ),
    ),
)
