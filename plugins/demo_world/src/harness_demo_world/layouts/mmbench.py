"""MMBench: one tab-separated file a part, base64 images, one row for each rotation."""

from __future__ import annotations

import base64
import csv
import io
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.layouts.pixels import jpeg
from harness_demo_world.questions import Question, Shown, portrait, street, table
from harness_demo_world.world import COUNTS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from PIL import Image

_COLUMNS = (
    "index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image", "source",
    "l2-category", "comment", "split",
)  # fmt: skip
_A_ROUND = 1_000_000
_LABELS = "ABCD"
_FIRST = 241
_PARTS = ("dev", "test")


def _shown(seed: int, part: str, index: int) -> Shown:
    kind = index % 5
    if kind == 4:
        return street(seed, "test", 10_000 + _PARTS.index(part) * 5000 + index)[0]
    number = 10_000 + _PARTS.index(part) * 5000 + index
    if kind % 2:
        return portrait(seed, "test", number)[0]
    return table(seed, "test", number)[0]


class MmBench:
    """Writer of MMBench's layout; images live in the file, so nothing is drawn beside it."""

    splits = ("test",)

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield the dev part with answers, and the test part without."""
        for part in _PARTS:
            memory = io.StringIO(newline="")
            writer = csv.DictWriter(memory, _COLUMNS, delimiter="\t", lineterminator="\n")
            writer.writeheader()
            for row in _rows(seed, part):
                writer.writerow(row)
            yield PurePosixPath(f"MMBench_{part.upper()}_EN.tsv"), memory.getvalue()

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield nothing: the images are in the file."""
        del seed, split
        yield from ()


def _rows(seed: int, part: str) -> Iterator[dict[str, str]]:
    """Yield every row: rounds of one question one after the other, as long as it has options."""
    number, index = _FIRST, 0
    rounds: list[list[dict[str, str]]] = [[] for _ in _LABELS]
    count = COUNTS["mmbench"]["test" if part == "dev" else "closed"]
    while number < _FIRST + count:
        scene = _shown(seed, part, index)
        rng = stream(seed, "mmbench", part, index)
        offered = [q for q in scene.questions if len(q.wrong) > 1 or rng.random() < 0.3]
        image = base64.b64encode(jpeg(scene.image)).decode("ascii")
        home = number
        for question in rng.sample(offered, min(len(offered), rng.choice((1, 1, 2)))):
            cell = image if number == home else str(home)
            for turn, row in enumerate(_circle(question, number, part, rng)):
                # Later rounds name the row that holds the image, as the small files do.
                rounds[turn].append({**row, "image": cell if turn == 0 else str(home)})
            number += 1
        index += 1
    for round_rows in rounds:
        yield from round_rows


def _circle(
    question: Question, number: int, part: str, rng: random.Random
) -> Iterator[dict[str, str]]:
    """Yield the rows of one question: options move one place on in each."""
    count = min(4, 1 + len(question.wrong))
    if count == 4 and rng.random() < 0.15:
        count = 3
    options = [question.answer, *rng.sample(question.wrong, count - 1)]
    rng.shuffle(options)
    for turn in range(count):
        turned = [options[(place + turn) % count] for place in range(count)]
        answer = _LABELS[turned.index(question.answer)]
        yield {
            "index": str(number + turn * _A_ROUND),
            "question": question.text,
            "hint": question.hint,
            **dict(zip(_LABELS, turned, strict=False)),
            "answer": answer if part == "dev" else "",
            "category": question.category,
            "source": "demo_world",
            "l2-category": question.level,
            "comment": "",
            "split": part,
        }
