"""``harness run``: plan, progress, table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from harness.arguments import defaults
from harness.cli.progress import Display
from harness.errors import UserError
from harness.evaluation.run_settings import RunSettings
from harness.models.contract import Runtime
from harness.resources import home_path

_TERMS, _RUNTIME = defaults(RunSettings), defaults(Runtime)
_MEGA = 1_000_000


def pairs(values: tuple[str, ...], flag: str) -> dict[str, str]:
    """Return ``key=value`` arguments as a mapping.

    Raises:
        UserError: for one without ``=``, or a key given twice.
    """
    found: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise UserError(f"{flag} {value!r} is not KEY=VALUE", fix=f"{flag} key=value")
        if key in found:
            raise UserError(f"{flag} gives {key!r} twice")
        found[key] = text
    return found


def data_paths(values: tuple[str, ...], flag: str = "--data") -> dict[str, Path]:
    """Return ``key=path`` arguments as a mapping; a shell leaves the ``~`` after ``=`` to us.

    Raises:
        UserError: as :func:`pairs`, a path that is empty, or the home folder of nobody.
    """
    found = pairs(values, flag)
    for key, text in found.items():
        if not text:
            raise UserError(f"{flag} gives {key!r} no path", fix=f"{flag} {key}=FOLDER")
    return {key: home_path(text, flag) for key, text in found.items()}


def sample_ids(text: str | None) -> frozenset[str] | None:
    """Return ids from ``a,b,c`` or from ``@FILE`` with one id a line."""
    if text is None:
        return None
    if not text.startswith("@"):
        return frozenset(name for name in text.split(",") if name)
    path = Path(text[1:])
    try:
        return frozenset(line for line in path.read_text("utf-8").splitlines() if line)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the list of ids cannot be read: {error}", where=path) from None


def count(text: str, flag: str) -> int | None:
    """Return a number from 1 to a million, ``None`` for ``auto``.

    Raises:
        UserError: when it is neither.
    """
    if text == "auto":
        return None
    if not re.fullmatch(r"0*[1-9][0-9]{0,5}", text):
        raise UserError(
            f"{flag} {text[:40]!r} is neither auto nor a whole number above 0", fix=f"{flag} auto"
        )
    return int(text)


def size(text: str | None) -> int | None:
    """Return bytes from ``2GiB``, ``500MB`` or a plain number.

    Raises:
        UserError: when it is none of these.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?", text.strip().lower())
    amount = 0
    if found and not (found[3] and not found[2]):
        power = " kmgt".index(found[2] or " ")
        amount = int(float(found[1]) * (1024 if found[3] else 1000) ** power)
    if amount < 1:
        raise UserError(f"--kv-budget {text!r} is no size", fix="--kv-budget 2GiB, or 500MB")
    return amount


@click.command(
    short_help="Evaluate a model on tasks and print the table.",
    epilog="Examples: harness run --model socialfusion --tasks social_all | "
    "harness run --model majority --tasks raf_db,gazefollow | "
    "harness run --model predictions -o path=answers.jsonl --tasks raf_db --data raf_db=/data/raf",
)
@click.option("--model", required=True, metavar="ID", help="See `harness models`.")
@click.option("--tasks", required=True, metavar="IDS", help="Tasks and groups, comma separated.")
@click.option("-o", "--option", "options", multiple=True, metavar="KEY=VALUE", help="Of the model.")
@click.option(
    "--task-option",
    "spec_options",
    multiple=True,
    metavar="TASK.KEY=VALUE",
    help="A named option of a task's spec.",
)
@click.option("--data", multiple=True, metavar="TASK=PATH", help="Where a task's data lie.")
@click.option("--profile", metavar="NAME", help="demo (default) or full.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder of the records.")
@click.option("--limit", type=click.IntRange(min=1), help="So many samples a task (marked).")
@click.option("--ids", metavar="A,B|@FILE", help="Only these samples (marked).")
@click.option("--batch-size", default="auto", show_default=True, metavar="auto|N")
@click.option("--device", default=_RUNTIME["device"], show_default=True)
@click.option(
    "--dtype",
    default=_RUNTIME["dtype"],
    show_default=True,
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
)
@click.option("--deterministic", is_flag=True, help="Byte-equal records at any batch size.")
@click.option(
    "--kv-budget",
    metavar="SIZE",
    help="Memory that keys and values of a model may take at once, such as 2GiB.",
)
@click.option(
    "--workers",
    default=_TERMS["workers"],
    show_default=True,
    type=click.IntRange(min=0),
    help="Processes that open images ahead; 0: a thread does.",
)
@click.option(
    "--threads",
    default=_TERMS["threads"],
    show_default=True,
    metavar="auto|N",
    help="Of PyTorch on a CPU; auto goes by the model's size and by what else runs.",
)
@click.option("--seed", default=_TERMS["seed"], show_default=True)
@click.option(
    "--variants",
    default="",
    metavar="KINDS",
    help="Ask each task otherwise too: paraphrases, rotations=N, shuffles=N, comma separated.",
)
@click.option(
    "--max-errors",
    default=_TERMS["max_errors"],
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of samples that may error; above it the exit code is 1.",
)
@click.option(
    "--max-megapixels",
    default=_TERMS["max_pixels"] // _MEGA,
    show_default=True,
    type=click.IntRange(min=1),
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    help="What `harness train` wrote.",
)
@click.option("--method", metavar="ID", help="A method at answer time: posthoc, vdd, ...")
@click.option(
    "--method-option", "method_options", multiple=True, metavar="KEY=VALUE", help="Of the method."
)
@click.option("--retry-errors", is_flag=True, help="Ask again what errored before.")
@click.option(
    "--again",
    is_flag=True,
    help="Ask anew what is finished; the old evaluations are set aside (`harness results`).",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def run(**flags: Any) -> int:
    """Evaluate a model on tasks and print the table.

    What was computed before is not computed again: the same command continues or returns at once.
    """
    from harness import api
    from harness.evaluation.run import run_tasks, show_plan

    console = Console(stderr=bool(flags["as_json"]), highlight=False)
    ids = sample_ids(flags["ids"])
    subject, planned, terms = api.plan(
        flags["model"],
        flags["tasks"],
        options=dict(pairs(flags["options"], "-o")),
        spec_options=dict(pairs(flags["spec_options"], "--task-option")),
        data=data_paths(flags["data"]),
        profile=flags["profile"],
        results=flags["results"],
        limit=flags["limit"],
        ids=ids,
        device=flags["device"],
        dtype=flags["dtype"],
        batch_size=count(flags["batch_size"], "--batch-size"),
        threads=count(flags["threads"], "--threads") or "auto",
        deterministic=flags["deterministic"],
        kv_budget=size(flags["kv_budget"]),
        seed=flags["seed"],
        variants=flags["variants"],
        max_pixels=flags["max_megapixels"] * _MEGA,
        max_errors=flags["max_errors"],
        retry_errors=flags["retry_errors"],
        again=flags["again"],
        workers=flags["workers"],
        checkpoint=flags["checkpoint"],
        method=flags["method"],
        method_options=dict(pairs(flags["method_options"], "--method-option")),
    )
    with Display(console) as display:
        show_plan(subject, planned, display)
        if flags["dry_run"]:
            if flags["as_json"]:
                click.echo(json.dumps(display.plan_json(planned), indent=2))
            return 0
        result = run_tasks(subject, planned, terms, display)
    return _print(result, console, as_json=flags["as_json"])


def _print(result: Any, console: Console, *, as_json: bool) -> int:
    from harness.tables.build import build_table
    from harness.tables.formats import as_json as render_json
    from harness.tables.terminal import print_table

    table = build_table(list(result.records))
    if as_json:
        click.echo(render_json(table))
    else:
        print_table(table, console)
    folder = result.manifest.parent.parent
    console.print(f"records: {folder / 'evaluations'}   run: {result.manifest}", soft_wrap=True)
    for line in result.failed:
        click.echo(f"check failed: {line}", err=True)
    for error, tasks in result.causes():
        click.echo(f"error: {', '.join(tasks)}: {error}", err=True)
    code: int = result.exit_code
    return code
