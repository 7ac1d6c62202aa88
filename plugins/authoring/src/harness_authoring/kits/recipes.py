"""The kit of recipes: the same epochs after a stop, losses that are means, weights that weigh."""

from __future__ import annotations

import random as global_random
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.descriptors import Json
from harness.errors import UserError
from harness.guard import not_plain
from harness.training import Epoch, Example
from harness_training.guard import Guarded, check_pool

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.subjects import Subject

if TYPE_CHECKING:
    from harness.training import Batch
    from torch import Tensor

_CONCEPTS = ("doctor", "nurse", "pilot")
_RACES, _GENDERS = ("Black", "White", "Asian"), ("female", "male")
_CLOSE = 1e-5


def made_pool() -> list[Example]:
    """Return counterfactual sets of one task: concepts, and people of two attributes."""
    return [
        Example(
            f"{concept}-{number}/{race}-{gender}",
            "made",
            f"a {concept}",
            {"concept": concept},
            {"race": race, "gender": gender},
            cluster=f"{concept}-{number}",
        )
        for concept in _CONCEPTS
        for number in range(2)
        for race in _RACES
        for gender in _GENDERS
    ]


def made_skews() -> dict[tuple[str, str, str], float]:
    """Return skews as a model might have them."""
    chance = Random(3)
    values = [("race", value) for value in _RACES] + [("gender", value) for value in _GENDERS]
    return {
        (concept, name, value): chance.uniform(-0.8, 0.8)
        for concept in _CONCEPTS
        for name, value in values
    }


def _recipe(subject: Subject) -> Guarded:
    return Guarded(subject.descriptor, subject.options)


def _epoch(recipe: Guarded, number: int, seed: int = 11) -> Epoch:
    return recipe.epoch(number, made_pool(), made_skews, Random(seed + number))


def _state(epoch: Epoch) -> tuple[Any, ...]:
    weights = None if epoch.weights is None else [*epoch.weights]
    return [*epoch.order], weights, epoch.rejected, dict(epoch.figures)


def data(subject: Subject) -> None:
    """Say what it needs of the data before anything is loaded, in a message."""
    recipe = _recipe(subject)
    for note in check_pool(recipe, subject.id, made_pool()):
        if "\n" in note or not note.strip():
            raise ContractError(f"a note is not a single line: {note[:80]!r}")
    bare = [Example(str(number), "made", "yes") for number in range(3)]
    try:
        check_pool(recipe, subject.id, bare)
    except UserError as error:
        if not error.message.strip():
            raise ContractError("unsuitable data are refused without a message") from None


def epochs(subject: Subject) -> None:
    """Choose samples of the pool; figures are plain data."""
    recipe = _recipe(subject)
    for number in range(3):
        epoch = _epoch(recipe, number)
        if fault := not_plain(dict(epoch.figures)):
            raise ContractError(f"figures of an epoch are not plain data: {fault}")


def resume(subject: Subject) -> None:
    """Choose the same for an epoch when it goes on after a stop: by the seed, and no history."""
    recipe = _recipe(subject)
    before = [_state(_epoch(recipe, number)) for number in range(3)]
    for number, chosen in enumerate(before):
        if _state(_epoch(_recipe(subject), number)) != chosen:
            raise ContractError(
                f"epoch {number} sees other samples when the recipe has not seen those before it: "
                "a training that was stopped would go on otherwise"
            )


def randomness(subject: Subject) -> None:
    """Draw from the random numbers it is handed, and from no others."""
    chosen = []
    for seed in (1, 2):
        global_random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  what a recipe must not read
        chosen.append(_state(_epoch(_recipe(subject), 0)))
    if chosen[0] != chosen[1]:
        raise ContractError("what an epoch sees changes with the global random state")


def weights_that_train(subject: Subject) -> None:
    """Say of a weight by its part and name alone whether it trains."""
    names = [("connector", "proj.weight"), ("lora", "layers.0.q.weight"), ("lora", "a.bias")]
    first, second = _recipe(subject), _recipe(subject)
    if [first.trains(*one) for one in names] != [second.trains(*one) for one in names[::-1]][::-1]:
        raise ContractError("whether a weight trains depends on earlier calls")


# --- losses ---------------------------------------------------------------------------------------


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise NotApplicableError("torch is not installed") from None
    return torch


def _answers(torch: Any, seed: int, rows: int, *, logits: bool, extra: int = 0) -> Any:
    """Return answers of 3, 1, 2, 3, ... tokens; columns beyond them hold anything."""
    from harness.training import Answers

    chance = torch.Generator().manual_seed(seed)
    columns, size = 3, 6
    scores = torch.randn(rows, columns, size, generator=chance)
    targets = torch.randint(0, size, (rows, columns), generator=chance)
    lengths = torch.tensor([(3, 1, 2)[row % 3] for row in range(rows)])
    mask = (torch.arange(columns)[None] < lengths[:, None]).float()
    logprobs = scores.log_softmax(2).gather(2, targets[..., None]).squeeze(2)
    if extra:
        logprobs = torch.cat([logprobs, torch.full((rows, extra), -7.0)], 1)
        mask = torch.cat([mask, torch.zeros(rows, extra)], 1)
        scores = torch.cat([scores, torch.randn(rows, extra, size, generator=chance)], 1)
    return Answers(logprobs.requires_grad_(), mask, scores if logits else None)


def _batch(recipe: Guarded, rows: int = 4, *, extra: int = 0) -> Batch:
    from harness.training import Batch

    torch = _torch()

    def answers(seed: int, *, needed: bool) -> Any:
        return (
            _answers(torch, seed, rows, logits=recipe.needs_logits, extra=extra) if needed else None
        )

    pairs, reference = recipe.needs_pairs, recipe.needs_reference
    return Batch(
        torch.linspace(0.5, 1.5, rows),
        answers(0, needed=True),
        answers(1, needed=pairs),
        answers(2, needed=reference),
        answers(3, needed=pairs and reference),
    )


def _part(batch: Batch, rows: Sequence[int], weights: Tensor | None = None) -> Batch:
    """Return some rows of a batch, with other weights where they are given."""
    from harness.training import Answers, Batch

    chosen = list(rows)

    def of(answers: Answers | None) -> Answers | None:
        if answers is None:
            return None
        logits = None if answers.logits is None else answers.logits[chosen]
        return Answers(answers.logprobs[chosen], answers.mask[chosen], logits)

    taught = of(batch.taught)
    assert taught is not None
    part_weights = batch.weights[chosen] if weights is None else weights
    return Batch(
        part_weights, taught, of(batch.rejected), of(batch.reference), of(batch.reference_rejected)
    )


def _loss(recipe: Guarded, batch: Batch) -> float:
    return float(recipe.batch_loss(batch).detach())


def loss(subject: Subject) -> None:
    """Give a finite scalar with a gradient for the answers that are taught."""
    torch = _torch()
    recipe = _recipe(subject)
    batch = _batch(recipe)
    value = recipe.batch_loss(batch)
    if not bool(torch.isfinite(value)):
        raise ContractError(f"the loss is {float(value)}")
    leaves = [one for one in (batch.taught.logprobs, batch.taught.logits) if one is not None]
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    gradients = torch.autograd.grad(value, wanted, allow_unused=True)
    if all(one is None or not bool(one.any()) for one in gradients):
        raise ContractError("the loss has no gradient for the answers that are taught")
    if any(one is not None and not bool(torch.isfinite(one).all()) for one in gradients):
        raise ContractError("a gradient is not finite")


def mean(subject: Subject) -> None:
    """Be a mean over samples, whatever the micro-batch and the order."""
    _torch()
    recipe = _recipe(subject)
    batch = _batch(recipe)
    joint_loss = _loss(recipe, batch)
    single = sum(_loss(recipe, _part(batch, [row])) for row in range(4)) / 4
    if abs(joint_loss - single) > _CLOSE:
        raise ContractError(
            f"the loss of four samples is {joint_loss:.6f}, the mean of their losses {single:.6f}: "
            "weights would depend on the micro-batch"
        )
    turned = _loss(recipe, _part(batch, [3, 1, 0, 2]))
    if abs(joint_loss - turned) > _CLOSE:
        raise ContractError(f"{joint_loss:.6f}, and {turned:.6f} in another order of samples")


def zero_weight(subject: Subject) -> None:
    """Add nothing for a sample of weight 0, but its place in the mean."""
    torch = _torch()
    recipe = _recipe(subject)
    batch = _batch(recipe)
    weights = torch.tensor([1.0, 1.0, 1.0, 0.0])
    with_zero = _loss(recipe, _part(batch, range(4), weights))
    without = _loss(recipe, _part(batch, range(3), torch.ones(3)))
    if abs(with_zero * 4 - without * 3) > _CLOSE:
        raise ContractError(
            f"three samples add up to {without * 3:.6f}, with one of weight 0 to "
            f"{with_zero * 4:.6f}"
        )
    # What fills up the last step of several processes.
    if _loss(recipe, _part(batch, [0], torch.zeros(1))):
        raise ContractError("a sample of weight 0 by itself has a loss")


def padding(subject: Subject) -> None:
    """Read nothing where there is no token."""
    _torch()
    recipe = _recipe(subject)
    plain, padded = _batch(recipe), _batch(recipe, extra=2)
    first, second = _loss(recipe, plain), _loss(recipe, padded)
    if abs(first - second) > _CLOSE:
        raise ContractError(f"{first:.6f}, and {second:.6f} with two columns of padding")


def token_weights(subject: Subject) -> None:
    """Weigh tokens by the answer and its tokens alone: one number for each."""
    example = made_pool()[0]
    tokens = ["a", " doc", "tor", ""]
    first, second = _recipe(subject), _recipe(subject)
    if not first.weighs_tokens:
        raise NotApplicableError("it leaves all token weights at 1")
    weights = first.token_weights(example, tokens)
    second.token_weights(made_pool()[1], ["a", ""])
    if second.token_weights(example, tokens) != weights:
        raise ContractError("the weights of tokens depend on earlier calls")


def finished(subject: Subject) -> None:
    """Receive the end of an epoch."""
    figures: Mapping[str, Json] = {"epoch": 0, "samples": 3, "loss": 0.5, "steps": 1}
    _recipe(subject).finished(0, figures)


CHECKS = (
    Check("data", "what does not suit the recipe is refused in a message", data),
    Check("epochs", "an epoch sees samples of the pool; figures are plain", epochs),
    Check("resume", "an epoch is the same after a stop", resume),
    Check("randomness", "random numbers come from the seed alone", randomness),
    Check("trains", "whether a weight trains depends on its name alone", weights_that_train),
    Check("loss", "a finite scalar with a gradient", loss),
    Check("mean", "the mean over samples, whatever the micro-batch", mean),
    Check("zero_weight", "a sample of weight 0 adds nothing", zero_weight),
    Check("padding", "padding changes nothing", padding),
    Check("token_weights", "token weights depend on the answer alone", token_weights),
    Check("finished", "the end of an epoch is heard", finished),
)
