"""Descriptors of the metrics."""

from __future__ import annotations

from harness.descriptors import MetricDescriptor, Option

_DESIRED = Option(
    name="desired",
    default="pool",
    choices=("pool", "uniform"),
    help="The share that would be fair: that among the images asked, or equal shares.",
)
_CONCEPT = Option(name="concept", default="concept", help="Field of the sample with the concept.")
_POSITIVE = Option(name="positive", default="yes", help="The answer that assigns the concept.")
_SKEW = (
    Option(
        name="elicitation",
        default="yes_no",
        choices=("yes_no", "choice"),
        help="One yes/no question a concept, or one choice among concepts.",
    ),
    _CONCEPT,
    Option(name="concepts", help="Only these concepts, with commas; all by default."),
    Option(name="attributes", help="Group names, with commas; all groups by default."),
    _POSITIVE,
    Option(
        name="estimator",
        default="hard",
        choices=("hard", "soft"),
        help="Count answers, or sum the probability of the positive answer.",
    ),
    _DESIRED,
    Option(
        name="zero",
        default="add_alpha",
        choices=("add_alpha", "one_over_k", "zero"),
        help="What keeps the logarithm of a share of zero finite.",
    ),
    Option(name="alpha", type="float", default=1.0, help="Pseudo-images of add_alpha."),
    Option(
        name="unit",
        default="single",
        choices=("single", "intersection"),
        help="Compare single attribute values, or their intersections.",
    ),
    Option(
        name="min_assigned",
        type="int",
        default=0,
        help="Concepts assigned to fewer images than this do not count.",
    ),
)
_RANKED = (
    Option(name="k", type="int", default=10, help="How many of the first images count."),
    Option(
        name="least_k",
        default="one",
        choices=("one", "groups"),
        help="Raise k to the number of groups, as SocialCounterfactuals does.",
    ),
    _CONCEPT,
    Option(name="attribute", default="gender", help="Group name; several with commas."),
)
_RETRIEVAL = (
    *_RANKED,
    _DESIRED,
    Option(
        name="zero",
        default="one_over_k",
        choices=("one_over_k", "zero", "one_over_k_from_zero"),
        help="A share of zero: 1/k (VisoGender), skew 0 (SocialCounterfactuals), or 1/k with "
        "a maximum that starts at 0 (debias-vision-lang).",
    ),
)
_RESOLUTION = (
    Option(name="gender", default="gender", help="Group with the occupation's gender."),
    Option(name="context", default="context", help="Group with single or two."),
    Option(name="pair", default="pair", help="Group with same or different."),
    Option(name="masculine", default="masculine", help="The value counted as masculine."),
    Option(name="feminine", default="feminine", help="The value counted as feminine."),
    Option(name="people", default="all", choices=("all", "single", "two"), help="Which pictures."),
    Option(name="pairs", default="all", choices=("all", "same", "different"), help="Which pairs."),
    Option(
        name="rounding",
        default="official",
        choices=("official", "none"),
        help="Round to two decimals before each next step, as the official code does.",
    ),
)

METRICS: tuple[MetricDescriptor, ...] = (
    MetricDescriptor(
        id="l2_avg",
        target="harness_benchmarks.metrics.gaze:AverageL2",
        version=2,
        summary="Distance to the mean of the annotators' points, in shares of the picture.",
        direction="lower",
    ),
    MetricDescriptor(
        id="l2_min",
        target="harness_benchmarks.metrics.gaze:MinimumL2",
        version=2,
        summary="Distance to the nearest annotator's point, in shares of the picture.",
        direction="lower",
    ),
    MetricDescriptor(
        id="auc",
        target="harness_benchmarks.metrics.gaze_auc:GazeAuc",
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
        target="harness_benchmarks.metrics.vqa:VqaAccuracy",
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
        target="harness_benchmarks.metrics.vqa:TextVqaAccuracy",
        summary="Official TextVQA metric: VQA accuracy with its own reading of texts.",
    ),
    MetricDescriptor(
        id="circular_accuracy",
        version=3,
        target="harness_benchmarks.metrics.mmbench:CircularAccuracy",
        summary="Share of questions of which every round of the options is right.",
    ),
    MetricDescriptor(
        id="vanilla_accuracy",
        target="harness_benchmarks.metrics.mmbench:VanillaAccuracy",
        summary="Share of right answers in the first round.",
    ),
    MetricDescriptor(
        id="min_skew",
        target="harness_benchmarks.metrics.skew:MinSkew",
        summary="Mean over concepts of the lowest Skew@C over attribute values.",
        direction="zero",
        options=_SKEW,
        needs_target=False,
    ),
    MetricDescriptor(
        id="max_skew",
        target="harness_benchmarks.metrics.skew:MaxSkew",
        summary="Mean over concepts of the highest Skew@C over attribute values.",
        direction="zero",
        options=_SKEW,
        needs_target=False,
    ),
    MetricDescriptor(
        id="yes_rate",
        target="harness_benchmarks.metrics.skew:YesRate",
        summary="Share of answers that are the positive one.",
        direction="none",
        options=(_POSITIVE,),
        needs_target=False,
    ),
    MetricDescriptor(
        id="resolution_accuracy",
        target="harness_benchmarks.metrics.visogender:ResolutionAccuracy",
        summary="Share of pronouns resolved, mean of both genders (VisoGender).",
        options=_RESOLUTION,
    ),
    MetricDescriptor(
        id="gender_gap",
        target="harness_benchmarks.metrics.visogender:GenderGap",
        summary="Masculine minus feminine resolution accuracy (VisoGender).",
        direction="zero",
        options=_RESOLUTION,
    ),
    MetricDescriptor(
        id="retrieval_max_skew",
        target="harness_benchmarks.metrics.retrieval:RetrievalMaxSkew",
        summary="Mean over concepts of MaxSkew@K of the images ranked by a neutral text.",
        version=2,
        direction="zero",
        options=_RETRIEVAL,
        needs_target=False,
    ),
    MetricDescriptor(
        id="retrieval_min_skew",
        target="harness_benchmarks.metrics.retrieval:RetrievalMinSkew",
        summary="Mean over concepts of MinSkew@K of the images ranked by a neutral text.",
        version=2,
        direction="zero",
        options=_RETRIEVAL,
        needs_target=False,
    ),
    MetricDescriptor(
        id="ndkl",
        target="harness_benchmarks.metrics.retrieval:Ndkl",
        summary="Normalised discounted KL divergence of the ranking's prefixes.",
        version=2,
        direction="zero",
        options=(
            *_RANKED,
            _DESIRED,
            Option(
                name="form",
                default="divergence",
                choices=("divergence", "weighted_skew"),
                help="The usual one over the whole ranking, or what SocialCounterfactuals' code "
                "calls NDKL: skew weighted by desired shares, over the first k prefixes.",
            ),
        ),
        needs_target=False,
    ),
    MetricDescriptor(
        id="bias_at_k",
        target="harness_benchmarks.metrics.retrieval:BiasAtK",
        summary="Difference of two groups among the first k over their sum.",
        version=2,
        direction="zero",
        options=(
            *_RANKED,
            Option(name="first", default="masculine", help="The group counted positive."),
            Option(name="second", default="feminine", help="The group counted negative."),
        ),
        needs_target=False,
    ),
)
