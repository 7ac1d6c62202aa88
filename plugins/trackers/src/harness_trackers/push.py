"""``harness push``: records, cards and ``.eval_results`` to a repository of the hub, when asked."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import harness
from harness.api.records import Skipped, newest_of
from harness.commands import refuse_idle
from harness.errors import UserError
from harness.plugins import plugins

if TYPE_CHECKING:
    from harness_trackers.hub import Target

_KINDS = ("records", "card", "eval_results")
_RECORD = ("evaluation.json", "metrics.json", "spec.yaml", "seal.json")
_SAMPLES = "samples.jsonl"


def _kinds(_ctx: click.Context, _param: click.Parameter, text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    if not kinds:
        raise click.BadParameter(f"say what to send: {', '.join(_KINDS)}")
    for kind in kinds:
        if kind not in _KINDS:
            raise click.BadParameter(f"{kind!r} is not one of {', '.join(_KINDS)}")
    return kinds


@click.command(epilog="Example: harness push random-0123456789ab --to my-lab/results --dry-run")
@click.argument("places", nargs=-1, required=True, metavar="DIR_OR_RUN...")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="OWNER/NAME|FOLDER",
    help="Repository OWNER/NAME, or a folder.",
)
@click.option(
    "--type",
    "repo_type",
    type=click.Choice(["dataset", "model"]),
    default="dataset",
    show_default=True,
    help="Kind of the repository.",
)
@click.option(
    "--what",
    "kinds",
    default="records,card",
    show_default=True,
    callback=_kinds,
    help=f"What to send: {', '.join(_KINDS)}.",
)
@click.option("--dataset", "datasets", multiple=True, metavar="TASK=OWNER/NAME",
              help="A benchmark's id on the hub, for eval_results.")  # fmt: skip
@click.option("--organization", default="unknown", help="Name who ran the evaluations.")
@click.option(
    "--with-samples",
    is_flag=True,
    help="Send samples with labels and answers too; look at the data's licence first.",
)
@click.option(
    "--create", is_flag=True, help="Create the repository (private) if it does not exist."
)
@click.option("--public", is_flag=True, help="Let --create make it public.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent and stop.")
def push(places: tuple[str, ...], target: str, *, yes: bool, dry_run: bool, **chosen: Any) -> None:
    """Send finished evaluations to a repository of the hub, or put them into a folder.

    The token is the hub's own: HF_TOKEN, or that of `hf auth login`. It is never printed.
    """
    from harness_trackers.hub import Folder, target_of

    remote = target_of(
        target, chosen["repo_type"], create=chosen["create"], public=chosen["public"]
    )
    if isinstance(remote, Folder):
        refuse_idle(("repo_type", "create", "public"), "is for the hub, and --to is a folder")
    if not chosen["create"]:
        refuse_idle(("public",), "is for a repository that --create makes")
    if "records" not in chosen["kinds"]:
        refuse_idle(("with_samples",), "is for records, which --what does not name")
    options = {"datasets": _datasets(chosen["datasets"]), "organization": chosen["organization"]}
    exporters = plugins().exporters()
    for name in options:
        kinds = [kind for kind, exporter in exporters.items() if name in exporter.reads]
        if not set(kinds).intersection(chosen["kinds"]):
            named = " and ".join(kind for kind in _KINDS if kind in kinds)
            refuse_idle((name,), f"is for {named}, which --what does not name")
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        kinds = chosen["kinds"]
        if "records" in kinds:
            _stage_records(places, staged, with_samples=chosen["with_samples"])
        for kind in (kind for kind in kinds if kind != "records"):
            harness.export(
                places,
                kind,
                staged / kind,
                **{name: options[name] for name in exporters[kind].reads},
                on_skipped=_tell,
            )
        if "eval_results" in kinds:
            _at_the_top(staged)
        files = sorted(path for path in staged.rglob("*") if path.is_file())
        for path in files:
            size = f"{path.stat().st_size:>10,}"
            click.echo(f"{size}  {path.relative_to(staged).as_posix()}")
        if dry_run:
            return
        _ask(files, remote, yes=yes)
        click.echo(remote.send(staged))


def _at_the_top(staged: Path) -> None:
    """Put a model's ``.eval_results`` where the hub looks for it: at the top of its repository."""
    models = sorted((staged / "eval_results").iterdir())
    if len(models) > 1:
        raise UserError(
            f"eval_results go into the repository of one model, and there are {len(models)} models",
            fix="push the run of one model",
        )
    for folder in models[0].iterdir():
        folder.rename(staged / folder.name)
    shutil.rmtree(staged / "eval_results")


def _datasets(values: Sequence[str]) -> dict[str, str]:
    datasets: dict[str, str] = {}
    for text in values:
        task, equals, name = text.partition("=")
        if not (task and equals and name):
            raise UserError(f"{text[:80]!r} is not TASK=OWNER/NAME", where="--dataset")
        datasets[task] = name
    return datasets


def _tell(skipped: Skipped) -> None:
    for line in skipped.lines():
        click.echo(line, err=True)


def _stage_records(places: Sequence[str], staged: Path, *, with_samples: bool) -> None:
    """Copy the files of each record; those of its samples only when they are asked for."""
    records, _ = newest_of(places, _tell, details=True)
    if not records:
        raise UserError(
            "there is no finished evaluation", where=places[0], fix="harness results list"
        )
    for record in records:
        out = staged / "evaluations" / record.task / record.directory.name
        out.mkdir(parents=True, exist_ok=True)
        for name in (*_RECORD, *([_SAMPLES] if with_samples else ())):
            shutil.copyfile(record.directory / name, out / name)
    if not with_samples:
        click.echo(f"{_SAMPLES} of {len(records)} evaluations stay here (--with-samples)", err=True)


def _ask(files: Sequence[Path], remote: Target, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(
            "sending needs a confirmation, and there is no terminal to ask on",
            fix="--yes, or --dry-run",
        )
    if not click.confirm(f"send {len(files)} files to {remote.name}?", err=True):
        raise UserError("nothing was sent")
