"""What a spec comes to: every set, base and image, in the order in which they are made.

A block is one set. Names and seeds of a set follow from its concept and number alone, so that
another concept or more sets change no image. Light: no torch, numpy or Pillow is imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from harness_counterfactuals.manifest import PICTURES, split_of
from harness_counterfactuals.spec import ROTATE, Concept, Spec
from harness_counterfactuals.templates import Prompt, fill

_SUFFIXES = {"png": ".png", "jpeg": ".jpg"}
BYTES_A_PIXEL = {"png": 1.6, "jpeg": 0.45}
"""Of a photograph, as a rule: noise takes more, a drawing less."""


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image: its attributes, its file below the folder, and its prompt."""

    attributes: dict[str, str]
    file: str
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Base:
    """Images that differ in the edited attribute alone, in the order of its values.

    Attributes:
        name: ``SET/VALUES``.
        source: Index of the image from which the others are edited.
    """

    name: str
    images: tuple[PlannedImage, ...]
    source: int


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """All images of one concept and number; ``seed`` gives the noise of each of them."""

    name: str
    concept: Concept
    split: str
    seed: int
    bases: tuple[Base, ...]

    @property
    def images(self) -> int:
        """How many images it has."""
        return sum(len(base.images) for base in self.bases)


def planned_sets(spec: Spec) -> Iterator[PlannedSet]:
    """Yield every set, concept by concept."""
    for concept in spec.concepts:
        for number in range(spec.sets):
            yield planned_set(spec, concept, number)


def planned_set(spec: Spec, concept: Concept, number: int) -> PlannedSet:
    """Return one set of a concept."""
    name = f"{concept.slug}-{number:04d}"
    values = list(spec.attributes[spec.edited])
    source = number % len(values) if spec.source == ROTATE else values.index(spec.source)
    others = [attribute for attribute in spec.attributes if attribute != spec.edited]
    template = concept.prompts[number % len(concept.prompts)]
    bases = []
    for chosen in product(*(spec.attributes[attribute] for attribute in others)):
        shared = dict(zip(others, chosen, strict=True))
        base = "-".join(chosen) or "all"
        images = []
        for value in values:
            attributes = {
                attribute: value if attribute == spec.edited else shared[attribute]
                for attribute in spec.attributes
            }
            words = {key: spec.attributes[key][chosen] for key, chosen in attributes.items()}
            file = f"{PICTURES}/{concept.slug}/{name}/{base}/{value}{_SUFFIXES[spec.format]}"
            images.append(PlannedImage(attributes, file, fill(template, words)))
        bases.append(Base(f"{name}/{base}", tuple(images), source))
    digest = hashlib.sha256(f"{spec.seed}/{concept.name}/{number}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    return PlannedSet(name, concept, split_of(name, spec.splits), seed, tuple(bases))


def set_count(spec: Spec) -> int:
    """Return how many sets a spec comes to."""
    return spec.sets * len(spec.concepts)


def image_count(spec: Spec) -> int:
    """Return how many images a spec comes to."""
    each = 1
    for values in spec.attributes.values():
        each *= len(values)
    return each * set_count(spec)


def disk_estimate(spec: Spec) -> int:
    """Return the bytes that the images take, as a rule."""
    return int(image_count(spec) * spec.width * spec.height * BYTES_A_PIXEL[spec.format])
