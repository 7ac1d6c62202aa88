"""What a language model holds of images and of texts, layer by layer, and how far apart that is.

The rule is that of the official code of Modality Integration Rate (Huang et al., arXiv 2410.07167;
``mir.py`` and ``mir_util.py``), with the exact matrix root, its ``accurate`` mode. Its default,
five steps of an iteration that has not converged, gives other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from harness.engine.contract import IMAGE, PromptError, VisionLanguageModel
from harness.engine.tokenize import Ids
from harness.errors import UserError
from harness.requests import Turn
from harness.samples.images import LoadedImage
from torch import Tensor, nn

from harness_analyses.towers import find_blocks, watching

Pair = tuple[Ids, LoadedImage]
LAYERS_AT_ONCE = 8


def pair_ids(model: VisionLanguageModel, turns: Sequence[Turn], answer: str) -> Ids:
    """Return the ids of a chat about one image with its answer.

    Raises:
        UserError: a chat that this model cannot be asked, or text that ends before the image.
    """
    try:
        joint = model.prompt(turns, (answer,))
    except PromptError as error:
        raise UserError(f"the model cannot take these prompts: {error}") from None
    ids = (*joint.prefix, *joint.options[0])
    if ids.count(IMAGE) != 1 or ids[-1] == IMAGE:
        raise UserError("a pair must be one image and the text after it")
    return ids


def layer_count(model: VisionLanguageModel) -> int:
    """Return the blocks of the language model."""
    return len(_blocks(model))


@torch.inference_mode()
def layer_distances(
    model: VisionLanguageModel,
    pairs: Callable[[], Iterator[Pair]],
    say: Callable[[str], None],
    *,
    at_once: int = LAYERS_AT_ONCE,
) -> list[float]:
    """Return the distance between image and text at each layer, the first block's output first.

    Layers are held a few at a time, and the pairs are run again for the next ones.

    Args:
        model: The model.
        pairs: Yields the pairs anew each time it is called.
        say: Receives lines on the progress.
        at_once: Layers in memory.
    """
    layers = layer_count(model)
    distances: list[float] = []
    for start in range(0, layers, at_once):
        chunk = range(start, min(start + at_once, layers))
        image_states: list[list[Tensor]] = [[] for _ in chunk]
        text_states: list[list[Tensor]] = [[] for _ in chunk]
        for ids, image in pairs():
            states, first, last = hidden_states(model, ids, image)
            for index, layer in enumerate(chunk):
                image_states[index].append(states[layer][first:last].float().cpu())
                text_states[index].append(states[layer][last:].float().cpu())
        distances += [
            distance(torch.cat(images), torch.cat(texts))
            for images, texts in zip(image_states, text_states, strict=True)
        ]
        say(f"layers {start + 1} to {chunk[-1] + 1} of {layers}")
    return distances


def hidden_states(
    model: VisionLanguageModel, ids: Ids, image: LoadedImage
) -> tuple[list[Tensor], int, int]:
    """Return every layer's states ``(L, W)``, and where the image's positions begin and end.

    The last layer is what the output layer reads, after the final norm, as transformers has it.
    """
    (projected,) = model.connect(model.encode([image]))
    # A text that is too long for the model is cut.
    inputs = model.inputs(ids[: model.context - len(projected) + 1], [projected])
    first = ids.index(IMAGE)
    states: list[Tensor] = []
    final: list[Tensor] = []
    head: nn.Module = model.language_model.get_output_embeddings()

    def read(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        final.append(inputs[0].detach()[0])

    handle = head.register_forward_pre_hook(read)
    try:
        with watching(_blocks(model), lambda _, output: states.append(_state(output))):
            model.forward(
                inputs.embeds[None],
                mask=torch.ones(1, inputs.length, dtype=torch.long, device=inputs.embeds.device),
                positions=inputs.positions[:, None],
                cache=None,
                extras={name: value[None] for name, value in inputs.extras.items()},
            )
    finally:
        handle.remove()
    return [*states[:-1], final[-1]], first, first + len(projected)


def distance(vision: Tensor, text: Tensor) -> float:
    """Return one layer's distance: Frechet's, of scaled states without outliers.

    Both are divided by the mean norm of text states. A state whose norm is more than three standard
    deviations from the median norm is replaced by the median state.

    Args:
        vision: ``(n, W)`` float32 states of images.
        text: ``(m, W)`` of texts.
    """
    scale = text.norm(dim=-1).mean()
    return frechet(settled(vision / scale), settled(text / scale))


def settled(states: Tensor) -> Tensor:
    """Return states ``(n, W)`` with outliers by norm replaced by the median state."""
    norms = states.norm(dim=-1)
    outliers = (norms - norms.median()).abs() > 3 * norms.std()
    clipped = states.clone()
    clipped[outliers] = states.median(dim=0).values
    return clipped


def frechet(first: Tensor, second: Tensor) -> float:
    """Return the Frechet distance of two clouds ``(n, W)`` taken for Gaussians (float64).

    The root's trace is a sum of roots of eigenvalues: ``S1 S2`` and ``R S1 R'`` share those that
    are not zero, where ``S2 = R' R``.
    """
    left, right = first.double(), second.double()
    means = left.mean(0), right.mean(0)
    left, right = left - means[0], right - means[1]
    left, right = left / (len(left) - 1) ** 0.5, right / (len(right) - 1) ** 0.5
    half = torch.linalg.qr(right, mode="r").R
    inner = left @ half.T
    roots = torch.linalg.eigvalsh(inner.T @ inner).clamp(min=0).sqrt().sum()
    spread = left.square().sum() + right.square().sum()
    return float((means[0] - means[1]).square().sum() + spread - 2 * roots)


def _blocks(model: VisionLanguageModel) -> Sequence[nn.Module]:
    return find_blocks(model.language_model, "the language model")[1]


def _state(output: object) -> Tensor:
    state = output[0] if isinstance(output, tuple) else output
    assert isinstance(state, Tensor)
    return state.detach()[0]
