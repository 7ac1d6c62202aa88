"""What a model offers is there: methods to train and probe it, and contrasted decoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.errors import PluginError, UserError
from harness.models.contract import OFFERED_METHODS
from harness.requests import Contrast, Generate

from harness_authoring.contract import ContractError, NotApplicableError
from harness_authoring.models.asking import Result, difference
from harness_authoring.models.candidate import Candidate

_STRONG = Contrast(alpha=1e3)


def offered_methods(candidate: Candidate) -> None:
    """Return what the offers ``train``, ``hidden`` and ``tower`` promise."""
    offered = candidate.descriptor.offers
    offers = offered & OFFERED_METHODS.keys()
    if not offers:
        raise NotApplicableError("it offers neither training, hidden states nor its vision tower")
    candidate.close()
    if offers & {"train", "hidden"}:
        from harness.engine.contract import VisionLanguageModel

        model = _loaded(candidate, "load_model")
        trains_pairs = "vectors" in offered and hasattr(model, "pairs")
        if not trains_pairs and not isinstance(model, VisionLanguageModel):
            raise ContractError(
                f"load_model returns {type(model).__name__}, which is not a VisionLanguageModel"
            )
        model.close()
    if "tower" in offers:
        from harness_analyses.towers import Tower

        module, run = _loaded(candidate, "load_tower")
        try:
            Tower(candidate.descriptor.id, module, run)  # runs it on a blank image
        except UserError as error:
            raise ContractError(
                f"load_tower returns an encoder that cannot be probed: {error}"
            ) from error


def _loaded(candidate: Candidate, method: str) -> Any:
    try:
        return getattr(candidate.model(), method)(candidate.runtime)
    except PluginError as error:
        raise ContractError(error.message) from error
    except UserError as error:  # some checkpoints of a family cannot
        raise NotApplicableError(f"it says: {error.message}") from error


def contrast(candidate: Candidate) -> None:
    """Write with a contrast: one of no strength changes nothing, a very strong one something."""
    if "contrast" not in candidate.descriptor.offers:
        raise NotApplicableError("it does not offer contrastive decoding")
    plain = _written(candidate, None)
    for none in (Contrast(alpha=0.0), Contrast(alpha=1.0, cutoff=1.0)):
        for name, result in _written(candidate, none).items():
            if problem := difference(plain[name], result, candidate.tolerance):
                raise ContractError(f"{name}, {none}: {problem}")
    strong = _written(candidate, _STRONG)
    if not any(difference(plain[name], strong[name], 0.0) for name in plain):
        raise ContractError(f"{_STRONG} changes no answer")


def _written(candidate: Candidate, how: Contrast | None) -> dict[str, Result]:
    requests = [
        replace(each, want=replace(each.want, contrast=how))
        for each in candidate.requests()
        if isinstance(each.want, Generate)
    ]
    try:
        return candidate.ask(requests)
    except ContractError as error:
        if isinstance(error.__cause__, UserError):  # some checkpoints of a family cannot
            raise NotApplicableError(f"it says: {error.__cause__.message}") from error
        raise
