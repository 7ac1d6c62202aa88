"""Published numbers that a command can be held against; each names where it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.descriptors import Json


@dataclass(frozen=True, slots=True)
class Target:
    """One published number.

    Attributes:
        title: Benchmark and model, for the page.
        task: The task's id.
        column: The metric's heading in tables.
        published: The number as printed.
        margin: Difference up to which a rerun agrees, in the units of the table.
        checkpoint: Text that the record's model must name, such as ``llava-v1.5-7b``.
        command: What measures it.
        source: Where the number was read.
        options: Named options of the task that the number stands for.
        mean_over: A named option and its values, where the number is the mean of one run for each.
        files: Model and figure in the authors' own files, where those give the number as well.
    """

    title: str
    task: str
    column: str
    published: float
    margin: float
    checkpoint: str
    command: str
    source: str
    options: Mapping[str, Json] = field(default_factory=dict)
    files: tuple[str, str] | None = None
    mean_over: tuple[str, tuple[Json, ...]] | None = None


_GENDERBIAS = "GenderBiasVL/GenderBias-VL, bias_overall.csv (by probability)"
_CLIP = "CLIP paper, FairFace; LAION-AI/CLIP_benchmark issue 15"
_LLAVA = "haotian-liu/LLaVA, docs/MODEL_ZOO.md"
_ASD = "a secondary note on arXiv 2408.06569 (leaderboards/published/asd_main.yaml)"


_MARGINS = {"B_ovl": 0.3, "Accuracy": 1.0, "IPSS": 1.0}
_Figures = tuple[float, float, float]


def _genderbias(model: str, files: str, run: str, figures: Mapping[str, _Figures]) -> list[Target]:
    """Return a model's rows: B_ovl, accuracy and IPSS of VL, V and L bias."""
    targets = []
    for bias, numbers in figures.items():
        option = "" if bias == "VL" else f" --task-option genderbias_vl.bias={bias}"
        command = f"harness run {run} --tasks genderbias_vl{option} --data genderbias_vl=FOLDER"
        targets += [
            Target(f"GenderBias-VL ({bias}), {model}", "genderbias_vl", column, published, margin,
                   run.rpartition("/")[2], command, _GENDERBIAS, {"bias": bias, "swap": "both"},
                   (files, f"{bias}bias {column}"))
            for (column, margin), published in zip(_MARGINS.items(), numbers, strict=True)
        ]  # fmt: skip
    return targets


def _llava(size: str, textvqa: float, pope: float) -> list[Target]:
    """Return a model's rows of LLaVA-1.5's model zoo that need no evaluation server."""
    name = f"llava-v1.5-{size.lower()}"
    run = f"harness run --model llava -o path=liuhaotian/{name}"
    samplings = ("random", "popular", "adversarial")
    commands = "; ".join(
        f"{run} --tasks pope --task-option pope.sampling={sampling} --data pope=FOLDER"
        for sampling in samplings
    )
    return [
        Target(f"POPE (mean of three samplings), LLaVA-1.5-{size}", "pope", "F1", pope, 0.5, name,
               commands, _LLAVA, mean_over=("sampling", samplings)),
        Target(f"TextVQA, LLaVA-1.5-{size}", "textvqa", "Acc", textvqa, 0.5, name,
               f"{run} --tasks textvqa --task-option textvqa.ocr=rosetta --data textvqa=FOLDER",
               _LLAVA, {"ocr": "rosetta"}),
    ]  # fmt: skip


TARGETS: tuple[Target, ...] = (
    *_genderbias("LLaVA-1.5-7B", "LLaVA1.5", "--model llava -o path=liuhaotian/llava-v1.5-7b",
                 {"VL": (1.85, 52.15, 51.58), "V": (1.60, 52.17, 51.67),
                  "L": (1.25, 51.27, 50.86)}),
    *_genderbias("LLaVA-1.5-13B", "LLaVA1.5-13b",
                 "--model llava -o path=liuhaotian/llava-v1.5-13b",
                 {"VL": (2.91, 59.08, 57.92), "V": (2.55, 59.90, 58.85),
                  "L": (1.65, 56.41, 55.86)}),
    *_genderbias("Qwen-VL", "QwenVL", "--model qwen_vl -o path=Qwen/Qwen-VL-Chat",
                 {"VL": (4.07, 74.27, 71.29), "V": (4.54, 74.36, 71.07),
                  "L": (2.96, 72.35, 70.18)}),
    Target("FairFace gender, CLIP L/14 at 336", "fairface_attributes", "Accuracy", 95.9, 1.0,
           "clip-vit-large-patch14-336",
           "harness run --model open_clip -o preset=clip-l-14-336 --tasks fairface_attributes "
           "--task-option fairface_attributes.attribute=gender --data fairface=FOLDER",
           _CLIP, {"attribute": "gender", "denigrating": "exclude"}),
    Target("FairFace race, CLIP L/14 at 336", "fairface_attributes", "Accuracy", 58.3, 2.0,
           "clip-vit-large-patch14-336",
           "harness run --model open_clip -o preset=clip-l-14-336 --tasks fairface_attributes "
           "--data fairface=FOLDER", _CLIP, {"attribute": "race", "denigrating": "exclude"}),
    Target("VQAv2, LLaVA-7B", "vqav2", "Acc", 78.50, 0.5, "llava-v1.5-7b",
           "harness run --model llava -o path=liuhaotian/llava-v1.5-7b --tasks vqav2 "
           "--data vqav2=FOLDER", _ASD),
    Target("MMBench, LLaVA-7B", "mmbench", "Circular", 58.21, 1.0, "llava-v1.5-7b",
           "harness run --model llava -o path=liuhaotian/llava-v1.5-7b --tasks mmbench "
           "--data mmbench=FOLDER", _ASD),
    *_llava("7B", 58.2, 85.9),
    *_llava("13B", 61.3, 85.9),
)  # fmt: skip
