"""Remake the tiny models from nothing: `python -m harness_demo_world.training`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from harness_demo_world.chance import VERSION
from harness_demo_world.training import encoder, fusion, language_model

STAGES = ("language_model", "encoder", "fusion")
_LOG = logging.getLogger("harness_demo_world.training")
_PACKAGES = ("torch", "transformers", "open_clip_torch", "peft", "tokenizers", "pillow")


def _arguments() -> argparse.Namespace:
    shipped = Path(__file__).parent.parent / "weights"
    parser = argparse.ArgumentParser(prog="python -m harness_demo_world.training")
    parser.add_argument("--out", type=Path, default=shipped, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0, help="seed of the world and the training")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=STAGES, help="remake one stage with the others' weights")
    return parser.parse_args()


def _stage(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one stage and return its record."""
    folder, seed = options.out, options.seed
    if name == "language_model":
        return language_model.train(
            language_model.LanguageSettings(), seed, folder / "language_model"
        )
    if name == "encoder":
        made = language_model.tokenizer(language_model.LanguageSettings(), seed)
        return encoder.train(
            encoder.EncoderSettings(), seed, made, folder / "encoder", options.threads
        )
    return fusion.train(fusion.FusionSettings(), seed, folder, options.threads)


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
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }
    record.setdefault("stages", {})
    for name in STAGES if options.only is None else (options.only,):
        start = time.perf_counter()
        record["stages"][name] = _stage(name, options)
        _LOG.info("%s: %.0f s", name, time.perf_counter() - start)
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
