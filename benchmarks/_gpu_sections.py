"""What the GPU script measures, one function a section; each returns figures as plain data."""

from __future__ import annotations

import filecmp
import gc
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from harness_training.module import Item

from benchmarks._engine_models import RandomLlava
from benchmarks._engine_models import choices as small_choices
from benchmarks._gpu_models import (
    FULL,
    Shape,
    ShapedModel,
    choices,
    images,
    least_flop,
    tiny,
    writings,
)
from benchmarks._training_model import LORA, epoch_of, run_epoch, staged
from benchmarks.engine_generation import TOKENS, plain
from benchmarks.engine_scoring import batched, scorings
from harness.engine.answerer import EngineAnswerer
from harness.engine.kv_cache import position_bytes
from harness.models import Runtime
from harness.requests import Choose, Request, Scores

Figures = dict[str, Any]
GESTURES = tuple(f"gesture{at}" + " of hand" * (at % 3 > 0) for at in range(34))
OCCUPATIONS = tuple(f"work{at}" + " at home" * (at % 2) for at in range(156))


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the sections run.

    Attributes:
        device: The device.
        full: Whether models have their full size; a CPU gets tiny ones.
        images: Images of the first workload.
    """

    device: torch.device
    full: bool
    images: int

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the timed models."""
        return torch.bfloat16 if self.full else torch.float32

    def shape(self, name: str) -> Shape:
        """Return a named shape, tiny unless everything is full."""
        return FULL[name] if self.full else tiny(FULL[name])

    def runtime(self, **options: Any) -> Runtime:
        """Return how models run here."""
        return Runtime(device=str(self.device), **options)

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the seconds that some work takes, until the device is done with it."""
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start

    def wait(self) -> None:
        """Wait until the device has nothing left to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def free(self) -> None:
        """Give back what is no longer used, and start the count of the peak anew."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> int | None:
        """Return the largest bytes in use since :meth:`free`; a CPU does not tell."""
        if self.device.type != "cuda":
            return None
        return int(torch.cuda.max_memory_allocated(self.device))

    def matmul(self) -> float:
        """Return FLOP a second of a large product in the timed dtype."""
        side = 8192 if self.full else 512
        factor = torch.randn(side, side, device=self.device, dtype=self.dtype)
        best = min(self.seconds(lambda: factor @ factor) for _ in range(8))
        return 2 * side**3 / best


def equality(machine: Machine) -> Figures:
    """Compare float32 scores on the device with those of the CPU, on a small model."""
    requests = small_choices(4)
    scores = {}
    for name in {"cpu", machine.device.type}:
        model = RandomLlava()
        for part in (model.tower, model.projector, model.language_model):
            part.to(name)
        scores[name] = _answers(EngineAnswerer(model, Runtime(device=name)), requests)
    on_device = scores[machine.device.type]
    apart = max(
        abs(value - other)
        for key, values in scores["cpu"].items()
        for value, other in zip(values, on_device[key], strict=True)
    )
    return {"scores": sum(map(len, on_device.values())), "largest_difference": apart, "limit": 2e-4}


def precision(machine: Machine) -> Figures:
    """Compare the best options in bfloat16 with float32, and batches under ``--deterministic``."""
    labels = [f"label{at}" for at in range(16)]
    requests = small_choices(8, 24, labels)
    differences = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = RandomLlava(4, 8, 56, dtype)
        for part in (model.tower, model.projector, model.language_model):
            part.to(machine.device)
        differences[dtype] = _answers(EngineAnswerer(model, machine.runtime()), requests)
    same = sum(
        _best(values) == _best(differences[torch.bfloat16][key])
        for key, values in differences[torch.float32].items()
    )
    exact = [
        _answers(
            EngineAnswerer(model, machine.runtime(deterministic=True, batch_size=size)), requests
        )
        for size in (1, 7)
    ]
    return {
        "requests": len(requests),
        "same_best_as_float32": same / len(requests),
        "deterministic_batches_equal": exact[0] == exact[1],
    }


def scoring(machine: Machine, name: str) -> Figures:
    """Time log-likelihoods of a shape's options: the engine, one by one, batched, and the bound."""
    machine.free()
    model = ShapedModel(machine.shape(name), machine.device, machine.dtype)
    workloads = {
        "24 questions x 4": choices(model.shape, machine.images, 24),
        "34 labels": choices(model.shape, max(2, machine.images // 4), 1, GESTURES),
        "156 labels": choices(model.shape, max(2, machine.images // 4), 1, OCCUPATIONS),
        "1 question x 4": choices(model.shape, machine.images, 1),
    }
    rate = machine.matmul()
    figures: Figures = {"parameters": sum(map(_parameters, model.parts().values()))}
    for title, requests in workloads.items():
        machine.free()
        answerer = EngineAnswerer(model, machine.runtime())
        engine = partial(_in_blocks, answerer, requests)
        _in_blocks(answerer, requests[:24])
        wants = [request.want for request in requests]
        count = sum(len(want.options) for want in wants if isinstance(want, Choose))
        sample = scorings(model, requests, 16)
        ours = machine.seconds(engine) / count
        naive = machine.seconds(lambda: batched(model, sample[:8], 1)) / 8  # noqa: B023
        rows = machine.seconds(lambda: batched(model, sample, 8)) / len(sample)  # noqa: B023
        figures[title] = {
            "scorings": count,
            "ms_per_scoring": 1000 * ours,
            "over_naive": naive / ours,
            "over_batched": rows / ours,
            "share_of_bound": least_flop(model, requests) / rate / count / ours,
            "peak_bytes": machine.peak(),
            "busy_share": _busy(machine, engine) if title == "24 questions x 4" else None,
        }
    return figures


def generation(machine: Machine, name: str) -> Figures:
    """Time short answers: the engine, transformers one by one and in batches, and the bound."""
    machine.free()
    model = ShapedModel(machine.shape(name), machine.device, machine.dtype)
    requests = writings(model.shape, max(2, machine.images // 2), 4, TOKENS)
    answerer = EngineAnswerer(model, machine.runtime())
    answerer.answer(requests[:4])
    ours = machine.seconds(partial(_in_blocks, answerer, requests)) / len(requests)
    naive = machine.seconds(lambda: plain(model, requests[:4], 1)) / 4
    rows = machine.seconds(lambda: plain(model, requests[:8], 8)) / 8
    bound = least_flop(model, requests, TOKENS) / machine.matmul() / len(requests)
    return {
        "answers": len(requests),
        "ms_per_answer": 1000 * ours,
        "over_naive": naive / ours,
        "over_batched": rows / ours,
        "share_of_bound": bound / ours,
        "peak_bytes": machine.peak(),
    }


def budget(machine: Machine, name: str) -> Figures:
    """Compare the memory of a run under ``--kv-budget`` with that of a run without."""
    machine.free()
    model = ShapedModel(machine.shape(name), machine.device, machine.dtype)
    requests = choices(model.shape, max(2, machine.images // 4), 24)
    each = position_bytes(model.language_model)
    allowed = each * 4 * (model.shape.positions + 512)
    figures: Figures = {"budget_bytes": allowed}
    answers = {}
    for title, bound in (("free", None), ("bounded", allowed)):
        machine.free()
        before = machine.peak()
        answerer = EngineAnswerer(model, machine.runtime(kv_budget=bound))
        answers[title] = _in_blocks(answerer, requests)
        peak = machine.peak()
        above = None if peak is None or before is None else peak - before
        figures[f"{title}_bytes_above_weights"] = above
    figures["largest_difference"] = max(
        abs(value - other)
        for key, values in answers["free"].items()
        for value, other in zip(values, answers["bounded"][key], strict=True)
    )
    return figures


def training(machine: Machine, name: str) -> Figures:
    """Time a step of LoRA and connector, with and without computing activations again."""
    figures: Figures = {}
    for title, again in (("kept activations", False), ("checkpointing", True)):
        machine.free()
        model = ShapedModel(machine.shape(name), machine.device, machine.dtype)
        items = _examples(model, 16 if machine.full else 4)
        with tempfile.TemporaryDirectory() as folder:
            stage, optimiser = staged(
                model,
                Path(folder),
                len(items) // 2,
                None,
                100,
                device=str(machine.device),
                precision="bfloat16" if machine.full else "float32",
            )
            if again:
                stage.module.recompute()
            work = partial(run_epoch, stage, optimiser, 0, *epoch_of(items))
            seconds = machine.seconds(work)
        figures[title] = {
            "samples_per_second": len(items) / seconds,
            "peak_bytes": machine.peak(),
            "rank": LORA.rank,
        }
    return figures


def kernels(machine: Machine, name: str) -> Figures:
    """Time the first workload with other attention kernels and with ``torch.compile``."""
    cuda = machine.device.type == "cuda"
    lacking: Figures = {}
    if not cuda or not importlib.util.find_spec("flash_attn"):
        lacking["flash_attention_2"] = "left out: needs a GPU and the package flash_attn"
    figures: Figures = {}
    for way in ("sdpa", "eager", "compile", "flash_attention_2"):
        if way in lacking:
            figures[way] = lacking[way]
            continue
        machine.free()
        attention = "sdpa" if way == "compile" else way
        model = ShapedModel(machine.shape(name), machine.device, machine.dtype, attention)
        if way == "compile":
            # Making kernels for a CPU takes longer than the whole script; tracing does not.
            model.language_model.compile(dynamic=True, backend="inductor" if cuda else "aot_eager")
        requests = choices(model.shape, max(2, machine.images // 4), 24)
        answerer = EngineAnswerer(model, machine.runtime())
        figures[way] = {
            "first_seconds": machine.seconds(partial(_in_blocks, answerer, requests[:48])),
            "seconds": machine.seconds(partial(_in_blocks, answerer, requests)),
        }
    return figures


def two_workers(machine: Machine) -> Figures:
    """Run a demo task with one process and with two on this device; compare the records' bytes."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = {}
        for workers in (1, 2):
            results = Path(folder) / str(workers)
            command = [sys.executable, "-m", "harness", "run", "--model", "socialfusion"]
            command += ["--tasks", "raf_db", "--limit", "100", "--deterministic"]
            command += ["--device", str(machine.device), "--results", str(results)]
            if workers > 1:
                command += ["--on", "processes", "-e", f"workers={workers}"]
            start = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return {"failed": done.stderr[-300:]}
            seconds[workers] = time.perf_counter() - start
        paths = [sorted(Path(folder, at).rglob("samples.jsonl*")) for at in ("1", "2")]
        equal = bool(paths[0]) and len(paths[0]) == len(paths[1])
        equal = equal and all(
            filecmp.cmp(one, other, shallow=False) for one, other in zip(*paths, strict=True)
        )
    return {"seconds": seconds, "samples_byte_equal": equal}


def _in_blocks(answerer: EngineAnswerer, requests: Sequence[Request]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for start in range(0, len(requests), 192):
        answers |= _answers(answerer, requests[start : start + 192])
    return answers


def _answers(answerer: EngineAnswerer, requests: Sequence[Request]) -> dict[str, Any]:
    results = {response.request: response.result for response in answerer.answer(requests)}
    return {
        key: result.values if isinstance(result, Scores) else result
        for key, result in results.items()
    }


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _parameters(part: Any) -> int:
    return sum(weight.numel() for weight in part.parameters())


def _busy(machine: Machine, work: Callable[[], object]) -> float | None:
    """Return the share of the time in which a kernel runs on the device."""
    if machine.device.type != "cuda":
        return None
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        seconds = machine.seconds(work)
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type.name == "CUDA"
    )
    busy, end = 0.0, 0.0
    for start, stop in spans:
        busy += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return busy / 1e6 / seconds


def _examples(model: ShapedModel, count: int) -> list[Item]:
    items = []
    for image, request in zip(
        images(model.shape, count), choices(model.shape, count, 1), strict=True
    ):
        assert isinstance(request.want, Choose)
        joint = model.prompt(request.turns, request.want.options[:1])
        items.append(
            Item(
                image.key,
                joint.prefix,
                (*joint.options[0], 2),
                (image.key,),
                partial(tuple, [image]),
            )
        )
    return items


def as_json(figures: Figures) -> str:
    """Return figures as the JSON file holds them."""
    return json.dumps(figures, indent=2, sort_keys=False) + "\n"
