"""The engine's ratios in one run: a table of slopes, with what was wanted beside them.

All ways take turns in every round and the medians of the rounds' ratios are printed, so that other
work on the machine meets all of them; a busy machine is refused all the same. CPU time of one
thread. A slope is the difference of two sizes over the difference of their answers, so that start
and load do not count. `--demo` also times the commands that need the demo's drawings. JSON and page
are written anew after each round, so that what is measured outlives an interruption.

Example, 10 minutes on a quiet machine:
python benchmarks/engine_table.py --rounds 3 --demo --out docs/results/engine_table
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks._engine_models import RandomLlava, choices, least_work, matmul_speed, writings
from benchmarks._engine_task import through_the_harness
from benchmarks.engine_generation import TOKENS, plain
from benchmarks.engine_scoring import ROWS, batched, scorings, timed
from harness.engine.answerer import EngineAnswerer
from harness.models import Runtime
from harness.requests import Request

OCCUPATIONS = tuple(f"work{at}" + " at home" * (at % 2) for at in range(156))
Row = tuple[str, list[float], str, str, str]  # title, one value a round, required, aim, unit


def slope(sizes: Sequence[int], run: Callable[[int], tuple[float, int]]) -> list[float]:
    """Return CPU milliseconds an answer between each two neighbouring sizes, largest first."""
    points = [run(size) for size in sizes]
    return [1000 * (more - less) / (many - few) for (more, many), (less, few) in pairwise(points)]


def cpu_name() -> str:
    """Return the CPU's name, where the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return text.partition("model name")[2].partition("\n")[0].strip("\t :") or "CPU"
    except OSError:
        return "CPU"


def bound(requests: Sequence[Request], model: RandomLlava, answers: int, tokens: int = 0) -> float:
    """Return the least milliseconds an answer, at the speed of a matrix product measured now."""
    return 1000 * least_work(model, requests, tokens) / matmul_speed() / answers


def engine_rounds(model: RandomLlava, rounds: int, sizes: Sequence[int]) -> Iterator[list[Row]]:
    """Measure options and short answers; yield the rows so far after each round."""
    large = f"slope of {sizes[0]} against {sizes[1]} images"
    small = f"slope of {sizes[1]} against {sizes[2]} images"
    titles = {
        "options": (f"24 questions x 4 options, whole harness, {large}", "42", "46"),
        "options_bound": ("the same, share of the bound", "80", "88"),
        "few": (f"24 questions x 4 options, whole harness, {small}", "36", "42"),
        "few_bound": ("the same, share of the bound", "68", "80"),
        "texts": (f"8 new tokens, 4 questions an image, whole harness, {small}", "5.7", "6.1"),
        "texts_bound": ("the same, share of the bound", "87", "94"),
        "labels": ("156 options, one question an image", "110", ""),
        "labels_bound": ("the same, share of the bound", "78", ""),
        "single": ("4 options, one question an image, against batches", "5", ""),
    }
    values: dict[str, list[float]] = {name: [] for name in titles}
    asked, written = choices(sizes[2]), writings(sizes[2], 4, TOKENS)
    labels, single = choices(4, 1, OCCUPATIONS), choices(8, 1)
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    for block in (asked[:24], written[:4], labels[:1], single[:2]):
        answerer.answer(block)  # the check of a task's first answers
    for tokens in (0, TOKENS):
        through_the_harness(model, 1, tokens)  # what the first run of a process loads
    sample = {name: scorings(model, requests, 32) for name, requests in
              {"asked": asked, "labels": labels, "single": single}.items()}  # fmt: skip
    for _ in range(rounds):
        naive = 1000 * timed(lambda: batched(model, sample["asked"][:8], 1)) / 8
        options, few = slope(sizes, lambda size: through_the_harness(model, size))
        least = bound(asked, model, 4 * len(asked))
        values["options"].append(naive / options)
        values["options_bound"].append(100 * least / options)
        values["few"].append(naive / few)
        values["few_bound"].append(100 * least / few)

        naive = 1000 * timed(lambda: plain(model, written[:4], 1)) / 4
        (texts,) = slope(sizes[1:], lambda size: through_the_harness(model, size, TOKENS))
        values["texts"].append(naive / texts)
        values["texts_bound"].append(100 * bound(written, model, len(written), TOKENS) / texts)

        naive = 1000 * timed(lambda: batched(model, sample["labels"][:8], 1)) / 8
        count = len(labels) * len(OCCUPATIONS)
        ours = 1000 * timed(lambda: answerer.answer(labels)) / count
        values["labels"].append(naive / ours)
        values["labels_bound"].append(100 * bound(labels, model, count) / ours)

        rows = 1000 * timed(lambda: batched(model, sample["single"], ROWS)) / len(sample["single"])
        ours = 1000 * timed(lambda: answerer.answer(single)) / (4 * len(single))
        values["single"].append(rows / ours)
        yield [
            (title, values[name], required, aim, "%" if name.endswith("bound") else "x")
            for name, (title, required, aim) in titles.items()
        ]


def command_rows(rounds: int) -> list[Row]:
    """Measure what commands take on the demo, its drawings cached: CPU seconds of the children."""
    command = ["run", "--model", "socialfusion", "--tasks", "social_all"]
    first = ["run", "--model", "socialfusion", "--tasks", "raf_db", "--limit", "1"]
    commands = {
        ("`harness run` of one sample, demo SocialFusion", "6", "4"): first,
        ("the demo's five tasks by SocialFusion", "18", "12"): command,
    }
    rows: list[Row] = []
    for (title, required, aim), arguments in commands.items():
        seconds = []
        for number in range(rounds + 1):
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "-m", "harness", *arguments, "--results", folder]
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                environment = {**os.environ, "HARNESS_PROFILE": "demo"}
                subprocess.run(command, check=True, capture_output=True, env=environment)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if number:  # the first fills caches
                spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                seconds.append(spent)
        rows.append((title, seconds, required, aim, "s"))
    return rows


def page(rows: Sequence[Row], about: str) -> str:
    """Return the table in Markdown, under how it was measured."""
    command = f"python benchmarks/engine_table.py {shlex.join(sys.argv[1:])}"
    lines = ["# The engine's ratios", "", f"`{command}`", "", about, ""]
    lines += ["| | median | rounds | required | aim |", "|---|---|---|---|---|"]
    for title, values, required, aim, unit in rows:
        rounds = ", ".join(f"{value:.3g}" for value in values)
        median = f"{statistics.median(values):.3g} {unit}"
        lines.append(f"| {title} | {median} | {rounds} | {required} | {aim} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs=3, default=(64, 16, 4), help="images, falling")
    parser.add_argument("--demo", action="store_true", help="time the demo's commands too")
    parser.add_argument("--load", type=float, default=0.5, help="largest load average to begin at")
    parser.add_argument("--minutes", type=float, default=15, help="no round may end after these")
    parser.add_argument("--tiny", action="store_true", help="a tiny model: to see that it runs")
    parser.add_argument("--out", type=Path, help="path without a suffix, for JSON and page")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    if load > arguments.load:
        sys.exit(f"the load average is {load:.1f}: wait, or name a larger --load and say so")
    torch.set_num_threads(1)
    model = RandomLlava(2, 2, 56) if arguments.tiny else RandomLlava()
    model.ends = frozenset()
    start = time.time()
    rows = command_rows(arguments.rounds) if arguments.demo else []
    began = time.time()
    for number, measured in enumerate(engine_rounds(model, arguments.rounds, arguments.sizes), 1):
        tiny = "A tiny model: no figure counts. " if arguments.tiny else ""
        about = (
            f"{tiny}{cpu_name()}, one thread, torch {torch.__version__}; load average {load:.1f} "
            f"before, {os.getloadavg()[0]:.1f} after; {number} rounds, {time.time() - start:.0f} s."
        )
        text = page([*measured, *rows], about)
        if arguments.out:
            table = [
                dict(zip(("title", "values", "required", "aim", "unit"), row, strict=True))
                for row in [*measured, *rows]
            ]
            contents = {"about": about, "load": load, "tiny": arguments.tiny, "rows": table}
            arguments.out.with_suffix(".json").write_text(json.dumps(contents, indent=2) + "\n")
            arguments.out.with_suffix(".md").write_text(text)
        print(f"round {number} of {arguments.rounds}: {time.time() - start:.0f} s", file=sys.stderr)
        # Another round takes about as long as the mean of those before it.
        if time.time() - start + (time.time() - began) / number > 60 * arguments.minutes:
            break
    print(text)


if __name__ == "__main__":
    main()
