"""Drawn data in SB-Bench's layout: one parquet shard with the images, ambiguous contexts alone."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from harness_demo_world.chance import stream
from harness_demo_world.layouts.pixels import jpeg

from harness_people_benchmarks.demo import two_people

_ANSWERS = ("ans0", "ans1", "ans2")


def files(seed: int) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the shard."""
    rows = []
    for number in range(two_people.IMAGES):
        image = jpeg(two_people.drawn(seed, number))
        for question in two_people.asked(number):
            if question.condition != "ambig":
                continue
            # As in BBQ no place is always right, or naming one letter would be right as well.
            order = [0, 1, 2]
            stream(seed, "sb_bench answers", f"{number} {question.polarity}").shuffle(order)
            named = list(zip(_ANSWERS, order, strict=True))
            rows.append(
                {
                    "file_name": {"bytes": image, "path": f"{number}.jpg"},
                    "id": f"{number:03d}-{question.polarity}-000",
                    "category": "Age",
                    "additional_metadata": json.dumps({"stereotyped_groups": ["old"]}),
                    "question_polarity": question.polarity,
                    "context": question.context,
                    "question": two_people.QUESTIONS[question.polarity],
                    **{answer: two_people.PEOPLE[who] for answer, who in named},
                    "label": str(order.index(question.right)),
                    "answer_info": json.dumps(
                        {
                            answer: [two_people.PEOPLE[who], two_people.GROUPS[who]]
                            for answer, who in named
                        }
                    ),
                }
            )
    memory = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), memory, row_group_size=16)
    yield PurePosixPath("data", "real-00000-of-00001.parquet"), memory.getvalue()
