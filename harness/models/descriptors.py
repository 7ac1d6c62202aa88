"""Descriptors of the built-in baselines."""

from __future__ import annotations

from harness.descriptors import Capability, ModelDescriptor, Option

_CAPABILITIES: frozenset[Capability] = frozenset({"choose", "generate"})

BASELINES: tuple[ModelDescriptor, ...] = (
    ModelDescriptor(
        id="null",
        target="harness.models.null:Null",
        summary="Baseline: equal scores and empty texts.",
        capabilities=_CAPABILITIES,
        sees_images=False,
    ),
    ModelDescriptor(
        id="random",
        target="harness.models.random_answers:RandomAnswers",
        summary="Baseline: a drawn option; for written answers one of the train split's.",
        capabilities=_CAPABILITIES,
        sees_images=False,
        needs_task=True,
        learns=frozenset({"generate"}),
        options=(Option(name="seed", type="int", default=0, help="Seed of the draws."),),
    ),
    ModelDescriptor(
        id="majority",
        target="harness.models.majority:Majority",
        summary="Baseline: the train split's most frequent label, or its mean point.",
        capabilities=_CAPABILITIES,
        sees_images=False,
        needs_task=True,
        learns=_CAPABILITIES,
    ),
)
