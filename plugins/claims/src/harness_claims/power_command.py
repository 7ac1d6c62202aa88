"""``harness power``: what a task can show, before anything is run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click
from harness.commands import (
    Number,
    Whole,
    complete_tasks,
    number,
    print_json,
    print_table,
    refuse_idle,
)
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.descriptors import Json


@dataclass(frozen=True, slots=True)
class Design:
    """The samples of a task, and how much a difference of two models varies over them.

    Attributes:
        sizes: Samples in each cluster.
        scale: What a table multiplies the metric with.
        error: Standard error of the difference with all clusters, in the table's units.
        how: Where the error comes from, in sentences.
        largest: The largest difference that the metric's range allows.
    """

    sizes: Sequence[int]
    scale: float
    error: float
    how: Sequence[str]
    largest: float = math.inf


@dataclass(frozen=True, slots=True)
class Needs:
    """What the command prints, in the table's units; ``None`` where no number is enough."""

    task: str
    samples: int
    clusters: int
    error: float
    effect: float
    power: float
    smallest_effect: float
    clusters_needed: int | None
    samples_needed: int | None
    margin: float | None = None
    power_of_margin: float | None = None
    clusters_for_margin: int | None = None
    seeds_needed: int | None = None


@click.command(
    epilog="""Examples:

\b
  harness power raf_db --effect 1.0
  harness power vqav2 --effect 0.5 --value 70 --correlation 0.6 --icc 0.1
  harness power scounter --effect 0.05 --pilot asd-1,plain-1
  harness power raf_db --effect 1.0 --margin 0.5 --seed-spread 0.4
"""
)
@click.argument("task", shell_complete=complete_tasks)
@click.option(
    "--effect", type=Number(0), required=True, metavar="NUMBER",
    help="Difference to detect, in the table's units (1.0: one point of accuracy).",
)  # fmt: skip
@click.option(
    "--margin",
    type=Number(0),
    metavar="NUMBER",
    help="Also plan a test of equivalence within this margin.",
)
@click.option(
    "--pilot",
    metavar="RUN_A,RUN_B",
    help="Estimate the variance from two finished runs of the task.",
)
@click.option(
    "--value", type=Number(0), default=50.0, show_default=True, metavar="PERCENT",
    help="Value near which both models score; 50 is the worst case.",
)  # fmt: skip
@click.option(
    "--correlation", type=Number(-1, min_open=True), default=0.5, show_default=True,
    metavar="NUMBER",
    help="Correlation of the two models' right answers over samples.",
)  # fmt: skip
@click.option(
    "--icc", type=Number(0), default=0.05, show_default=True, metavar="NUMBER",
    help="Correlation of differences within a cluster, such as an image.",
)  # fmt: skip
@click.option(
    "--samples",
    type=Whole(2),
    metavar="N",
    help="Assume this number of samples; read no data.",
)
@click.option(
    "--cluster-size", type=Whole(1), metavar="N", help="With --samples: size of each cluster."
)
@click.option(
    "--seed-spread", type=Number(0), metavar="NUMBER",
    help="Standard deviation of a model's number over trainings; adds the number of seeds.",
)  # fmt: skip
@click.option(
    "--power",
    "wanted",
    type=Number(0),
    default=80.0,
    show_default=True,
    metavar="PERCENT",
    help="Wanted probability to detect the effect.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def power(*, task: str, as_json: bool, **flags: Any) -> None:
    """Show which difference TASK can detect, and how many samples or seeds an effect needs.

    The test is that of `harness compare`: two models on the same samples, clusters as units, level
    5 %. Without a pilot the spread of the differences is computed from --value and --correlation,
    and clusters count by --icc; these assumptions are printed.
    """
    if flags["pilot"]:
        assumed = ("value", "correlation", "icc", "samples", "cluster_size")
        refuse_idle(assumed, "is assumed without a pilot; a pilot measures it")
    design = design_of(task, flags)
    needs = needs_of(task, design, flags)
    if as_json:
        print_json({**asdict(needs), "assumptions": list(design.how)})
        return
    for sentence in design.how:
        click.echo(sentence)
    wanted = f"{flags['wanted']:g} %"
    rows = [
        ("standard error of a difference", number(needs.error, 1, digits=3)),
        (f"power to show {needs.effect:g}", f"{100 * needs.power:.1f} %"),
        (f"least effect shown with {wanted}", number(needs.smallest_effect, 1, digits=3)),
        (f"clusters for {needs.effect:g} with {wanted}", _count(needs.clusters_needed)),
        (f"samples for {needs.effect:g} with {wanted}", _count(needs.samples_needed)),
    ]
    if needs.margin is not None and needs.power_of_margin is not None:
        rows += [
            (f"power to show equality within {needs.margin:g}",
             f"{100 * needs.power_of_margin:.1f} %"),
            (f"clusters for that with {wanted}", _count(needs.clusters_for_margin)),
        ]  # fmt: skip
    if flags["seed_spread"] is not None:
        rows.append((f"seeds of each model for {needs.effect:g}", _count(needs.seeds_needed)))
    print_table((f"{needs.samples:,} samples, {needs.clusters:,} clusters", ""), rows)


def _count(number: int | None) -> str:
    return "more than 100 million" if number is None else f"{number:,}"


def design_of(task: str, flags: dict[str, Any]) -> Design:
    """Return a task's design from its data, or as declared.

    Raises:
        UserError: no such task, numbers out of range, or a metric without a known spread.
    """
    from harness.config.tasks import installed_catalog

    from harness_claims.power import design_effect, refuse_out_of, spread_of_differences

    if flags["pilot"]:
        return _pilot(task, str(flags["pilot"]))
    refuse_out_of("--value", flags["value"], 0, 100)
    refuse_out_of("--correlation", flags["correlation"], -1, 1)
    if not 0 <= flags["icc"] <= 1:
        raise UserError(f"{flags['icc']:g} is not from 0 to 1", where="--icc",
                        fix="such as --icc 0.1; a pilot (--pilot) measures it")  # fmt: skip
    spec = installed_catalog().task(task, {})
    scale = spec.main_metric.scale
    if scale != 100:
        raise UserError(
            f"the spread of {spec.main_metric.column} cannot be derived from --value",
            where=task,
            fix="--pilot RUN_A,RUN_B, two finished runs of the task",
        )
    sizes = _sizes(spec, flags)
    spread = spread_of_differences(flags["value"] / 100, flags["correlation"])
    effect = design_effect(sizes, flags["icc"])
    error = 100 * spread * (effect / sum(sizes)) ** 0.5
    assumed = (
        f"Assumed: both models are near {flags['value']:g} %, their right answers correlate by "
        f"{flags['correlation']:g}, differences within a cluster by {flags['icc']:g}."
    )
    size = f"{sum(sizes) / len(sizes):.1f} samples on average"
    how = assumed, f"Clusters of {size}: design effect {effect:.2f}."
    return Design(sizes, scale, error, how, largest=scale)


def _sizes(spec: Any, flags: dict[str, Any]) -> list[int]:
    from harness.api.runs import settings_for
    from harness.evaluation.task import Task

    if flags["samples"] is not None:
        size = flags["cluster_size"] or 1
        full, remainder = divmod(flags["samples"], size)
        sizes = [size] * full + [remainder] * bool(remainder)
    elif flags["cluster_size"] is not None:
        raise UserError("a cluster size needs a number of samples", fix="--samples N")
    else:
        samples = Task(spec, settings_for(None, None, None)).samples()
        sizes = list(Counter(one.cluster or one.id for one in samples).values())
    if len(sizes) < 2:
        raise UserError(f"{len(sizes)} clusters are too few", where=spec.id, fix="at least 2")
    return sizes


def _pilot(task: str, runs: str) -> Design:
    """Return the design of two finished runs, with the error that `harness compare` finds."""
    import harness

    names = [name.strip() for name in runs.split(",") if name.strip()]
    if len(names) != 2:
        raise UserError(f"a pilot needs two runs, not {len(names)}", fix="--pilot RUN_A,RUN_B")
    (comparison,) = harness.compare(*names, tasks=[task])
    main, counts = comparison.main, getattr(comparison, "clusters", 0)
    if main.paired.spread is None or not counts:
        raise UserError(
            "the pilot's difference does not vary over clusters", where=runs,
            fix="two models that answer differently, one seed each",
        )  # fmt: skip
    samples: Json = getattr(comparison, "samples", 0)
    assert isinstance(samples, int)
    even, more = divmod(samples, counts)
    sizes = [even + 1] * more + [even] * (counts - more)
    how = (
        f"From {names[0]} and {names[1]}: the standard error of their difference in {main.column} "
        f"on {samples} samples in {counts} clusters."
    )
    most = main.paired.largest
    return Design(
        sizes, main.scale, main.paired.spread * main.scale, [how],
        largest=math.inf if most is None else most * main.scale,
    )  # fmt: skip


def needs_of(task: str, design: Design, flags: dict[str, Any]) -> Needs:
    """Return what a design can show, and what an effect needs.

    Raises:
        UserError: an effect, margin, spread or power out of range.
    """
    from harness_claims import power as formulas

    effect, wanted = flags["effect"], flags["wanted"] / 100
    for name in ("effect", "margin", "seed_spread"):
        if flags[name] is None:
            continue
        flag = f"--{name.replace('_', '-')}"
        formulas.refuse_out_of(flag, flags[name], 0, math.inf)
        if flags[name] >= design.largest:
            raise UserError(
                f"{flags[name]:g} is as wide as the metric's range, {design.largest:g}",
                where=flag,
                fix="a difference in the table's units",
            )
    formulas.refuse_out_of("--power", flags["wanted"], 5, 100)
    clusters, error = len(design.sizes), design.error
    alone = error * clusters**0.5  # of one cluster; more clusters are like these

    def at(units: int) -> float:
        return formulas.power_of_test(effect, alone / units**0.5, units)

    needed = formulas.units_needed(at, wanted)
    samples = sum(design.sizes)
    margin, seeds = flags["margin"], None
    if flags["seed_spread"] is not None:
        of_difference = flags["seed_spread"] * 2**0.5

        def of_seeds(units: int) -> float:
            return formulas.power_of_test(effect, of_difference / units**0.5, units)

        seeds = formulas.units_needed(of_seeds, wanted)

    def equal(units: int) -> float:
        return formulas.power_of_equivalence(margin, alone / units**0.5, units)

    return Needs(
        task=task,
        samples=samples,
        clusters=clusters,
        error=error,
        effect=effect,
        power=at(clusters),
        smallest_effect=formulas.smallest_effect(error, clusters, wanted),
        clusters_needed=needed,
        samples_needed=None if needed is None else round(needed * samples / clusters),
        margin=margin,
        power_of_margin=None if margin is None else equal(clusters),
        clusters_for_margin=None if margin is None else formulas.units_needed(equal, wanted),
        seeds_needed=seeds,
    )


__all__ = ["Design", "Needs", "design_of", "needs_of", "power"]
