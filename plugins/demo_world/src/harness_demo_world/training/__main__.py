"""Remake the tiny models from nothing: `python -m harness_demo_world.training`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from harness_demo_world.chance import VERSION

STAGES = {
    "language_model": "tokenizer and language model, from text",
    "encoder": "image encoder, from images and captions",
    "fusion": "SocialFusion: connector and LoRA, from the tasks' training splits",
    "llava": "LLaVA: the same encoder and language model, trained whole",
}
"""What is trained, in this order; each needs those before it."""

_LOG = logging.getLogger("harness_demo_world.training")
_PACKAGES = ("torch", "transformers", "open_clip_torch", "peft", "tokenizers", "pillow")
_MINUTES = 45


def _arguments() -> argparse.Namespace:
    shipped = Path(__file__).parent.parent / "weights"
    parser = argparse.ArgumentParser(prog="python -m harness_demo_world.training")
    parser.add_argument("--out", type=Path, default=shipped, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0, help="seed of the world and the training")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=STAGES, help="remake one stage with the others' weights")
    parser.add_argument(
        "--cache", type=Path, default=Path("demo-world-training"), help="folder for drawn data"
    )
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="share of steps, images and questions, for a trial",
    )
    return parser.parse_args()


def _cpu() -> float:
    """Return the CPU seconds of this process and of the workers that ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def main() -> None:
    """Run the stages in order, writing the record after each."""
    options = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("harness_demo_world").setLevel(logging.INFO)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "training_record.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    record |= {
        "seed": options.seed,
        "world_version": VERSION,
        "threads": options.threads,
        "share": options.share,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }
    record.setdefault("stages", {})
    names = list(STAGES) if options.only is None else [options.only]
    for number, name in enumerate(names, start=1):
        _LOG.info("plan %d/%d: %s: %s", number, len(names), name, STAGES[name])
    _LOG.info("on two idle cores all of it takes about %d minutes", _MINUTES)
    for name in names:
        start, spent = time.perf_counter(), _cpu()
        stage = import_module(f"harness_demo_world.training.{name}")
        stage_record = stage.train(
            options.seed, options.out, options.threads, options.cache, options.share
        )
        stage_record |= {
            "seconds": round(time.perf_counter() - start, 1),
            "cpu_seconds": round(_cpu() - spent, 1),
        }
        record["stages"][name] = stage_record
        _LOG.info(
            "%s: %.0f s, %.0f s of processors",
            name,
            stage_record["seconds"],
            stage_record["cpu_seconds"],
        )
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
