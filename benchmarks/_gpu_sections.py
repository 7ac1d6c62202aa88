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
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from harness_training.module import Item
from harness_training.weights import Trained

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
PARTS = ("encoding", "measuring", "training")  # of an epoch's time, as its record tells it
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
    """Time an epoch by plain fine-tuning and by ASD, each with and without checkpointing.

    ASD measures skews first, which is scoring every example's options, and weighs each example.
    """
    ways = {
        "FT, connector": (Trained(("connector",)), False),
        "FT, LoRA and connector": (LORA, False),
        "ASD, LoRA and connector": (LORA, True),
    }
    figures: Figures = {}
    for (title, (trained, weighs)), again in product(ways.items(), (False, True)):
        machine.free()
        model = ShapedModel(machine.shape(name), machine.device, machine.dtype)
        count = 16 if machine.full else 4
        items, questions = _examples(model, count), choices(model.shape, count, 1)
        answerer = EngineAnswerer(model, machine.runtime())
        measuring = machine.seconds(partial(_in_blocks, answerer, questions)) if weighs else None
        weights = [1.0 + at % 3 for at in range(count)] if weighs else None
        with tempfile.TemporaryDirectory() as folder:
            stage, optimiser = staged(
                model,
                Path(folder),
                count // 2,
                None,
                100,
                device=str(machine.device),
                precision="bfloat16" if machine.full else "float32",
                trained=trained,
            )
            if again:
                stage.module.recompute()
            epoch, item_of = epoch_of(items)
            work = partial(run_epoch, stage, optimiser, 0, replace(epoch, weights=weights), item_of)
            seconds = machine.seconds(work)
        figures[f"{title}, {'checkpointing' if again else 'kept activations'}"] = {
            "samples_per_second": count / seconds,
            "measuring_share": None if measuring is None else measuring / (measuring + seconds),
            "peak_bytes": machine.peak(),
        }
    return figures


def commands(machine: Machine) -> Figures:
    """Train the demo's model by the command, by FT and ASD, in the timed dtype."""
    figures: Figures = {}
    for recipe in ("ft", "asd"):
        with tempfile.TemporaryDirectory() as folder:
            command = ["train", "--model", "socialfusion", "--recipe", recipe]
            command += ["--tasks", "scounter", "--task-option", "scounter.min_assigned=2"]
            command += ["--limit", "64", "--batch-size", "16", "--out", f"{folder}/trained"]
            command += ["--precision", str(machine.dtype).removeprefix("torch.")]
            seconds = _harness(machine, *command)
            (path,) = Path(folder).glob("trained/epoch-*/record.json")
            record = json.loads(path.read_text(encoding="utf-8"))
        parts = {f"{part}_seconds": record.get(f"{part}_seconds") for part in PARTS}
        figures[recipe] = {"seconds": seconds, "steps": record["steps"], **parts}
    return figures


def kernels(machine: Machine, name: str) -> Figures:
    """Time the first workload with other kernels, with ``torch.compile`` and in 4 bits."""
    cuda = machine.device.type == "cuda"
    lacking: Figures = {}
    if not cuda or not importlib.util.find_spec("flash_attn"):
        lacking["flash_attention_2"] = "left out: needs a GPU and the package flash_attn"
    figures: Figures = {}
    if not importlib.util.find_spec("bitsandbytes"):
        lacking["4bit"] = "left out: needs the package bitsandbytes"
    for way in ("sdpa", "eager", "compile", "flash_attention_2", "4bit"):
        if way in lacking:
            figures[way] = lacking[way]
            continue
        machine.free()
        attention = "sdpa" if way in {"compile", "4bit"} else way
        model = ShapedModel(machine.shape(name), machine.device, machine.dtype, attention)
        if way == "compile":
            # Making kernels for a CPU takes longer than the whole script; tracing does not.
            model.language_model.compile(dynamic=True, backend="inductor" if cuda else "aot_eager")
        if way == "4bit":
            _in_4_bits(model)
        requests = choices(model.shape, max(2, machine.images // 4), 24)
        answerer = EngineAnswerer(model, machine.runtime())
        figures[way] = {
            "language_model_bytes": _bytes(model.language_model),
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
            command = ["run", "--model", "socialfusion", "--tasks", "raf_db", "--limit", "100"]
            command += ["--deterministic", "--results", str(results)]
            if workers > 1:
                command += ["--on", "processes", "-e", f"workers={workers}"]
            seconds[workers] = _harness(machine, *command)
        paths = [sorted(Path(folder, at).rglob("samples.jsonl*")) for at in ("1", "2")]
        equal = bool(paths[0]) and len(paths[0]) == len(paths[1])
        equal = equal and all(
            filecmp.cmp(one, other, shallow=False) for one, other in zip(*paths, strict=True)
        )
    return {"seconds": seconds, "samples_byte_equal": equal}


def _harness(machine: Machine, *command: str) -> float:
    """Return the seconds of a command on this device."""
    start = time.perf_counter()
    whole = [sys.executable, "-m", "harness", *command, "--device", str(machine.device)]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-300:])
    return time.perf_counter() - start


def _in_4_bits(model: ShapedModel) -> None:
    """Put the language model's matrices, its head excepted, into NF4."""
    import bitsandbytes

    layers: Any = bitsandbytes.nn
    for module in list(model.language_model.model.modules()):
        for name, child in list(module.named_children()):
            if not isinstance(child, torch.nn.Linear):
                continue
            weight, bias = child.weight.data, child.bias
            device = weight.device
            linear = layers.Linear4bit(
                child.in_features,
                child.out_features,
                bias=bias is not None,
                compute_dtype=weight.dtype,
                quant_type="nf4",
            )
            linear.weight = layers.Params4bit(weight.cpu(), requires_grad=False, quant_type="nf4")
            linear.bias = bias
            setattr(module, name, linear.to(device))  # moving it quantises it


def _bytes(part: Any) -> int:
    return sum(weight.numel() * weight.element_size() for weight in part.parameters())


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
