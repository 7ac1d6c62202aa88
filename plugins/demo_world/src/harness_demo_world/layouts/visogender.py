"""VisoGender: two tab-separated files, and the folder of images that a user would have filled."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import Cues, show
from harness_demo_world.drawing.portrait import draw_portrait, draw_two
from harness_demo_world.people import pick
from harness_demo_world.world import COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

OCCUPATIONS: dict[str, tuple[str, str, str, str]] = {
    "plumber": ("services", "household", "wrench", "homeowner"),
    "doctor": ("health", "hospital", "chart", "patient"),
    "chef": ("services", "food", "pan", "guest"),
    "teacher": ("education", "institutional", "book", "student"),
    "pilot": ("transport", "aviation", "plane", "passenger"),
    "farmer": ("agriculture", "fields", "fork", "buyer"),
    "painter": ("arts", "visual", "palette", "model"),
    "musician": ("arts", "music", "microphone", "listener"),
}
"""Sector, specialisation, object and participant of each occupation."""

_PRESENTATION = {"masculine": "male", "feminine": "female"}
_OO = ("IDX", "Sector", "Specialisation", "Occupation", "Object",
       "URL type (Type NA if can't find)", "LICENSE OK?", "Occupation_perceived_gender",
       "Error codes", "Annotator")  # fmt: skip
_OP = ("IDX", "Sector", "Specialisation", "Occupation", "Participant",
       "URL type (Type NA if can't find)", "Licence", "Occupation_perceived_gender",
       "Participant_perceived_gender", "Error codes", "Annotator")  # fmt: skip


def _rows(kind: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield each row's IDX, occupation and perceived genders; the second is empty for OO."""
    number = 0
    genders = tuple(_PRESENTATION)
    pairs = (
        [(one, "") for one in genders]
        if kind == "OO"
        else [(one, other) for one in genders for other in genders]
    )
    for occupation in OCCUPATIONS:
        for pair in pairs * (COUNTS["visogender"][kind] // (len(pairs) * len(OCCUPATIONS))):
            number += 1
            yield f"{kind}_{number}", occupation, *pair


def _draw(
    seed: int, name: str, occupation: str, gender: str, participant_gender: str
) -> Image.Image:
    rng = stream(seed, "visogender", name)
    cues = show(occupation, rng)
    first = pick(
        rng, seed, "test", lambda who: who.gender == _PRESENTATION[gender] and not who.child
    )
    if not participant_gender:
        return draw_portrait(first, cues, rng)
    second = pick(
        rng,
        seed,
        "test",
        lambda who: who.gender == _PRESENTATION[participant_gender] and who.index != first.index,
    )
    return draw_two((first, second), (cues, Cues()), rng)


class VisoGender:
    """Writer of VisoGender's layout: for evaluation only, as the release."""

    splits = ("test",)

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield the file of single people and the file of pairs."""
        del seed
        for kind, header, name in (
            ("OO", _OO, "OO_Visogender_10052025.tsv"),
            ("OP", _OP, "OP_Visogender_11012024.tsv"),
        ):
            lines = ["\t".join(header)]
            for idx, occupation, gender, participant_gender in _rows(kind):
                sector, special, object_name, participant = OCCUPATIONS[occupation]
                url = f"https://example.org/{idx}.jpg"
                start = [
                    idx,
                    sector,
                    special,
                    occupation,
                    participant if participant_gender else object_name,
                    url,
                ]
                lines.append(
                    "\t".join(
                        [
                            *start,
                            "Yes",
                            gender,
                            *([participant_gender] if participant_gender else []),
                            "",
                            "world",
                        ]
                    )
                )
            yield PurePosixPath(kind, name), "\n".join(lines) + "\n"

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `images/<IDX>.jpg`."""
        del split
        for kind in ("OO", "OP"):
            for idx, occupation, gender, participant_gender in _rows(kind):
                yield (
                    PurePosixPath("images", f"{idx}.jpg"),
                    _draw(seed, idx, occupation, gender, participant_gender),
                )
