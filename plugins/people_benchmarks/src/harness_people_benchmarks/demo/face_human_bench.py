"""Drawn data in Face-Human-Bench's layout: faces and people, a few questions for each ability."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import OCCUPATIONS
from harness_demo_world.drawing.faces import EXPRESSIONS, draw_face
from harness_demo_world.drawing.scenes import draw_person
from harness_demo_world.people import Person, pick

from harness_people_benchmarks.readers.face_human_bench import ABILITIES

if TYPE_CHECKING:
    import random

    from PIL import Image

_EACH = 8
# Versions of the images of each list, as the release has them.
_BOTH = ("face_age", "face_attribute", "face_expression_basic")
_BOXED = ("human_action", "human_attribute_compound", "human_social", "human_spatial_relation_loc")
_AGES = ("under 20", "20 to 39", "40 to 59", "60 or older")


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | Image.Image]]:
    """Yield the lists in both languages (the drawn questions are English in both), then images."""
    for split in ("dev", "test"):
        for ability in ABILITIES:
            entries = []
            for number in range(_EACH):
                question, options, answer, image = _asked(seed, split, ability, number)
                folder = PurePosixPath("eval_data", split, ability)
                paths = {
                    version: folder / version / f"sample_{number:04d}.jpg"
                    for version in _versions(ability)
                }
                shown = {version: str(path) for version, path in paths.items()}
                entries.append(
                    {
                        "type": ability,
                        "QA": {"question": question, "options": options, "answer": answer},
                        "image": {"image_paths": shown, "source": {}},
                    }
                )
                for version, path in paths.items():
                    yield path, _cropped(image) if version != "original" else image
            for language, ending in (("en", ""), ("zh", "_zh")):
                folder = PurePosixPath("data", "Face-Human-Bench", split, "json", language)
                yield folder / f"{ability}{ending}.json", json.dumps({"data": entries})


def _versions(ability: str) -> tuple[str, ...]:
    if ability.startswith(_BOTH):
        return "cropped", "original"
    if ability.startswith("human_spatial_relation_count"):
        return ("original",)
    boxed = ability.startswith(_BOXED) and not ability.endswith("cropped")
    return ("boxed",) if boxed else ("cropped",)


def _cropped(image: Image.Image) -> Image.Image:
    """Return the image without the outer twentieth on each side."""
    width, height = image.size
    return image.crop((width // 20, height // 20, width - width // 20, height - height // 20))


def _asked(
    seed: int, split: str, ability: str, number: int
) -> tuple[str, list[str], int, Image.Image]:
    rng = stream(seed, "face_human_bench", split, ability, number)
    who = pick(rng, seed, "test" if split == "test" else "val")
    if ability.startswith("face_age"):
        age = sum(who.age >= start for start in (20, 40, 60))
        return "How old is this person?", list(_AGES), age, _face(who, rng)
    if ability.startswith("face"):
        right = rng.choice(EXPRESSIONS)
        image = draw_face(who, right, rng).image
        return _chosen("Which expression does this face show?", right, EXPRESSIONS, rng, image)
    right = rng.choice(OCCUPATIONS)
    image = draw_person(who, right, rng, chance=0.9).image
    return _chosen("What is the job of the person?", right, OCCUPATIONS, rng, image)


def _face(who: Person, rng: random.Random) -> Image.Image:
    return draw_face(who, "neutral", rng).image


def _chosen(
    question: str, right: str, names: tuple[str, ...], rng: random.Random, image: Image.Image
) -> tuple[str, list[str], int, Image.Image]:
    wrong = rng.sample([name for name in names if name != right], 3)
    options = rng.sample([right, *wrong], 4)
    return question, options, options.index(right), image
