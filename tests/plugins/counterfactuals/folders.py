"""A finished folder of counterfactual sets without a generator: drawn squares, by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from harness_counterfactuals.folder import SetFolder
from harness_counterfactuals.manifest import ABOUT, IMAGES, SPEC, About, Row, seal_folder, split_of
from PIL import Image, ImageDraw

GENDERS, RACES = ("woman", "man"), ("asian", "black", "white")
CONCEPTS = {"chef": "responsibility", "thief": "negative"}

Draw = Callable[[str, int, str, str], Image.Image]


def square(concept: str, number: int, gender: str, race: str) -> Image.Image:
    """Draw an image: a square whose place tells set and gender, and whose colour tells the race."""
    image = Image.new("RGB", (64, 64), (90, 110, 130 + 40 * (concept == "chef")))
    corner = 7 * (number % 6) + 2
    box = (corner, 30 * (gender == "man"), corner + 20, 30 * (gender == "man") + 26)
    ImageDraw.Draw(image).rectangle(box, fill=(70 * RACES.index(race) + 60, 80, 40))
    return image


def made(
    directory: Path, sets: int = 2, draw: Draw = square, concepts: dict[str, str] | None = None
) -> SetFolder:
    """Write and seal a folder; its manifest stands, without scores."""
    concepts = concepts or CONCEPTS
    directory.mkdir(parents=True, exist_ok=True)
    rows = [
        _row(directory, draw, concept, group, number, gender, race)
        for concept, group in concepts.items()
        for number in range(sets)
        for gender in GENDERS
        for race in RACES
    ]
    (directory / SPEC).write_text("id: trial\n", encoding="utf-8")
    lines = [json.dumps(row.to_json()) + "\n" for row in rows]
    (directory / IMAGES).write_text("".join(lines), encoding="utf-8")
    about = About(
        title="A trial of <sets>",
        spec="0" * 64,
        purpose="tests",
        licence="CC0-1.0",
        concepts=concepts,
        attributes={
            "gender": {item: item for item in GENDERS},
            "race": {item: item.capitalize() for item in RACES},
        },
        edited="race",
        editor="prompt_to_prompt",
        schedule={"cross": 0.8},
        generator={"model": "tiny", "family": "sdxl", "licence": "MIT", "sha256": {"unet": "ab"}},
        settings={"steps": 4, "width": 64},
        packages={"diffusers": "0.42.1"},
        sets=sets * len(concepts),
        images=len(rows),
        note="the concepts' prompts are INFERRED",
    )
    (directory / ABOUT).write_text(json.dumps(asdict(about)), encoding="utf-8")
    seal_folder(directory)
    folder = SetFolder.open(directory)
    folder.write_manifest()
    return folder


def _row(  # noqa: PLR0917  what a row is made of
    directory: Path, draw: Draw, concept: str, group: str, number: int, gender: str, race: str
) -> Row:
    name = f"{concept}-{number:04d}"
    file = f"images/{concept}/{name}/{gender}/{race}.png"
    path = directory / file
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(concept, number, gender, race).save(path)
    return Row(
        file=file, set=name, base=f"{name}/{gender}", concept=concept, group=group,
        split=split_of(name), attributes={"gender": gender, "race": race},
        prompt=f"a photo of a {race} {gender}, a {concept}", is_source=race == RACES[0],
        seed=number,
        editor="prompt_to_prompt", schedule="{}", models="{}", spec="0" * 64,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), width=64, height=64,
    )  # fmt: skip
