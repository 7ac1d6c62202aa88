"""Short answers on a random LLaVA: the engine, transformers' own generation, and the bound.

CPU milliseconds an answer on one thread, medians of rounds in which all ways take turns; the plain
loops run on a sample. One image, four questions, eight new tokens, greedy.

Example: python benchmarks/engine_generation.py --images 16 --rounds 3
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

from benchmarks._engine_models import RandomLlava, least_work, matmul_speed, writings
from harness.engine.answerer import EngineAnswerer
from harness.models import Runtime
from harness.requests import Request, Text

TOKENS = 8


@torch.inference_mode()
def plain(model: RandomLlava, requests: Sequence[Request], rows: int) -> list[str]:
    """Generate with transformers in batches, each prompt with its image, padded on the left."""
    texts = []
    for start in range(0, len(requests), rows):
        chunk = requests[start : start + rows]
        images = model.connect(model.encode([request.images[0] for request in chunk]))
        prompts = [
            model.inputs(model.prompt(request.turns, ()).prefix, [image]).embeds
            for request, image in zip(chunk, images, strict=True)
        ]
        longest = max(len(one) for one in prompts)
        padded = prompts[0].new_zeros(len(prompts), longest, prompts[0].shape[1])
        mask = torch.zeros(len(prompts), longest, dtype=torch.long, device=padded.device)
        for row, ids_of_prompt in enumerate(prompts):
            padded[row, longest - len(ids_of_prompt) :] = ids_of_prompt
            mask[row, longest - len(ids_of_prompt) :] = 1
        ids = model.language_model.generate(
            inputs_embeds=padded,
            attention_mask=mask,
            max_new_tokens=TOKENS,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        texts += [model.decode(tuple(row)) for row in ids.tolist()]
    return texts


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds of this process that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = RandomLlava()
    model.ends = frozenset()
    requests = writings(arguments.images, arguments.questions, TOKENS)
    answerer = EngineAnswerer(model, Runtime(device="cpu"))

    def engine() -> list[str]:
        texts = [response.result for response in answerer.answer(requests)]
        return [result.text for result in texts if isinstance(result, Text)]

    sample = requests[:16]
    same = sum(one == other for one, other in zip(plain(model, sample, 1), engine(), strict=False))
    ways: dict[str, list[float]] = {"naive": [], "batched": [], "engine": [], "bound": []}
    work = least_work(model, requests, TOKENS)
    for _ in range(arguments.rounds):
        ways["naive"].append(timed(lambda: plain(model, sample[:4], 1)) / 4)
        ways["batched"].append(timed(lambda: plain(model, sample, 16)) / len(sample))
        ways["engine"].append(timed(engine) / len(requests))
        ways["bound"].append(work / matmul_speed() / len(requests))
    naive, batched, ours, bound = (1000 * statistics.median(times) for times in ways.values())
    print(f"answers {len(requests)}, equal to transformers' {same} of {len(sample)}")
    print(
        f"naive {naive:.0f}  batch 16 {batched:.0f}  engine {ours:.1f}  bound {bound:.1f} ms: "
        f"{naive / ours:.1f}x naive, {batched / ours:.1f}x batched, {bound / ours:.0%} of the bound"
    )


if __name__ == "__main__":
    main()
