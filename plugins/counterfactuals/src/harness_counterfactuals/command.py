"""``harness make counterfactuals``: images from a spec, and their filters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from harness import commands
from harness.errors import UserError

if TYPE_CHECKING:
    from harness_counterfactuals.folder import SetFolder
    from harness_counterfactuals.make import Plan
    from harness_counterfactuals.manifest import Row
    from harness_counterfactuals.spec import Spec


@click.group(
    epilog="""Examples:

\b
  harness make counterfactuals cmsc --out cmsc --plan
  harness make counterfactuals occupations.yaml --out jobs --model ./sdxl
"""
)
def make() -> None:
    """Make data: images of counterfactual sets."""


@make.command(
    cls=commands.Command,
    renamed={"--batch": "--batch-size"},
    epilog="""Examples:

\b
  harness make counterfactuals cmsc --out cmsc --model ./stable-diffusion-xl --plan
  harness make counterfactuals mine.yaml --out mine --on processes -e workers=4
  harness make counterfactuals mine.yaml --out mine --filter-only
""",
)
@click.argument("spec", metavar="SPEC")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the images and their manifest.",
)
@click.option("--model", metavar="MODEL", help="Use this checkpoint instead of the spec's.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--batch-size",
    "batch",
    type=click.IntRange(2),
    metavar="N",
    help="Make at most N images at once; by default all that are edited from one.",
)
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan and stop.")
@click.option("--filter-only", is_flag=True, help="Score finished images again; make none.")
@click.option("--on", metavar="EXECUTOR", help="Make sets with workers that this executor starts.")
@click.option(
    "-e",
    "--executor-option",
    "executor_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an option of the executor, such as workers=4.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def counterfactuals(  # noqa: PLR0913  one parameter for each flag
    *,
    spec: str,
    out: Path,
    model: str | None,
    device: str,
    batch: int | None,
    plan_only: bool,
    filter_only: bool,
    on: str | None,
    executor_options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make counterfactual image sets: people who differ in one attribute only.

    SPEC is a YAML file, or the name of a shipped one: cmsc, demo, disability, occupations; demo
    needs no download. The same command continues after a stop at any point. The readers cmsc
    and table take the folder.
    """
    from harness.commands import pairs, tell
    from harness.workers.start import find_executor

    from harness_counterfactuals.spec import load_spec

    if plan_only and filter_only:
        raise UserError("--plan generates nothing, and --filter-only only scores existing images")
    if filter_only:
        idle = ("model", "batch", "on", "executor_options", "device")
        commands.refuse_idle(idle, "only affects generation, and --filter-only generates nothing")
    loaded = load_spec(spec)
    if model is not None:
        loaded = replace(loaded, generator=replace(loaded.generator, model=model))
    workers = None
    if on is not None or executor_options:
        workers = find_executor(on, dict(pairs(executor_options, "-e")))
    if plan_only:
        _print_plan(loaded, out, as_json=as_json)
        return
    if filter_only:
        from harness_counterfactuals.folder import SetFolder
        from harness_counterfactuals.make import refuse_other_spec

        folder = SetFolder.open(out)
        refuse_other_spec(loaded, out)
    else:
        from harness_counterfactuals.make import make as make_sets

        folder = make_sets(loaded, out, device=device, batch=batch, workers=workers, say=tell)
    _print_rows(_filtered(loaded, folder), folder, as_json=as_json)


def _filtered(spec: Spec, folder: SetFolder) -> list[Row]:
    """Score by filters and by what people decided; join the manifest."""
    from harness.commands import tell
    from harness.runs.lock import writing

    from harness_counterfactuals.filtering import apply_filters
    from harness_counterfactuals.reviewed import take_reviews

    with writing(folder.directory, "--out"):
        take_reviews(folder, tell)
        return apply_filters(folder, spec.filters, spec.drop, tell)


def _print_plan(spec: Spec, out: Path, *, as_json: bool) -> None:
    from harness.commands import print_json, print_table
    from harness.progress import duration, in_bytes

    from harness_counterfactuals.make import plan

    planned = plan(spec, out)
    if as_json:
        print_json(planned.to_json())
        return
    left = planned.sets - planned.done
    lines = [
        ("sets", f"{planned.sets:,} ({planned.done:,} are made)"),
        ("images", f"{planned.images:,} of {spec.width} x {spec.height}, {spec.format}"),
        ("generator", spec.generator.model),
        ("editor", f"{spec.editor.kind}, {spec.edited} edited"),
        ("disk", f"about {in_bytes(planned.disk)}; {in_bytes(planned.free)} are free"),
        ("attention kept", _store(planned)),
        ("longest prompt", "unknown: the checkpoint is not here" if planned.longest is None
         else f"{planned.longest} tokens"),
        ("filters", ", ".join(name for name, _ in spec.filters) or "none: every image is kept"),
        ("time left", "known once the first set is made" if planned.seconds is None
         else f"about {duration(planned.seconds * left)} in one process"),
    ]  # fmt: skip
    print_table(("plan", spec.title), lines)
    if planned.disk > planned.free:
        click.echo("the disk will fill before all images are made", err=True)


def _store(planned: Plan) -> str:
    from harness.progress import in_bytes

    if planned.store is None:
        return "unknown: the checkpoint is not here"
    if not planned.store:
        return "none: maps are used as they are computed"
    return f"{in_bytes(planned.store)} for the local blend"


def _print_rows(rows: list[Row], folder: SetFolder, *, as_json: bool) -> None:
    from harness.commands import print_json

    from harness_counterfactuals.drops import drops_of, print_drops

    out, report = folder.directory, drops_of(rows, folder.scores())

    sets = {row.set for row in rows}
    fit = {row.set for row in rows if not row.dropped}
    kept_count = sum(not row.dropped for row in rows)
    if as_json:
        counts = {"sets": len(sets), "images": len(rows), "sets_kept": len(fit)}
        drops = [each.to_json() for each in report]
        print_json({**counts, "images_kept": kept_count, "folder": str(out), "drops": drops})
        return
    click.echo(
        f"{out}: {len(sets):,} sets, {len(rows):,} images; "
        f"{len(fit):,} sets and {kept_count:,} images are kept by the filters"
    )
    print_drops(report)
