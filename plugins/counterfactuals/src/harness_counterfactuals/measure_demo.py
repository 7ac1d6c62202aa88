"""Whether edits of the tiny drawn model change one attribute and keep the rest.

``python -m harness_counterfactuals.measure_demo MODEL`` makes bases by Prompt-to-Prompt, and again
with other prompts alone, from the same noise. A small network trained on drawn portraits reads
race, gender and age of both, and says how often it is right on portraits that it has not seen. It
reads drawings; it decides about nobody.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from harness_counterfactuals.checkpoints import TEXT_TO_IMAGE, open_checkpoint
from harness_counterfactuals.drawn import ATTRIBUTES, SIDE, drawn, pixels
from harness_counterfactuals.editors import PromptToPrompt
from harness_counterfactuals.generate import Sampler, load_pipeline
from harness_counterfactuals.plan import planned_sets
from harness_counterfactuals.spec import Editing, load_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness_counterfactuals.spec import Spec

_LEARNT, _UNSEEN = range(10_000, 10_300), range(20_000, 20_060)  # sets; the model saw others
_STEPS, _BATCH, _SHOWN, _SEED = 800, 64, 12, 1  # not the noise that settings were chosen on
_BESIDE = (slice(0, 24), slice(21, SIDE))  # rows and columns of the place beside the head


class Reader:
    """A small convolutional network that reads the attributes of portraits.

    Args:
        images: Drawn portraits as :func:`harness_counterfactuals.drawn.pixels` gives them.
        shown: What each shows.
    """

    def __init__(self, images: Tensor, shown: Sequence[Mapping[str, str]]) -> None:
        torch.manual_seed(0)
        self._values = {name: sorted({each[name] for each in shown}) for name in ATTRIBUTES}
        layers: list[torch.nn.Module] = []
        for before, after in ((3, 24), (24, 48), (48, 64)):
            convolution = torch.nn.Conv2d(before, after, 3, stride=2, padding=1)
            layers += [convolution, torch.nn.GroupNorm(8, after), torch.nn.ReLU()]
        outputs = sum(map(len, self._values.values()))
        width = 64 * (SIDE // 8) ** 2
        self._network = torch.nn.Sequential(
            *layers, torch.nn.Flatten(), torch.nn.Dropout(0.3), torch.nn.Linear(width, outputs)
        )
        self._train(images, {
            name: torch.tensor([values.index(each[name]) for each in shown])
            for name, values in self._values.items()
        })  # fmt: skip

    def _train(self, images: Tensor, targets: Mapping[str, Tensor]) -> None:
        optimiser = torch.optim.AdamW(self._network.parameters(), lr=1e-3, weight_decay=0.01)
        for _ in range(_STEPS):
            rows = torch.randint(len(images), (_BATCH,))
            batch = images[rows]
            # Generated images are softer than drawn ones, and a little noisy: so are these.
            batch = torch.where(torch.rand(_BATCH, 1, 1, 1) < 0.5, batch, _softened(batch))
            batch = batch + 0.1 * torch.rand(_BATCH, 1, 1, 1) * torch.randn_like(batch)
            logits = self._logits(batch)
            loss = sum((functional.cross_entropy(logits[name], targets[name][rows])
                        for name in logits), torch.zeros(()))  # fmt: skip
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        self._network.eval()

    def _logits(self, images: Tensor) -> dict[str, Tensor]:
        sizes = [len(values) for values in self._values.values()]
        return dict(zip(self._values, self._network(images).split(sizes, 1), strict=True))

    def read(self, images: Tensor) -> list[dict[str, str]]:
        """Return the attributes that are read of each image."""
        with torch.inference_mode():
            chosen = {name: each.argmax(1).tolist() for name, each in self._logits(images).items()}
        return [
            {name: self._values[name][chosen[name][at]] for name in chosen}
            for at in range(len(images))
        ]


def _softened(images: Tensor) -> Tensor:
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return functional.avg_pool2d(padded, 3, stride=1)


def measured(spec: Spec, reader: Reader, sheet_file: Path) -> dict[str, float]:
    """Return shares and distances over the edited images of a spec; write a sheet of some bases.

    Returns:
        ``edited``: share whose race is read as prompted. ``sources``: share of sources of which all
        is read as prompted. ``kept``: share whose gender and age are read as those of their source.
        ``distance``: mean absolute difference of pixels to the source, in [0, 1]; ``beside`` of
        the place beside the head alone.
    """
    checkpoint = open_checkpoint(spec.generator.model, TEXT_TO_IMAGE)
    pipeline = load_pipeline(checkpoint, "float32", torch.device("cpu"))
    sampler = Sampler(pipeline, spec)
    rows = len(spec.attributes[spec.edited])
    editor = PromptToPrompt(spec, sampler, checkpoint.tokenizers(), rows, print)
    numbers: dict[str, list[float]] = {
        name: [] for name in ("edited", "sources", "kept", "distance", "beside")
    }
    strips = []
    for planned in planned_sets(spec):
        for base in planned.bases:
            made = editor.make(base, planned.seed)
            strips.append(np.concatenate([np.asarray(image) for image in made], 1))
            images = pixels(made)
            read = reader.read(images)
            prompted = [
                {name: spec.attributes[name][image.attributes[name]] for name in ATTRIBUTES}
                for image in base.images
            ]
            source = read[base.source]
            numbers["sources"].append(source == prompted[base.source])
            difference = (images - images[base.source]).abs() / 2
            for at in range(len(made)):
                if at == base.source:
                    continue
                numbers["edited"].append(read[at]["race"] == prompted[at]["race"])
                numbers["kept"].append(
                    all(read[at][one] == source[one] for one in ("gender", "age"))
                )
                numbers["distance"].append(difference[at].mean().item())
                numbers["beside"].append(difference[at][:, *_BESIDE].mean().item())
    _write_sheet(strips, sheet_file)
    return {name: float(np.mean(values)) for name, values in numbers.items()}


def _write_sheet(
    strips: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]], file: Path
) -> None:
    """Write bases from all concepts, one a row and three columns of rows, each pixel as 3 x 3."""
    chosen = [strips[round(at)] for at in np.linspace(0, len(strips) - 1, 3 * _SHOWN)]
    columns = [np.concatenate(chosen[at : at + _SHOWN], 0) for at in range(0, 3 * _SHOWN, _SHOWN)]
    sheet = Image.fromarray(np.concatenate(columns, 1))
    sheet.resize((sheet.width * 3, sheet.height * 3), Image.Resampling.NEAREST).save(file)


def main() -> None:
    """Print how good the reader is, and the measures of edits and of other prompts alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", help="a diffusers folder; the shipped one by default")
    parser.add_argument("--images", type=Path, default=Path())
    parser.add_argument("--sets", type=int, default=4, help="of each concept")
    chosen = parser.parse_args()
    spec = replace(load_spec("demo"), sets=chosen.sets, seed=_SEED)
    if chosen.model:
        spec = replace(spec, generator=replace(spec.generator, model=chosen.model))
    reader = Reader(*drawn(_LEARNT))
    images, labels = drawn(_UNSEEN)
    read = reader.read(images)
    for name in ATTRIBUTES:
        right = np.mean([one[name] == other[name] for one, other in zip(read, labels, strict=True)])
        print(f"reader of {name}: {right:.3f} right on {len(labels)} drawings that it has not seen")
    for label, editor in (("edited", spec.editor), ("prompted", Editing(cross=0, self_share=0))):
        numbers = measured(replace(spec, editor=editor), reader, chosen.images / f"{label}.png")
        print(label, {name: round(value, 3) for name, value in numbers.items()}, flush=True)


if __name__ == "__main__":
    main()
