"""Everything about the engine that needs a GPU, in one command: equality, speed, memory, training.

Random weights at the shapes of LLaVA-1.5-7B, Qwen2.5-VL-7B and SocialFusion are made on the device;
nothing is fetched. Writes one JSON file and one page. Where there is no GPU the same lines run on
tiny shapes on the CPU, and the page says so: its figures then say nothing of a GPU.

Example, at most 8 minutes on an H100: python benchmarks/gpu.py --out docs/results/gpu
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _gpu_sections as sections
from benchmarks._gpu_models import FULL
from benchmarks._gpu_sections import Figures, Machine

LARGEST = "LLaVA-1.5-7B"


def plan(machine: Machine) -> dict[str, Callable[[], Figures]]:
    """Return every section by its title, the ones that others stand on first."""
    work: dict[str, Callable[[], Figures]] = {
        "Equality to the CPU, float32": lambda: sections.equality(machine),
        "Half precision": lambda: sections.precision(machine),
    }
    for name in FULL:
        work[f"Options, {name}"] = lambda name=name: sections.scoring(machine, name)  # type: ignore[misc]
    work[f"Short answers, {LARGEST}"] = lambda: sections.generation(machine, LARGEST)
    work["Memory under a budget"] = lambda: sections.budget(machine, LARGEST)
    work["Trainings by FT and ASD"] = lambda: sections.training(machine, LARGEST)
    work["Trainings by the command"] = lambda: sections.commands(machine)
    work["Two workers on one device"] = lambda: sections.two_workers(machine)
    work["Kernels"] = lambda: sections.kernels(machine, LARGEST)
    return work


def about(machine: Machine) -> Figures:
    """Return what ran where."""
    cuda = machine.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(machine.device)
        if cuda
        else f"CPU, {platform.machine()}",
        "is_gpu": cuda,
        "full_size": machine.full,
        "dtype": str(machine.dtype).removeprefix("torch."),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "load_average": os.getloadavg()[0],
    }


def attempt(work: Callable[[], Figures]) -> Figures:
    """Return a section's figures, or why it has none; one that fails does not end the others."""
    start = time.perf_counter()
    try:
        figures = work()
    except Exception as error:  # noqa: BLE001  a card without a kernel must not lose the rest
        figures = {"failed": f"{type(error).__name__}: {str(error)[:300]}"}
    return {**figures, "section_seconds": round(time.perf_counter() - start, 1)}


def rows(figures: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested figures as lines of a table."""
    lines: list[tuple[str, str]] = []
    for name, value in figures.items():
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            lines += rows(value, f"{prefix}{name}: ")
        elif isinstance(value, float):
            lines.append((title, f"{value:.3g}"))
        elif value is not None:
            lines.append((title, str(value)))
    return lines


def page(results: Mapping[str, Figures]) -> str:
    """Return the page."""
    where = results["about"]
    text = ["# The engine on a GPU", "", "`python benchmarks/gpu.py --out docs/results/gpu`", ""]
    if not where["is_gpu"]:
        text += [
            "**No GPU was available.** All but flash attention ran on a CPU with tiny models.",
            "This shows that the script runs and that answers agree; the times are no GPU times.",
            "",
        ]
    text += [
        "Weights are random. Ratios compare with the same model in the same run, one option at a",
        "time and in padded batches. The bound computes each distinct image and token once, at the",
        "speed of a matrix product measured on the device. Missing lines could not be measured.",
        "",
    ]
    for title, figures in results.items():
        heading = "What ran where" if title == "about" else title
        text += [f"## {heading}", "", "| figure | value |", "|---|---|"]
        text += [f"| {name} | {value.replace('|', '/')} |" for name, value in rows(figures)]
        text.append("")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, help="path without a suffix")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--images", type=int, help="images of the largest workload")
    parser.add_argument("--minutes", type=float, default=8, help="no section starts after these")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    full = device.type == "cuda"
    machine = Machine(device, full, arguments.images or (32 if full else 2))
    figures: dict[str, Figures] = {"about": about(machine)}
    start = time.perf_counter()
    for title, work in plan(machine).items():
        late = time.perf_counter() - start > 60 * arguments.minutes
        figures[title] = {"left_out": "no time was left"} if late else attempt(work)
        print(f"{title}: {figures[title]}", flush=True)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.with_suffix(".json").write_text(sections.as_json(figures), encoding="utf-8")
        arguments.out.with_suffix(".md").write_text(page(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
