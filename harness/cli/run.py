"""``harness run``: plan, progress, table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

import harness
from harness.arguments import defaults
from harness.cli import _options
from harness.cli._options import (
    FewSamples,
    count,
    data_paths,
    pairs,
    sample_ids,
    size,
    text_or_file,
)
from harness.cli._stdout import emit
from harness.cli.progress import Display
from harness.evaluation.run_settings import RunSettings
from harness.models.contract import Runtime
from harness.plugins import Plugins

if TYPE_CHECKING:
    from harness.evaluation.run import RunResult

_SETTINGS, _RUNTIME = defaults(RunSettings), defaults(Runtime)
_MEGA = 1_000_000


class _Filed(click.Option):
    """An option that is required, unless a file gives it."""

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what stands in brackets after the option's help."""
        files = "--models or --config" if self.name == "model" else "--config"
        return {**super().get_help_extra(ctx), "required": f"required without {files}"}


@click.command(
    short_help="Evaluate a model on tasks and print the table.",
    epilog="Examples: harness run --model socialfusion --tasks social_all | "
    "harness run --model majority --tasks raf_db,gazefollow | "
    "harness run --model predictions -o path=answers.jsonl --tasks raf_db --data raf_db=/data/raf",
)
@click.option(
    "--model",
    cls=_Filed,
    required=True,
    metavar="IDS",
    shell_complete=_options.completing(Plugins.models),
    help="Model, or several separated by commas; see `harness models`.",
)
@_options.named_tasks(cls=_Filed)
@_options.model_options
@_options.task_options
@_options.data
@_options.profile
@_options.results
@click.option(
    "--limit",
    type=FewSamples(),
    help="Evaluate at most N samples per task, or a share such as 0.1 (marked `limited`).",
)
@click.option("--ids", metavar="A,B|@FILE", help="Evaluate only these samples (marked `limited`).")
@click.option(
    "--batch-size",
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Requests per forward pass; the model chooses when auto.",
)
@_options.setting(Runtime, "device", help="Device: auto, cpu, cuda, cuda:1, mps.")
@_options.dtype(_RUNTIME["dtype"])
@click.option("--deterministic", is_flag=True, help="Write byte-equal records at any batch size.")
@click.option("--kv-budget", metavar="SIZE", help="Maximum KV-cache memory, e.g. 2GiB.")
@_options.setting(
    RunSettings, "workers", help="Processes that open images ahead; 0: a thread does."
)
@_options.executor
@click.option(
    "--threads",
    default=_SETTINGS["threads"],
    show_default=True,
    metavar="auto|N",
    help="PyTorch threads on CPU; auto depends on the model's size and the load of the machine.",
)
@_options.setting(RunSettings, "seed", help="Seed of all random numbers.")
@click.option(
    "--variants",
    default="",
    metavar="KINDS",
    help="Also evaluate variants of each task: paraphrases, rotations=N, shuffles=N, or perturbed "
    "images: blur, noise:1-5, ... (harness list perturbations).",
)
@_options.setting(
    RunSettings, "max_errors", help="Exit with 1 if more than this fraction of samples errored."
)
@click.option(
    "--max-megapixels",
    default=_SETTINGS["max_pixels"] // _MEGA,
    show_default=True,
    type=_options.Whole(1, 1_000_000),
    help="Count larger images as errors.",
)
@_options.asked
@_options.checkpoint
@click.option("--method", metavar="ID", help="Apply an inference-time method: posthoc, vdd, ...")
@click.option(
    "--method-option",
    "method_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an option of the method.",
)
@click.option("--retry-errors", is_flag=True, help="Evaluate samples that errored again.")
@click.option(
    "--again",
    is_flag=True,
    help="Repeat finished evaluations; set the old records aside (see `harness results`).",
)
@click.option(
    "--keep-prompts",
    is_flag=True,
    help="Record each sample's prompt as it is sent; no number depends on it.",
)
@_options.track
@_options.run_files
@_options.dry_run
@_options.as_json
def run(**flags: Any) -> int:
    """Evaluate a model on tasks and print the table.

    Finished evaluations are not computed again: the same command continues, or returns at once.
    """
    from harness.api.runs import RunOptions

    console = Console(stderr=bool(flags["as_json"]), highlight=False)
    arguments = {
        **{name: flags[name] for name in RunOptions.__annotations__ if name in flags},
        "model": flags["model"],
        "tasks": flags["tasks"],
        "options": dict(pairs(flags["options"], "-o")),
        "spec_options": dict(pairs(flags["spec_options"], "--task-option")),
        "data": dict(data_paths(flags["data"])),
        "ids": sample_ids(flags["ids"]),
        "batch_size": count(flags["batch_size"], "--batch-size"),
        "threads": count(flags["threads"], "--threads", 1024) or "auto",
        "kv_budget": size(flags["kv_budget"]),
        "max_pixels": flags["max_megapixels"] * _MEGA,
        "method_options": dict(pairs(flags["method_options"], "--method-option")),
        "executor_options": dict(pairs(flags["executor_options"], "-e")),
    }
    arguments = _options.with_run_files(arguments, flags, {"max_pixels": "max_megapixels"})
    for name in ("prompt", "system"):
        arguments[name] = text_or_file(arguments[name], f"--{name}")
    plan = harness.plan(**arguments)
    with Display(console) as display:
        if flags["dry_run"]:
            plan.show(display)
            if flags["as_json"]:
                emit(json.dumps(display.plan_json(plan.of_all_models), indent=2))
            return 0
        result = plan.run(display)
    return _print(result, console, as_json=flags["as_json"])


def _print(result: RunResult, console: Console, *, as_json: bool) -> int:
    from harness.tables.build import build_table
    from harness.tables.formats import as_json as render_json
    from harness.tables.terminal import print_table

    table = build_table(list(result.records))
    if as_json:
        emit(render_json(table))
    else:
        print_table(table, console)
    folder = result.manifest.parent.parent
    runs = ", ".join(str(path) for path in result.manifests or (result.manifest,))
    console.print(f"records: {folder / 'evaluations'}   run: {runs}", soft_wrap=True)
    for line in result.failed:
        click.echo(f"check failed: {line}", err=True)
    for error, tasks in result.causes():
        click.echo(f"error: {', '.join(tasks)}: {error}", err=True)
    return result.exit_code
