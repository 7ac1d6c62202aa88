"""``harness tasks``: list tasks and groups, or show one with its data and a prompt."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.cli._format import clean, print_json, print_table
from harness.errors import HarnessError, SampleError, UserError
from harness.plugins import missing

if TYPE_CHECKING:
    from harness.samples import Sample
    from harness.specs.catalog import Catalog
    from harness.specs.group import TaskGroup
    from harness.specs.prompt import Shot
    from harness.specs.spec import TaskSpec

_RENDERED = 3  # prompts that are shown


def _catalog() -> Catalog:
    from harness.config.tasks import installed_catalog

    return installed_catalog()


@click.group(
    cls=_options.Listing,
    invoke_without_command=True,
    epilog="Examples: harness tasks --group social_all; harness tasks show pisc_fine",
)
@click.option("--group", metavar="GROUP", help="List only the tasks of this group.")
@_options.include
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def tasks(ctx: click.Context, *, group: str | None, as_json: bool) -> None:
    """List tasks and groups, or show one with its data and a prompt."""
    if ctx.invoked_subcommand is not None:
        return
    catalog = _catalog()
    names = list(catalog.entries)
    if group is not None:
        if group not in catalog.group_entries and group not in catalog.broken:
            raise missing("group", group, catalog.group_entries)
        names = catalog.expand([group])
    groups, broken = ({}, {}) if group is not None else _groups(catalog)
    for name, error in {**catalog.broken, **broken}.items():
        click.echo(f"left out: {name}: {clean(error)}", err=True)
    if as_json:
        print_json(_listed(catalog, names, groups))
        return
    entries = [catalog.entries[name] for name in names]
    print_table(
        ("task", "title", "what is asked"),
        [(held.id, held.title, held.summary) for held in entries],
    )
    if groups:
        click.echo()
        rows = [(held.id, held.title, ", ".join(held.tasks)) for held in groups.values()]
        print_table(("group", "title", "tasks"), rows)


def _groups(catalog: Catalog) -> tuple[dict[str, TaskGroup], dict[str, HarnessError]]:
    """Return the groups that can be used, and what is wrong with the others."""
    groups: dict[str, TaskGroup] = {}
    broken: dict[str, HarnessError] = {}
    for name in catalog.group_entries:
        try:
            groups[name] = catalog.group(name)
        except HarnessError as error:
            broken[name] = error
    return groups, broken


def _listed(catalog: Catalog, names: list[str], groups: Any) -> dict[str, Any]:
    return {
        "tasks": [
            {"id": entry.id, "title": entry.title, "summary": entry.summary}
            for entry in (catalog.entries[name] for name in names)
        ],
        "groups": [
            {"id": entry.id, "title": entry.title, "tasks": list(entry.tasks)}
            for entry in groups.values()
        ],
    }


@tasks.command(epilog="Example: harness tasks show hagridv2 --data hagridv2=FOLDER")
@click.argument("name", metavar="ID", shell_complete=_options.complete_tasks)
@_options.include
@_options.profile
@_options.data
@_options.as_json
def show(*, name: str, profile: str | None, data: tuple[str, ...], as_json: bool) -> None:
    """Show a task: its spec, the data it needs, where it looked, and three rendered prompts."""
    from harness.config.tasks import task_name

    name = task_name(name)
    catalog = _catalog()
    if name in catalog.group_entries:
        group = catalog.groups[name]
        raise UserError(
            f"{name!r} is a group: {', '.join(group.tasks)}", fix=f"harness tasks --group {name}"
        )
    spec = catalog.task(name)
    document = {**_said(spec), "data": _data(spec, profile, data)}
    if as_json:
        print_json(document)
    else:
        _print(spec, document)


def _said(spec: TaskSpec) -> dict[str, Any]:
    from harness.specs.loader import resolved

    return {
        "spec": resolved(spec),
        "options": {
            option.name: {
                "value": option.value,
                "choices": list(option.choices),
                "status": option.status,
                "note": option.note,
            }
            for option in spec.options.values()
        },
        "labels": list(spec.labels),
        "citation": spec.citation,
        "licence": spec.licence,
        "intended_use": spec.intended_use,
        "source": str(spec.source),
    }


def _data(spec: TaskSpec, profile: str | None, folders: tuple[str, ...]) -> dict[str, Any]:
    """Find the data and render the first sample's prompt; a problem is printed, not raised."""
    from harness.cli._options import data_paths
    from harness.config.data import refuse_unused
    from harness.config.settings import load_settings
    from harness.evaluation.task import Task

    paths = data_paths(folders)
    refuse_unused(paths, spec)
    settings = load_settings(profile=profile, data=paths)
    task = Task(spec, settings)
    document: dict[str, Any] = {"benchmark": spec.data.benchmark, "split": spec.data.split}
    try:
        document |= {"origin": task.located.origin, "folder": str(task.located.root)}
        document["marks"] = list(task.located.marks)
        document["annotations"] = list(task.annotation_hashes())
        document |= _prompt(spec, task)
    except HarnessError as error:
        document |= {"problem": str(error), "obtain": spec.data.obtain}
    return document


def _prompt(spec: TaskSpec, task: Any) -> dict[str, Any]:
    """Render the first prompts: the first one's keys, and those of others under ``more``."""
    from harness.evaluation.few_shot import choose_shots
    from harness.specs.prompt import Shot

    samples = list(islice(task.samples(), _RENDERED))
    if not samples:
        return {"problem": f"the split {spec.data.split!r} has no sample"}
    try:
        shots = [Shot(shown) for shown in choose_shots(task, 0)]
    except UserError as error:
        return {"problem": str(error)}
    first, *others = (_rendered(spec, sample, shots) for sample in samples)
    return {**first, **({"more": others} if others else {})}


def _rendered(spec: TaskSpec, sample: Sample, shots: list[Shot]) -> dict[str, Any]:
    from harness.specs.prompt import build_turns, options_as_sent, render_answer

    document: dict[str, Any] = {
        "sample": sample.id,
        "images": [
            image.name if image.root is None else image.root.where(image.name)
            for image in sample.images
        ],
    }
    try:
        turns = build_turns(spec, sample, (), shots)
        document["prompt"] = [{"role": turn.role, "text": turn.text} for turn in turns]
        document["options_as_sent"] = list(options_as_sent(spec, sample))
        if sample.target is not None:
            document["answer"] = render_answer(spec, sample.target)
    except (SampleError, UserError) as error:
        document["problem"] = str(error)
    return document


def _say(text: str) -> None:
    click.echo(clean(text))


def _print(spec: TaskSpec, document: dict[str, Any]) -> None:
    _say(f"{spec.id}  {spec.title}, version {spec.version}\n{spec.summary}\n")
    turns = document["data"].get("prompt", ())
    asked = "\n           ".join(turn["text"] for turn in turns if turn["role"] == "user")
    _say(f"asks       {spec.ask.capability}: {asked or spec.prompt.template}")
    options = document["data"].get("options_as_sent", document["labels"])
    if options:
        _say(f"options    {', '.join(options)}")
    for metric in spec.metrics:
        mark = " (main)" if metric.main else ""
        _say(f"metric     {metric.column}: {metric.id}, {metric.direction} is better{mark}")
    _say(f"unit       {spec.unit}; slices: {', '.join(spec.slices) or 'none'}")
    for option in spec.options.values():
        choices = " | ".join(str(choice) for choice in option.choices) or "any"
        _say(f"choice     {option.name} = {option.value} ({choices}; {option.status})")
        _say(f"           {' '.join(option.note.split())}")
    for name in ("citation", "licence", "intended_use"):
        _say(f"\n{name.replace('_', ' ')}: {' '.join(document[name].split())}")
    _say(f"\nspec: {document['source']}")
    data = document["data"]
    _say(f"data: {data['benchmark']}, split {data['split']}")
    if "folder" in data:
        _say(f"  from {data['origin']}: {data['folder']}")
        _say(f"  annotations: {', '.join(data.get('annotations', ())) or 'not read'}")
    for line in (data, *data.get("more", ())):
        _print_sample(line)
    if "obtain" in data:
        _say(f"  how to get it:\n    {data['obtain'].rstrip().replace(chr(10), chr(10) + '    ')}")


def _print_sample(document: dict[str, Any]) -> None:
    if "sample" in document:
        _say(f"\n  sample {document['sample']}: {', '.join(document['images'])}")
    for turn in document.get("prompt", ()):
        _say(f"  {turn['role']}: {turn['text']}")
    if "answer" in document:
        _say(f"  answer: {document['answer']}")
    if "problem" in document:
        _say(f"  {document['problem']}")
