"""Drawn data in SB-Bench's layout: one parquet shard with the images, ambiguous contexts alone."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from harness_demo_world.layouts.pixels import jpeg

from harness_people_benchmarks.demo import two_people


def files(seed: int) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the shard."""
    rows = []
    info = dict(
        zip(
            ("ans0", "ans1", "ans2"),
            map(list, zip(two_people.PEOPLE, two_people.GROUPS, strict=True)),
            strict=True,
        )
    )
    for number in range(two_people.IMAGES):
        image = jpeg(two_people.drawn(seed, number))
        for question in two_people.asked(number):
            if question.condition != "ambig":
                continue
            rows.append(
                {
                    "file_name": {"bytes": image, "path": f"{number}.jpg"},
                    "id": f"{number:03d}-{question.polarity}-000",
                    "category": "Age",
                    "additional_metadata": json.dumps({"stereotyped_groups": ["old"]}),
                    "question_polarity": question.polarity,
                    "context": question.context,
                    "question": two_people.QUESTIONS[question.polarity],
                    **dict(zip(("ans0", "ans1", "ans2"), two_people.PEOPLE, strict=True)),
                    "label": str(question.right),
                    "answer_info": json.dumps(info),
                }
            )
    memory = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), memory, row_group_size=16)
    yield PurePosixPath("data", "real-00000-of-00001.parquet"), memory.getvalue()
