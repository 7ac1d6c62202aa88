"""Peak memory of a LoRA epoch against a plain loop over peft's model, for the same batches.

Each way is a process of its own; memory is what its peak adds to the process with the loaded model.

Example: python benchmarks/training_memory.py --samples 24 --batch 8
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness_training.module import Item

from benchmarks._training_model import LORA, FrozenLlava, epoch_of, examples, run_epoch, staged
from benchmarks.gradients import memory

WANTED = 1.2
WAYS = ("harness", "checkpointing", "peft")


def through_the_harness(model: FrozenLlava, items: list[Item], batch: int, again: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        stage, optimiser = staged(model, Path(name), batch, None, 100)
        if again:
            stage.module.recompute()
        run_epoch(stage, optimiser, 0, *epoch_of(items))


def through_peft(model: FrozenLlava, items: list[Item], batch: int) -> None:
    """Train as peft's own examples do: one padded batch, labels on answers, the model's loss."""
    from peft import LoraConfig, get_peft_model

    for part in model.parts().values():
        part.requires_grad_(requires_grad=False)
    model.projector.requires_grad_(requires_grad=True)
    config = LoraConfig(r=LORA.rank, lora_alpha=LORA.alpha, target_modules="all-linear")
    wrapped: Any = get_peft_model(model.language_model, config)
    wrapped.train()
    every = (*wrapped.parameters(), *model.projector.parameters())
    training = [one for one in every if one.requires_grad]
    optimiser = torch.optim.AdamW(training, lr=1e-4)
    for start in range(0, len(items), batch):
        rows, labels = [], []
        for item in items[start : start + batch]:
            with torch.no_grad():
                (seen,) = model.encode(item.open())
            embedded = model.inputs(item.prompt, model.connect([seen]))
            answer = model.embed(torch.tensor(item.answer))
            rows.append(torch.cat([embedded.embeds, answer]))
            labels.append(torch.tensor([-100] * embedded.length + list(item.answer)))
        pad = torch.nn.utils.rnn.pad_sequence
        mask = pad([torch.ones(len(row)) for row in rows], batch_first=True)
        loss = wrapped(
            inputs_embeds=pad(rows, batch_first=True),
            attention_mask=mask,
            labels=pad(labels, batch_first=True, padding_value=-100),
            use_cache=False,
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(training, 1.0)
        optimiser.step()
        optimiser.zero_grad()


def one(way: str, samples: int, batch: int, layers: int) -> None:
    torch.set_num_threads(1)
    model = FrozenLlava(layers=layers)
    items = examples(model, samples)
    import peft  # noqa: F401  loaded by both ways before the measure
    import transformers.trainer  # noqa: F401

    before = memory("VmRSS")
    if way == "peft":
        through_peft(model, items, batch)
    else:
        through_the_harness(model, items, batch, way == "checkpointing")
    print(memory("VmHWM") - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--way", choices=WAYS, help="Measure this one here and print bytes.")
    arguments = parser.parse_args()
    if arguments.way:
        one(arguments.way, arguments.samples, arguments.batch, arguments.layers)
        return
    peaks = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--way", way]
        for name in ("samples", "batch", "layers"):
            command += [f"--{name}", str(getattr(arguments, name))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[way] = int(done.stdout.split()[-1])
    figures = {
        "mib_above_the_loaded_model": {way: round(size / 2**20, 1) for way, size in peaks.items()},
        "harness_over_peft": round(peaks["harness"] / peaks["peft"], 3),
        "checkpointing_over_peft": round(peaks["checkpointing"] / peaks["peft"], 3),
        "wanted": WANTED,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
