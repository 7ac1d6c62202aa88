"""``harness review``: flags, and one call of what serves the page or prints the report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from harness.commands import Number, Whole, print_json, print_table, refuse_idle, replaced, tell
from harness.errors import UserError

if TYPE_CHECKING:
    from harness_review.decisions import Decision, Reviewed
    from harness_review.report import Report
    from harness_review.sets import Material

_RULES = ("all", "majority", "any")


@click.command(
    epilog="""Examples:

\b
  harness review made/ --reviewer ann
  harness review made/ --reviewer ann --reviewers ann,bob --overlap 0.2
  harness review faces/labels.csv --set subject --reviewer ann
  harness review made/ --report --csv outcomes.csv
"""
)
@click.argument("data", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--reviewer", metavar="NAME", help="Name of the reviewer; decisions are stored under it."
)
@click.option(
    "--reviewers",
    metavar="A,B",
    help="Divide the sets among these reviewers; by default among those with decisions.",
)
@click.option(
    "--overlap",
    type=Number(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the sets that every reviewer sees.",
)
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Seed of the order.")
@click.option("--set", "sets", metavar="COLUMN", help="Column whose equal values form a set.")
@click.option("--image", metavar="COLUMN", help="Column of the image, or a pattern with {COLUMN}.")
@click.option("--id", "name", metavar="COLUMN", help="Column of the rows' ids.")
@click.option("--show", metavar="A,B", help="Show these columns; by default all without images.")
@click.option("--reason", "reasons", multiple=True, metavar="TEXT",
              help="Offer this reason for a no (repeat for up to 9).")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Also show sets that filters dropped.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the decisions' files.")
@click.option(
    "--port", type=Whole(0, 65535), default=0, help="Port of this machine; a free one by default."
)
@click.option("--report", is_flag=True, help="Print a report of the decisions and stop.")
@click.option(
    "--rule",
    type=click.Choice(_RULES),
    help="With --report: keep a set that nobody refused (all, the default), or go by the majority.",
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path),
              help="With --report: write a CSV file with a row for each set.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="With --report: print JSON.")
def review(*, data: Path, out: Path | None, report: bool, **flags: Any) -> None:
    """Accept or refuse the images of a data set on a local page, set by set.

    DIR is a folder that `harness make` wrote, any table of images, or a folder of them. The page is
    only visible on this machine: open the printed address. Keys: y keeps a set, n refuses it with
    reasons, s skips it, u takes the last decision back. Each decision is on the disk before the
    next set is shown, in a file per reviewer.
    """
    from harness.jsonfiles import refuse_missing
    from harness.resources import home_path

    from harness_review.sets import Columns, read_material

    refuse_missing(home_path(data))
    _refuse_unfit(report, flags)
    shown_columns = _names(flags["show"])
    columns = Columns(flags["sets"] or "", flags["image"] or "", flags["name"] or "", shown_columns)
    material = read_material(home_path(data), columns, everything=flags["everything"] or report)
    folder = home_path(out) if out else _beside(home_path(data))
    if report:
        _report(material, folder, flags)
    else:
        _serve(material, folder, flags)


def _refuse_unfit(report: bool, flags: dict[str, Any]) -> None:
    if report:
        if flags["reviewer"] or flags["reviewers"]:
            raise UserError("--report counts all reviewers", fix="leave --reviewer out")
        idle = ("overlap", "seed", "reasons", "everything", "port")
        refuse_idle(idle, "is for the page; --report counts every decision")
        return
    if not flags["reviewer"]:
        raise UserError(
            "the reviewer's name is missing", where="--reviewer", fix="--reviewer NAME; or --report"
        )
    for flag in ("rule", "csv_file", "as_json"):
        if flags[flag]:
            name = {"csv_file": "--csv", "as_json": "--json"}.get(flag, f"--{flag}")
            raise UserError(
                f"{name} only applies to --report", fix="add --report and leave out --reviewer"
            )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def _beside(data: Path) -> Path:
    """Return the folder of decisions: in the data's folder, or beside the file."""
    return data / "reviews" if data.is_dir() else data.with_name(f"{data.name}.reviews")


def _checked(material: Material, folder: Path) -> tuple[list[Reviewed], dict[str, list[Decision]]]:
    """Return all reviewers' files, and decisions on images that have changed since."""
    from harness.progress import EachMinute

    from harness_review.decisions import read_reviews
    from harness_review.images import changed

    reviews = read_reviews(folder, material.fingerprint)
    for each in reviews:
        if each.torn:
            tell(f"{each.path}: {each.torn} bytes of a line that a crash tore do not count")
    total = sum(len(each.decisions) for each in reviews)
    progress = EachMinute(tell, "images of decided sets", total, "decisions")
    stale = changed(reviews, material, progress.advance)
    for who, decisions in stale.items():
        names = [each.set for each in decisions]
        more = ", ..." if len(names) > 5 else ""
        tell(
            f"{who}: {len(names)} decisions do not count, as the images have changed since: "
            f"{', '.join(names[:5])}{more}"
        )
    return reviews, stale


def _serve(material: Material, folder: Path, flags: dict[str, Any]) -> None:
    from harness_review.decisions import DecisionFile, Plan, check_name
    from harness_review.server import review_server
    from harness_review.session import MOST_REASONS, REASONS, Session

    name = check_name(flags["reviewer"], "--reviewer")
    reviews, stale = _checked(material, folder)
    named = _names(flags["reviewers"]) or (*(each.reviewer for each in reviews), name)
    reviewers = tuple(sorted({check_name(each, "--reviewers") for each in named}))
    if name not in reviewers:
        raise UserError(f"{name} is not among {', '.join(reviewers)}", where="--reviewers",
                        fix=f"--reviewers {','.join((*reviewers, name))}")  # fmt: skip
    if len(reviewers) == 1:
        refuse_idle(("overlap",), "divides the sets among several reviewers, and there is one")
    reasons = flags["reasons"] or REASONS
    if len(set(reasons)) != len(reasons) or len(reasons) > MOST_REASONS or not all(reasons):
        raise UserError(f"give at most {MOST_REASONS} different reasons, one for each digit key",
                        where="--reason")  # fmt: skip
    plan = Plan(reviewers, flags["overlap"] if len(reviewers) > 1 else 0.0, flags["seed"])
    for each in reviews:
        if each.reviewer != name and each.plan not in {None, plan}:
            tell(
                f"note: {each.reviewer} was dealt sets for {_words(each.plan)}, not {_words(plan)}"
            )
    about = {
        "fingerprint": material.fingerprint, "table": material.table,
        "sets": len(material.sets), "images": material.images,
    }  # fmt: skip
    ignored = {who: frozenset(each.set for each in decisions) for who, decisions in stale.items()}
    with DecisionFile(folder, name, about, plan) as file:
        for decision in stale.get(name, ()):
            file.withdraw(decision.set, "the images have changed")
        session = Session(material, file, plan, reasons, ignored)
        http, address = review_server(session, flags["port"])
        with http:
            grouped = f"sets by {material.columns.sets}" if material.columns.sets else (
                "each image by itself (--set COLUMN shows rows together)"
            )  # fmt: skip
            counts = f"{len(material.sets):,} sets of {material.images:,} images"
            tell(f"{material.table}: {counts}; {grouped}")
            if material.left_out:
                tell(
                    f"not shown: {material.left_out:,} sets that filters dropped (--all shows them)"
                )
            tell(f"decisions: {file.reviewed.path}; Ctrl-C ends, and nothing is lost")
            click.echo(address)
            try:
                http.serve_forever()
            except KeyboardInterrupt as stopped:
                if type(stopped) is not KeyboardInterrupt:  # a signal has its own exit code
                    raise
        tell(f"{name}: {len(file.reviewed.decisions):,} sets decided")


def _words(plan: Any) -> str:
    return f"{len(plan.reviewers)} reviewers with overlap {plan.overlap:g} and seed {plan.seed}"


def _report(material: Material, folder: Path, flags: dict[str, Any]) -> None:
    from harness_review.report import outcomes_csv, report_of

    reviews, stale = _checked(material, folder)
    if not reviews:
        raise UserError("there are no decisions yet", where=folder,
                        fix="harness review DIR --reviewer NAME, or --out FOLDER")  # fmt: skip
    made = report_of(material, reviews, stale, flags["rule"] or "all")
    if flags["csv_file"]:
        from harness.resources import home_path
        from harness.runs.seal import write_whole

        earlier = replaced(path := home_path(flags["csv_file"]))
        write_whole(path, [outcomes_csv(made).encode()])
    if flags["as_json"]:
        print_json(_plain(made))
        return
    _print(made)
    if flags["csv_file"]:
        click.echo(f"wrote {flags['csv_file']}{earlier}")


def _print(made: Report) -> None:
    counts = made.counts()
    click.echo(f"{len(made.sets):,} sets by the rule {made.rule!r}: " + ", ".join(
        f"{counts[name]:,} {name}" for name in ("kept", "dropped", "tied", "open")
    ))  # fmt: skip
    heads = ("yes", "no", "skip", "undone")
    print_table(("reviewer", *heads), [
        (who, *(str(count[head]) for head in heads)) for who, count in made.reviewers.items()
    ])  # fmt: skip
    alpha = made.agreement
    if not alpha.sets:
        click.echo("agreement: no set has two decisions of yes or no")
    else:
        undefined = f"; not defined in {alpha.undefined} draws" if alpha.undefined else ""
        click.echo(
            f"agreement: Krippendorff's alpha {_three(alpha.alpha)} [{_three(alpha.low)}, "
            f"{_three(alpha.high)}] over {alpha.sets} sets{undefined}"
        )
    if made.reasons:
        print_table(("reason", "decisions"),
                    [(text, str(count)) for text, count in made.reasons.most_common()])  # fmt: skip
    if made.values:
        print_table(("column", "value", "decided", "dropped", "share", "95 %", ""), [
            (each.column, each.value, str(each.decided), str(each.dropped),
             f"{100 * each.dropped / each.decided:.1f}",
             f"[{100 * each.low:.1f}, {100 * each.high:.1f}]",
             "more than the others" if each.stands_out else "")
            for each in made.values
        ])  # fmt: skip


def _three(value: float) -> str:
    return "--" if math.isnan(value) else f"{value:.3f}"


def _plain(made: Report) -> dict[str, Any]:
    """Return a report as plain data."""
    from dataclasses import asdict

    alpha = {key: None if isinstance(value, float) and math.isnan(value) else value
             for key, value in asdict(made.agreement).items()}  # fmt: skip
    return {
        "rule": made.rule,
        "outcomes": dict(made.counts()),
        "reviewers": {who: dict(count) for who, count in made.reviewers.items()},
        "reasons": dict(made.reasons),
        "agreement": {"method": "Krippendorff's alpha, nominal; percentile bootstrap over sets",
                      **alpha},
        "values": [asdict(each) for each in made.values],
        "sets": {each.set: each.outcome for each in made.sets},
    }  # fmt: skip
