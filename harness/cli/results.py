"""``harness results``: what is in a results folder, and removing what is not needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import harness
from harness.cli import _options
from harness.cli._format import clean, print_json, print_table
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.runs.folder import Entry, State

_KINDS = ("superseded", "unfinished", "damaged")


_shared = _options.together(
    click.option("--json", "as_json", is_flag=True, help="Print JSON."), _options.results
)
_removing = _options.together(
    click.option("--yes", is_flag=True, help="Do not ask before deleting."),
    click.option("--dry-run", is_flag=True, help="Print what would be removed and stop."),
    _shared,
)


@click.group(
    short_help="List, show and remove evaluations.",
    epilog="Examples: harness results list; harness results prune --superseded --dry-run",
)
def results() -> None:
    """List, show and remove the evaluations of a results folder."""


@results.command("list", epilog="Example: harness results list --state unfinished")
@click.option(
    "--state", type=click.Choice(("finished", *_KINDS)), help="List only evaluations in this state."
)
@_shared
def list_(*, state: State | None, results: Path | None, as_json: bool) -> None:
    """List evaluations with their state.

    finished: counts. superseded: a plugin's code changed since, or a newer evaluation repeats it;
    tables leave it out. unfinished: the command that began it continues it. damaged: it cannot be
    read.
    """
    entries = harness.evaluations(results, state=state)
    if as_json:
        print_json([_entry_json(entry) for entry in entries])
        return
    print_table(
        ("evaluation", "model", "state", "samples", "size", "finished", ""),
        [
            (
                entry.name,
                entry.model or "?",
                entry.state + (", being written" if entry.writing else ""),
                _samples(entry),
                _bytes(entry.size),
                entry.finished or "--",
                entry.why,
            )
            for entry in entries
        ],
    )


@results.command(epilog="Example: harness results show raf_db/majority-0123456789ab")
@click.argument("name", metavar="EVALUATION")
@click.option(
    "--config",
    "as_run",
    is_flag=True,
    help="Print a YAML file with which `harness run --config FILE` repeats the evaluation.",
)
@_shared
def show(*, name: str, results: Path | None, as_json: bool, as_run: bool) -> None:
    """Show one evaluation: its settings, the code that made it, and its metrics."""
    from harness.api.records import evaluation_at
    from harness.jsonfiles import read_object
    from harness.runs.folder import named
    from harness.runs.read import read_evaluation
    from harness.runs.superseded import about_of

    folder = _folder(results, [name])
    (directory,) = named(folder, [str(evaluation_at(name, folder))])
    if as_run:
        from harness.api.plugin_functions import function

        click.echo(clean(function("run_file_of")(directory)), nl=False)
        return
    entry = next(entry for entry in _entries(folder) if entry.directory.resolve() == directory)
    about, clocks = about_of(directory) or {}, directory / "timings.json"
    timings = read_object(clocks) if clocks.is_file() else {}
    if as_json:
        print_json({**_entry_json(entry), "record": about, "timings": timings})
        return
    facts = {**_entry_json(entry), **_said(about), "timings": _listed(timings)}
    if entry.state in {"finished", "superseded"}:
        record = read_evaluation(directory)
        if ", limit=" in record.title:
            facts["limit"] = "the first it was asked with; others of the same samples are this one"
        measured = [(metric.column, metric) for metric in record.metrics]
        for part in record.slices:
            group = f"{part.slice} = {part.value} ({part.n} samples, labelled by {part.source})"
            measured += [(f"{metric.column}, {group}", metric) for metric in part.metrics]
        for title, metric in measured:
            facts[title] = f"undefined: {metric.undefined}"
            if metric.value is not None:
                facts[title] = f"{metric.value * metric.scale:g}"
            if (interval := metric.interval) is not None:
                low, high = interval.low * metric.scale, interval.high * metric.scale
                facts[title] += f" [{low:.4g}, {high:.4g}]"
                facts[title] += f" ({interval.warning})" if interval.warning else ""
    for key, value in facts.items():
        if value not in {None, ""}:
            click.echo(clean(f"{key:14} {value}"))


@results.command(epilog="Example: harness results rm raf_db/majority-0123456789ab --yes")
@click.argument("names", nargs=-1, required=True, metavar="EVALUATION...")
@_removing
def rm(*, names: tuple[str, ...], results: Path | None, **how: bool) -> None:
    """Remove evaluations, by path or as `harness results list` names them."""
    from harness.runs.folder import named

    folder = _folder(results, names)
    places = set(named(folder, names))
    entries = [entry for entry in _entries(folder) if entry.directory.resolve() in places]
    _remove(entries, **how)


@results.command(epilog="Example: harness results prune --unfinished --dry-run")
@click.option("--unfinished", is_flag=True, help="Remove only unfinished evaluations.")
@click.option("--superseded", is_flag=True, help="Remove only superseded evaluations.")
@_removing
def prune(*, unfinished: bool, superseded: bool, results: Path | None, **how: bool) -> None:
    """Remove unfinished and superseded evaluations, or only one of the two kinds.

    Evaluations that a run is writing stay. Remove damaged ones by name: `harness results rm`.
    """
    from harness.runs.folder import PRUNED

    chosen: dict[State, bool] = {"unfinished": unfinished, "superseded": superseded}
    states = [state for state in PRUNED if chosen[state]] or PRUNED
    entries = [one for one in _entries(results) if one.state in states and not one.writing]
    _remove(entries, **how)


def _remove(entries: Sequence[Entry], *, as_json: bool, dry_run: bool, yes: bool) -> None:
    from harness.runs.folder import remove

    size = _bytes(sum(entry.size for entry in entries))
    noun = "1 evaluation" if len(entries) == 1 else f"{len(entries)} evaluations"
    if not as_json:
        for entry in entries:
            click.echo(clean(f"{entry.state:11} {entry.directory}"))
    if not dry_run:
        if entries and not yes:
            _ask(f"delete {noun} ({size})?")
        for entry in entries:
            remove(entry.directory)
    if as_json:
        print_json(
            {"removed": not dry_run, "evaluations": [_entry_json(entry) for entry in entries]}
        )
    else:
        were = "would be" if dry_run else "was" if len(entries) == 1 else "were"
        click.echo(f"{noun} {were} deleted ({size})")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UserError("deleting needs a yes, and no terminal can ask", fix="--yes, or --dry-run")
    if not click.confirm(question, err=True):
        raise UserError("nothing was deleted")


def _folder(results: Path | None, names: Sequence[str] = ()) -> Path:
    """Return the results folder: as a flag says, else that of a path, else of the settings."""
    from harness.config.settings import load_settings
    from harness.runs.folder import EVALUATIONS

    settings = load_settings(results=results)
    for name in names if results is None else ():
        path = Path(name).resolve() if Path(name).is_dir() else Path()
        for above in (path, *path.parents[:3]):
            if path.is_absolute() and (above / EVALUATIONS).is_dir():
                return above
    return settings.results


def _entries(results: Path | None) -> list[Entry]:
    return harness.evaluations(_folder(results))


def _entry_json(entry: Entry) -> dict[str, Any]:
    facts = {**asdict(entry), "directory": str(entry.directory)}
    return {"evaluation": entry.name, "bytes": facts.pop("size"), **facts}


def _said(about: Any) -> dict[str, Any]:
    """Return what a record says of itself, as lines."""
    code = about.get("code")
    items = code.items() if isinstance(code, dict) else ()
    return {
        "fingerprint": about.get("fingerprint"),
        "code": ", ".join(f"{name} {_short(one)}" for name, one in items),
        "settings": _listed(about.get("settings")),
        "counts": _listed(about.get("counts")),
        "versions": _listed(about.get("versions")),
        "marks": ", ".join(map(str, about.get("marks", ()))),
    }


def _short(code: Any) -> str:
    return (
        f"{code.get('version')} {str(code.get('sha256'))[:12]}" if isinstance(code, dict) else "?"
    )


def _listed(facts: Any) -> str:
    items = facts.items() if isinstance(facts, dict) else ()
    pairs = ((key, f"({_listed(fact)})" if isinstance(fact, dict) else fact) for key, fact in items)
    return ", ".join(f"{key} {fact}" for key, fact in pairs if fact != "()")


def _samples(entry: Entry) -> str:
    if entry.done is None or entry.state in {"finished", "superseded"}:
        return "--" if entry.done is None else f"{entry.done:,}"
    of = "?" if entry.samples is None else f"{entry.samples:,}"
    return f"{entry.done:,} of {of}"


def _bytes(size: int) -> str:
    amount, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        del units[0]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"
