"""Memory and speed of readers, and how long a run plans before its first request.

Annotations are drawn into a temporary folder and read in a process of its own (Linux); memory is
the peak of that process less the peak of an interpreter that does nothing. GazeFollow and PISC,
which hold something of the whole split, have a million rows; the others have as many as their
releases. No image is opened. CPU time is shown beside wall-clock time, as a busy machine
lengthens the latter; what is wanted of a layout and not met stands at the end of its line.

Example: python benchmarks/readers.py --rows 1000000 --cases fairface,scounter
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

WANTED_MB = 300
WANTED_ROWS_PER_SECOND = 20_000
WANTED_SECONDS = 5.0
FACES, COUNTERFACTUALS, QUESTIONS, TEXTS, CHOICES = 97_698, 170_832, 214_354, 34_602, 6_664
SHARDS = 61
IMAGE = bytes(range(256)) * 8  # no image, and never opened: a reader must pass it by
PAIRS = 5  # pairs an image of PISC
ANNOTATORS = 10  # rows a person of GazeFollow's test


def write_gazefollow(root: Path, rows: int, split: str) -> None:
    """Write rows of one file; an image's rows lie far apart, as nothing forbids."""
    pictures = max(1, rows // ANNOTATORS)
    with (root / f"{split}_annotations_release.txt").open("w", encoding="utf-8") as file:
        for index in range(rows):
            picture = index % pictures if split == "train" else index // ANNOTATORS
            eye = 0.25 + (index // pictures if split == "train" else 0) / 100
            gaze = (index % 997) / 1000
            cells = [f"{split}/{picture // 1000:08d}/{picture:08d}.jpg", index, 10, 20, 200, 300]
            cells += [eye, 0.3, gaze, 0.6, 40, 50, 120, 130]
            cells += [1] if split == "train" else []
            file.write(",".join(map(str, [*cells, "source", "meta"])) + "\n")


def write_pisc(root: Path, rows: int, _split: str) -> None:
    """Write five pairs an image, among four people."""
    images = range(1, rows // PAIRS + 1)
    pairs = ("1 2", "1 3", "2 3", "2 4", "3 4")[:PAIRS]
    boxes = [[10 * place, 20, 10 * place + 90, 260] for place in range(4)]
    info, labels = root / "annotation_image_info.json", root / "relationship.json"
    split = root / "relationship_split" / "relation_trainidx.json"
    split.parent.mkdir()
    with split.open("w", encoding="utf-8") as file:
        json.dump([f"{image:05d}" for image in images], file)
    with labels.open("w", encoding="utf-8") as file:
        json.dump({f"{image:05d}": dict.fromkeys(pairs, 1) for image in images}, file)
    with info.open("w", encoding="utf-8") as file:
        json.dump([{"id": f"{image:05d}", "bbox": boxes} for image in images], file)


def write_fairface(root: Path, rows: int, split: str) -> None:
    """Write one label file; races, genders and ages in turn."""
    from harness_benchmarks.readers.fairface import TRAITS

    values = [list(dict.fromkeys(labels.values())) for labels in TRAITS.values()]
    races, genders, ages = values
    with (root / f"fairface_label_{split}.csv").open("w", encoding="utf-8") as file:
        file.write("file,age,gender,race,service_test\n")
        for index in range(rows):
            cells = ages[index % 9], genders[index % 2], races[index % 7]
            file.write(f"{split}/{index + 1}.jpg,{','.join(cells)},{bool(index % 3)}\n")


def write_scounter(root: Path, rows: int, _split: str) -> None:
    """Write 61 shards of sets of twelve; every row holds bytes where its image would be."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (root / "data").mkdir()
    races = ("White", "Black", "Indian", "Asian", "Middle Eastern", "Latino")
    for shard in range(SHARDS):
        table: list[dict[str, object]] = []
        for index in range(shard * rows // SHARDS, (shard + 1) * rows // SHARDS):
            number, member = divmod(index, 12)
            race, gender = races[member // 2], ("male", "female")[member % 2]
            name = f"worker {number % 156}"
            row = {"caption": f"A photo of a {race} {gender} {name}", "a1": race, "a2": gender,
                    "a1_type": "race", "a2_type": "gender", "a1a2": f"{race} {gender}",
                    "counterfactual_set": f"a_photo_of_race_gender_worker_{number}_0"}  # fmt: skip
            table.append({"image": {"bytes": IMAGE, "path": None}, **row})
        path = root / "data" / f"train-{shard:05d}-of-{SHARDS:05d}-0123456789abcdef.parquet"
        pq.write_table(pa.Table.from_pylist(table), path, row_group_size=100)


def write_vqav2(root: Path, rows: int, _split: str) -> None:
    """Write questions and annotations, about five of one image, ten answers each."""
    questions, annotations = [], []
    for index in range(rows):
        image = index // 5 + 1
        ident = {"image_id": image, "question_id": 1000 * image + index % 5}
        questions.append({**ident, "question": f"What is number {index} in this picture?"})
        answers = [{"answer": f"answer {index % 99}", "answer_confidence": "yes", "answer_id": n}
                   for n in range(1, 11)]  # fmt: skip
        annotations.append({**ident, "question_type": "what is", "answer_type": "other",
                            "multiple_choice_answer": "answer", "answers": answers})  # fmt: skip
    files: tuple[tuple[str, str, object], ...] = (
        ("v2_OpenEnded_mscoco_val2014_questions.json", "questions", questions),
        ("v2_mscoco_val2014_annotations.json", "annotations", annotations),
    )
    for name, key, entries in files:
        with (root / name).open("w", encoding="utf-8") as file:
            json.dump({"info": {}, "license": {}, "data_subtype": "val2014", key: entries}, file)


def write_fairface_copy(root: Path, rows: int, _split: str) -> None:
    """Write one shard of labels as numbers, with bytes where images would be."""
    faces = ({"image": {"bytes": IMAGE, "path": None}, "age": index % 9, "gender": index % 2,
              "race": index % 7, "service_test": True} for index in range(rows))  # fmt: skip
    write_shards(root / "1.25", "validation", faces, rows)


def write_vqav2_copy(root: Path, rows: int, _split: str) -> None:
    """Write shards of questions in the release's order: those of an image stand together."""

    def row(index: int) -> dict[str, object]:
        image = index // 5 + 1
        answers = [{"answer": f"answer {index % 99}", "answer_confidence": "yes", "answer_id": n}
                   for n in range(1, 11)]  # fmt: skip
        return {"image": {"bytes": IMAGE, "path": None}, "image_id": image, "question_id": index,
                "question": f"What is number {index} in this picture?", "answers": answers,
                "question_type": "what is", "answer_type": "other"}  # fmt: skip

    write_shards(root / "data", "validation", map(row, range(rows)), rows)


def write_textvqa(root: Path, rows: int, split: str) -> None:
    """Write one file of questions with ten answers each."""
    entries = [
        {
            "question_id": index,
            "image_id": f"{index // 2:016x}",
            "question": "what is said?",
            "answers": [f"word {index % 99}"] * 10,
            "image_width": 640,
        }
        for index in range(rows)
    ]
    with (root / f"TextVQA_0.5.1_{split}.json").open("w", encoding="utf-8") as file:
        json.dump({"data": entries}, file)


def write_mmbench(root: Path, rows: int, split: str) -> None:
    """Write four rounds a question; the first holds base64, the others point to it."""
    cell = base64.b64encode(IMAGE).decode()
    with (root / f"MMBench_{split.upper()}_EN.tsv").open("w", encoding="utf-8") as file:
        file.write("index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\timage\tl2-category\n")
        for index in range(rows):
            turn, question = divmod(index, rows // 4)
            cells = cell if turn == 0 else str(question)
            text = [
                turn * 1_000_000 + question,
                "What is it?",
                "",
                "a",
                "b",
                "c",
                "d",
                "ABCD"[turn],
            ]
            file.write("\t".join(map(str, [*text, "naming", cells, "perception"])) + "\n")


def write_table(root: Path, rows: int, _split: str) -> None:
    """Write one CSV of images, labels, a group and subjects, and the spec of its task."""
    with (root / "labels.csv").open("w", encoding="utf-8") as file:
        file.write("name,path,label,sex,subject,hint\n")
        for index in range(rows):
            cells = [f"n{index}", f"images/{index}.jpg", ("happy", "sad")[index % 2]]
            cells += [("F", "M", "")[index % 3], f"s{index // 7}", "look here"]
            file.write(",".join(cells) + "\n")
    (root / "images").mkdir()
    (root / "images" / "0.jpg").touch()  # of the first rows not all may be missing
    options = json.dumps(TABLE)  # JSON is YAML
    (root / TABLE_SPEC).write_text(
        f"""\
id: faces
version: 1
title: Faces
summary: Drawn rows.
citation: none
licence: none
intended_use: to measure how fast rows are read
data: {{benchmark: faces, reader: table, split: test, obtain: drawn, options: {options}}}
prompt: {{template: "{{{{ hint }}}} Happy or sad?"}}
ask: {{choose: {{labels: [happy, sad]}}}}
answer: "{{{{ target }}}}"
metrics: [{{id: accuracy, column: Accuracy, direction: higher, scale: 100, main: true}}]
unit: subject
""",
        encoding="utf-8",
    )


def write_shards(root: Path, split: str, table: Iterator[dict[str, object]], rows: int) -> None:
    """Write rows into shards of at most 10,000, a hundred rows a group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    root.mkdir(parents=True)
    total = -(-rows // 10_000)
    for shard in range(total):
        part = pa.Table.from_pylist(list(islice(table, 10_000)))
        path = root / f"{split}-{shard:05d}-of-{total:05d}.parquet"
        pq.write_table(part, path, row_group_size=100)


TABLE: dict[str, Any] = {"file": "labels.csv", "id": "name", "image": "path", "target": "label",
         "fields": ["hint"], "groups": {"gender": {"column": "sex", "labelled_by": "human"}},
         "cluster": "subject"}  # fmt: skip
TABLE_SPEC = "faces.yaml"

Case = tuple[str, str, str, Callable[[Path, int, str], None], int]
# Name: reader, task whose plan is timed (or none), split, writer, rows (0: as --rows says).
CASES: dict[str, Case] = {
    "gazefollow train": ("gazefollow:GazeFollow", "", "train", write_gazefollow, 0),
    "gazefollow test": ("gazefollow:GazeFollow", "gazefollow", "test", write_gazefollow, 0),
    "pisc train": ("pisc:Pisc", "", "train", write_pisc, 0),
    "fairface": ("fairface:FairFace", "fairface", "val", write_fairface, FACES),
    "scounter": ("social_counterfactuals:SocialCounterfactuals", "scounter", "all",
                 write_scounter, COUNTERFACTUALS),
    "vqav2": ("vqav2:VqaV2", "vqav2", "val", write_vqav2, QUESTIONS),
    "textvqa": ("textvqa:TextVqa", "textvqa", "val", write_textvqa, TEXTS),
    "mmbench": ("mmbench:MmBench", "mmbench", "dev", write_mmbench, CHOICES),
    "fairface copy": ("fairface:FairFace", "fairface", "val", write_fairface_copy, FACES),
    "table": ("", TABLE_SPEC, "test", write_table, 0),
    "vqav2 copy": ("vqav2:VqaV2", "vqav2", "val", write_vqav2_copy, QUESTIONS),
}  # fmt: skip


def peak() -> int:
    """Return the peak of resident memory of this process, in KiB.

    Not ``getrusage``: on Linux its peak outlives ``exec``, so a child starts at its parent's.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0])


def read(target: str, root: Path, split: str) -> dict[str, float]:
    """Walk through a split in this process."""
    from harness.readers.guard import make_reader
    from harness.samples.roots import data_root

    if target:
        module, _, name = target.partition(":")
        reader = getattr(importlib.import_module(f"harness_benchmarks.readers.{module}"), name)({})
    else:
        reader = make_reader("table", TABLE, "subject", ["happy", "sad"])
    start = time.perf_counter()
    samples = sum(1 for _ in reader.samples(data_root(root), split))
    return {"samples": samples, "seconds": time.perf_counter() - start, "kib": peak()}


def ask(task: str, root: Path) -> dict[str, float]:
    """Plan a task in this process as a run does, and make its first block of requests."""
    import harness
    from harness.evaluation.plan import Selection, plan_task
    from harness.evaluation.requests import RequestMaker

    # The whole of a release without splits of its own, which is more than any of them.
    options = {"shares": "0/0/100"} if task == "scounter" else {}
    name = str(root / task) if task == TABLE_SPEC else task
    plan = plan_task(harness.load_task(name, data=root, options=options), Selection())
    first = RequestMaker(plan.task, opens_images=False).block(next(plan.stream()))
    assert first[0].request is not None
    return {"samples": plan.samples, "kib": peak(), "cpu": time.process_time()}


def interpreter() -> float:
    """Return the peak of an interpreter that does nothing, in KiB."""
    code = "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    completed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return float(completed.stdout)


def measure(case: str, rows: int, rounds: int) -> dict[str, float]:
    """Return medians over rounds; every round reads in a fresh process."""
    target, task, split, write, reader_options = CASES[case]
    rows = reader_options or rows
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows, split)
        measured, model_calls = [], []
        bare: list[float] = []
        for _ in range(rounds):
            bare.append(interpreter())
            measured.append(child("--one", target, folder, split))
            if task:
                model_calls.append(child("--ask", task, folder))
    figures = {
        "rows": float(rows),
        "samples": measured[0]["samples"],
        "mb": above(measured, bare),
        "rows_per_second": rows / statistics.median(one["seconds"] for one in measured),
    }
    if model_calls:
        figures["plan_mb"] = above(model_calls, bare)
        figures["first_request_seconds"] = statistics.median(one["wall"] for one in model_calls)
        figures["first_request_cpu_seconds"] = statistics.median(one["cpu"] for one in model_calls)
    return figures


def child(*words: str) -> dict[str, float]:
    """Run this script in a fresh process; ``wall`` is its whole time, imports and all."""
    start = time.perf_counter()
    completed = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True)
    figures: dict[str, float] = json.loads(completed.stdout)
    return {**figures, "wall": time.perf_counter() - start}


def above(measured: list[dict[str, float]], bare: list[float]) -> float:
    """Return megabytes of a process above an idle interpreter, the median of rounds."""
    return 1024 * statistics.median(a["kib"] - b for a, b in zip(measured, bare, strict=True)) / 1e6


def missed(figures: dict[str, float]) -> str:
    """Return in words what of the wanted is not met; CPU time stands in for the clock."""
    misses = []
    if max(figures["mb"], figures.get("plan_mb", 0.0)) > WANTED_MB:
        misses.append("memory")
    if figures["rows_per_second"] < WANTED_ROWS_PER_SECOND:
        misses.append("rows/s")
    if figures.get("first_request_cpu_seconds", 0.0) > WANTED_SECONDS:
        misses.append("CPU time to the first request")
    elif figures.get("first_request_seconds", 0.0) > WANTED_SECONDS:
        misses.append("first request (by the clock only)")
    return f"  MISSED: {', '.join(misses)}" if misses else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        target, root, split = arguments.one
        print(json.dumps(read(target, Path(root), split)))
        return
    if arguments.ask:
        print(json.dumps(ask(arguments.ask[0], Path(arguments.ask[1]))))
        return
    figures = {}
    print(f"wanted: <= {WANTED_MB} MB, >= {WANTED_ROWS_PER_SECOND} rows/s, "
          f"first request within {WANTED_SECONDS:g} s")  # fmt: skip
    heads = f"{'reader':<18}{'rows':>9}{'samples':>9}{'MB':>7}{'rows/s':>10}"
    print(f"{heads}{'plan MB':>9}{'s':>7}{'CPU s':>7}")
    for case in arguments.cases.split(","):
        measured = figures[case] = measure(case, arguments.rows, arguments.rounds)
        line = f"{measured['rows']:>9.0f}{measured['samples']:>9.0f}{measured['mb']:>7.0f}"
        line += f"{measured['rows_per_second']:>10.0f}"
        if "plan_mb" in measured:
            line += f"{measured['plan_mb']:>9.0f}{measured['first_request_seconds']:>7.1f}"
            line += f"{measured['first_request_cpu_seconds']:>7.1f}"
        print(f"{case:<18}{line}{missed(measured)}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
