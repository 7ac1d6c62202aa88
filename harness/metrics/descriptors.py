"""Descriptors of the built-in metrics."""

from __future__ import annotations

from harness.descriptors import MetricDescriptor, Option
from harness.metrics.bias_descriptors import BIAS_METRICS

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
    MetricDescriptor(
        id="l2_avg",
        target="harness.metrics.gaze:AverageL2",
        version=2,
        summary="Distance to the mean of the annotators' points, in shares of the picture.",
        direction="lower",
    ),
    MetricDescriptor(
        id="l2_min",
        target="harness.metrics.gaze:MinimumL2",
        version=2,
        summary="Distance to the nearest annotator's point, in shares of the picture.",
        direction="lower",
    ),
    MetricDescriptor(
        id="auc",
        target="harness.metrics.gaze_auc:GazeAuc",
        version=2,
        summary="ROC AUC of a Gaussian round the named point against the annotators' pixels.",
        options=(
            Option(
                name="sigma",
                type="float",
                default=3.0,
                help="Width of the Gaussian, in cells of the grid.",
            ),
            Option(
                name="grid", type="int", default=64, help="Cells along each side of the heat map."
            ),
        ),
        needs_image_size=True,
    ),
    MetricDescriptor(
        id="vqa_accuracy",
        target="harness.metrics.vqa:VqaAccuracy",
        summary="Official VQA accuracy: agreement with ten people's answers.",
        options=(
            Option(
                name="unanimous",
                default="as_written",
                choices=("as_written", "normalised"),
                help="How texts are compared where all references are equal.",
            ),
        ),
    ),
    MetricDescriptor(
        id="textvqa_accuracy",
        target="harness.metrics.vqa:TextVqaAccuracy",
        summary="Official TextVQA metric: VQA accuracy with its own reading of texts.",
    ),
    MetricDescriptor(
        id="circular_accuracy",
        version=2,
        target="harness.metrics.mmbench:CircularAccuracy",
        summary="Share of questions of which every round of the options is right.",
    ),
    MetricDescriptor(
        id="vanilla_accuracy",
        target="harness.metrics.mmbench:VanillaAccuracy",
        summary="Share of right answers in the first round.",
    ),
    *BIAS_METRICS,
)
