"""Multiple choice by log-likelihood on a random LLaVA: the engine, two plain loops, and the bound.

CPU milliseconds a scoring (one option of one question) on one thread, medians of rounds in which
all ways take turns. The plain loops do the same work for every scoring, so a sample of them is
timed. The bound: distinct images once, distinct tokens once, at the measured speed of a matrix
product. `--harness N` runs the first workload on N
images through plan, journal, metrics and seal as well.

Example, 4 minutes on a quiet machine:
python benchmarks/engine_scoring.py --images 64 --rounds 1 --harness 64
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._engine_models import RandomLlava, choices, least_work, matmul_speed
from benchmarks._engine_task import through_the_harness
from harness.engine.answerer import EngineAnswerer
from harness.engine.tokenize import Ids
from harness.models import Runtime
from harness.requests import Choose, Request, Scores

SAMPLE = 32
ROWS = 16
Scoring = tuple[Request, Ids, Ids]


def scorings(model: RandomLlava, requests: Sequence[Request], most: int) -> list[Scoring]:
    """Return the first few scorings: request, ids of its prompt, ids of one option."""
    triples = []
    for request in requests:
        assert isinstance(request.want, Choose)
        joint = model.prompt(request.turns, request.want.options)
        triples += [(request, joint.prefix, option) for option in joint.options]
        if len(triples) >= most:
            break
    return triples[:most]


@torch.inference_mode()
def batched(model: RandomLlava, items: Sequence[Scoring], rows: int) -> list[float]:
    """One forward pass per option with its image, in batches, padded on the right."""
    order = sorted(range(len(items)), key=lambda at: -len(items[at][1]) - len(items[at][2]))
    totals = [0.0] * len(items)
    for start in range(0, len(order), rows):
        chunk = order[start : start + rows]
        images = model.connect(model.encode([items[at][0].images[0] for at in chunk]))
        sequences = [
            model.inputs((*items[at][1], *items[at][2]), [image]).embeds
            for at, image in zip(chunk, images, strict=True)
        ]
        padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        mask = torch.zeros(padded.shape[:2], dtype=torch.long, device=padded.device)
        for row, sequence in enumerate(sequences):
            mask[row, : len(sequence)] = 1
        logits = model.language_model(inputs_embeds=padded, attention_mask=mask).logits
        scores = logits.float().log_softmax(-1)
        for row, (at, sequence) in enumerate(zip(chunk, sequences, strict=True)):
            option = items[at][2]
            begin = len(sequence) - len(option) - 1
            totals[at] = sum(float(scores[row, begin + n, token]) for n, token in enumerate(option))
    return totals


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds of this process that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(
    name: str, model: RandomLlava, requests: Sequence[Request], arguments: argparse.Namespace
) -> float:
    """Measure one workload, print a line, and return the naive loop's milliseconds."""
    count = sum(len(one.want.options) for one in requests if isinstance(one.want, Choose))
    sample = scorings(model, requests, SAMPLE)
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    blocks = [requests[at : at + 48] for at in range(0, len(requests), 48)]

    fast: dict[str, Scores] = {}

    def engine() -> None:
        for block in blocks:
            for response in answerer.answer(block):
                assert isinstance(response.result, Scores)
                fast[response.request] = response.result

    answerer.answer(blocks[0])  # the check of a task's first answers, and warm caches
    ways: dict[str, list[float]] = {"naive": [], "batched": [], "engine": [], "bound": []}
    for _ in range(arguments.rounds):
        ways["naive"].append(timed(lambda: batched(model, sample[:8], 1)) / 8)
        ways["batched"].append(timed(lambda: batched(model, sample, ROWS)) / len(sample))
        ways["engine"].append(timed(engine) / count)
        ways["bound"].append(least_work(model, requests) / matmul_speed() / count)
    naive, plain, ours, bound = (1000 * statistics.median(times) for times in ways.values())
    checked = [
        value
        for request in dict.fromkeys(one.id for one, *_ in sample)
        for value in fast[request].values
    ]
    slow = batched(model, sample, 1)
    apart = max(abs(one - other) for one, other in zip(slow, checked, strict=False))
    print(
        f"{name:<24}{count:>7}{naive:>9.1f}{plain:>9.1f}{ours:>9.2f}{bound:>8.2f}"
        f"{naive / ours:>8.1f}x{plain / ours:>8.1f}x{bound / ours:>8.0%}{apart:>10.1e}",
        flush=True,
    )
    return naive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--harness", type=int, default=0, help="images through the whole harness")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = RandomLlava()
    print(
        f"{'workload':<24}{'options':>7}{'naive':>9}{'batched':>9}{'engine':>9}{'bound':>8}"
        f"{'/naive':>9}{'/batched':>9}{'of bound':>8}{'apart':>10}"
    )
    naive = compare("24 questions x 4", model, choices(arguments.images), arguments)
    few = max(2, arguments.images // 8)
    gestures = [f"gesture{at}" + " of hand" * (at % 3 > 0) for at in range(34)]
    work = [f"work{at}" + " at home" * (at % 2) for at in range(156)]
    compare("34 labels", model, choices(few, 1, gestures), arguments)
    compare("156 labels", model, choices(few, 1, work), arguments)
    compare("1 question x 4", model, choices(2 * few, 1), arguments)
    if arguments.harness:
        seconds, scored = through_the_harness(model, arguments.harness)
        bound = least_work(model, choices(arguments.harness)) / matmul_speed()
        each = 1000 * seconds / scored
        print(
            f"whole harness: {each:.2f} ms a scoring over {scored}, {naive / each:.1f}x naive, "
            f"{bound / seconds:.0%} of the bound"
        )


if __name__ == "__main__":
    main()
