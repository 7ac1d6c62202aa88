"""Whether edits of the tiny drawn model change one attribute and keep the rest.

``python -m harness_counterfactuals.measure_demo MODEL`` makes bases by Prompt-to-Prompt, and again
with other prompts alone, from the same noise. Linear probes trained on drawn portraits read race,
gender and age of both. Probes read drawings; they decide about nobody.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from harness_counterfactuals.checkpoints import TEXT_TO_IMAGE, open_checkpoint
from harness_counterfactuals.editors import PromptToPrompt
from harness_counterfactuals.generate import Sampler, load_pipeline
from harness_counterfactuals.plan import planned_sets
from harness_counterfactuals.spec import Editing, Spec, read_spec
from harness_counterfactuals.train_demo import ATTRIBUTES, SIDE, drawn

_DRAWN = 60  # sets that the probes learn from
SPEC = """
id: drawn
title: Drawn people
purpose: trying the command
licence: Apache-2.0
attributes:
  age: {young: young, old: old}
  gender: {male: male, female: female}
  race: {white: White, black: Black, asian: Asian, indian: Indian}
edited: race
concepts:
  chef: {prompts: ["{age} {race} {gender}, chef"]}
  science: {prompts: ["{age} {race} {gender}, science"]}
  family: {prompts: ["{age} {race} {gender}, family"]}
sets: 8
image: {width: 32, height: 32}
generator: {model: MODEL, steps: 20, guidance: 3}
editor: {cross: 0.8, self: 0.6}
"""


class Probe:
    """A linear probe of one attribute on pixels, trained on drawn portraits."""

    def __init__(self, images: Tensor, values: list[str]) -> None:
        self._values = sorted(set(values))
        targets = torch.tensor([self._values.index(value) for value in values])
        torch.manual_seed(0)
        self._layer = torch.nn.Linear(images[0].numel(), len(self._values))
        optimiser = torch.optim.AdamW(self._layer.parameters(), lr=1e-3, weight_decay=0.05)
        for _ in range(300):
            loss = functional.cross_entropy(self._layer(images.flatten(1)), targets)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    def read(self, images: Tensor) -> list[str]:
        """Return the value that is read of each image."""
        with torch.inference_mode():
            return [self._values[at] for at in self._layer(images.flatten(1)).argmax(1).tolist()]


def measured(spec: Spec, probes: dict[str, Probe], sheet_file: Path) -> dict[str, float]:
    """Return shares and distances over every base of a spec.

    Returns:
        ``prompted``: share of edited images whose race is read as prompted. ``kept``: share whose
        gender and age are read as those of their source. ``distance``: mean absolute difference of
        pixels to the source, in [0, 1]; ``background`` of the outermost pixels alone.
    """
    checkpoint = open_checkpoint(spec.generator.model, TEXT_TO_IMAGE)
    pipeline = load_pipeline(checkpoint, "float32", torch.device("cpu"))
    editor = PromptToPrompt(
        spec, Sampler(pipeline, spec), checkpoint.tokenizers(), len(spec.attributes["race"]), print
    )
    rates: dict[str, list[float]] = {
        name: [] for name in ("prompted", "kept", "distance", "background")
    }
    strips = []
    for planned in planned_sets(spec):
        for base in planned.bases:
            made = editor.make(base, planned.seed)
            strips.append(np.concatenate([np.asarray(image) for image in made], 1))
            images = torch.stack([_pixels(image) for image in made])
            read = {name: probe.read(images) for name, probe in probes.items()}
            rim = (images - images[base.source]).abs() / 2
            for at, image in enumerate(base.images):
                if at == base.source:
                    continue
                rates["prompted"].append(read["race"][at].lower() == image.attributes["race"])
                others = ("gender", "age")
                rates["kept"].append(
                    all(read[name][at] == read[name][base.source] for name in others)
                )
                rates["distance"].append(rim[at].mean().item())
                sides = torch.cat([rim[at, :, :, :4], rim[at, :, :, -4:]])
                rates["background"].append(sides.mean().item())
    sheet = Image.fromarray(np.concatenate(strips[:24], 0))
    sheet.resize((sheet.width * 3, sheet.height * 3), Image.Resampling.NEAREST).save(sheet_file)
    return {name: float(np.mean(values)) for name, values in rates.items()}


def _pixels(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float32))
    return pixels.permute(2, 0, 1) / 127.5 - 1


def main() -> None:
    """Print the measures of edits, and of other prompts alone."""
    from harness.specs.yaml_loader import parse_yaml

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--images", type=Path, default=Path())
    parser.add_argument("--sets", type=int, default=8)
    chosen = parser.parse_args()
    spec = read_spec(parse_yaml(SPEC.replace("MODEL", str(chosen.model.absolute()))))
    spec = replace(spec, sets=chosen.sets)
    images, _, attributes = drawn(_DRAWN)
    assert images.shape[-1] == SIDE
    test_count = len(images) // 5
    probes = {}
    for name in ATTRIBUTES:
        values = [one[name] for one in attributes]
        probes[name] = Probe(images[test_count:], values[test_count:])
        right = np.mean(np.array(probes[name].read(images[:test_count])) == values[:test_count])
        print(f"probe of {name}: {right:.2f} right on drawings that it has not seen")
    for label, editor in (("edited", spec.editor), ("prompted", Editing(cross=0, self_share=0))):
        rates = measured(replace(spec, editor=editor), probes, chosen.images / f"{label}.png")
        print(label, {name: round(value, 3) for name, value in rates.items()}, flush=True)


if __name__ == "__main__":
    main()
