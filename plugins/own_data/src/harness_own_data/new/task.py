"""Six questions about the user's data, answered by flags or by typing, and the spec of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from harness.config.tasks import installed_catalog, task_name
from harness.errors import SampleError, UserError, unknown
from harness.resources import home_path
from harness.runs.seal import write_whole
from harness.samples.archives import stem
from harness.specs.loader import check, with_options
from harness.specs.prompt import prompt_text
from harness.specs.yaml_loader import read_yaml

from harness_own_data.new.look import SPLITS, Look, look
from harness_own_data.new.write import Answers, default_question, spec_of, yaml_text

_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAMED = re.compile(r"\{\{-?\s*([A-Za-z_]\w*)|\{%-?\s*(?:if|for \w+ in)\s+([A-Za-z_]\w*)")
_COMMENTS = (
    "Written by `harness new task`; every key is explained in docs/reference/task-spec.md.",
    "Fill in citation, licence and intended_use; raise version when numbers may change.",
)


def write_task(
    data: str, out: str | None, flags: dict[str, Any], *, force: bool, ask: bool
) -> None:
    """Look at data and write the spec of a task; say what to type next.

    Args:
        data: A table, a folder or an archive.
        out: File of the spec; by default in the data folder.
        flags: What flags answer, by their names.
        force: Overwrite an existing spec.
        ask: Ask for what no flag answers.

    Raises:
        UserError: whatever does not fit; nothing is written then.
    """
    source = home_path(data)
    data_look = look(source)
    _say_what_is_there(data_look)
    answers = _answered(data_look, flags, ask=ask)
    folder = data_look.place if data_look.place.is_dir() else data_look.place.parent
    path = home_path(out) if out else folder / f"{answers.id}.yaml"
    if path.exists() and not force:
        raise UserError("is there already", where=path, fix="--force, or --out another FILE")
    text = yaml_text(spec_of(data_look, answers), _COMMENTS)
    write_whole(path, [text.encode()])
    _say_next(path, answers, data_look)


def _answered(data_look: Look, flags: dict[str, Any], *, ask: bool) -> Answers:
    """Return the answers: of flags, else asked, else what the data say.

    Raises:
        UserError: a column that is not there, or nothing that could be the right answer.
    """

    def answer(flag: str, text: str, default: str) -> str:
        answered = flags[flag]
        if answered is None and ask:
            answered = click.prompt(text, default=default, show_default=bool(default))
        return str(default if answered is None else answered).strip()

    usual = re.sub(r"[^a-z0-9]+", "_", _stem(data_look).lower()).strip("_") or "task"
    usual = usual if usual[:1].isalpha() else f"task_{usual}"
    name = answer("name", "1. Name of the task", usual[:64])
    _check_id(name)
    image = answer("image", "2. Column of the image", data_look.image())
    target = answer("target", "3. Column of the right answer", data_look.target())
    if not target:
        raise UserError(
            "no column is called as right answers usually are", where=data_look.file,
            fix=f"--target one of {', '.join(data_look.columns)}",
        )  # fmt: skip
    for flag, columns in (("image", _columns_of(image)), ("target", [target])):
        _check_columns(data_look, columns, flag)
    usual_question, _ = default_question(data_look, target)
    question = answer("question", "4. The question", usual_question).replace("\\n", "\n")
    labels = _labels(
        data_look, target, answer("labels", "5. Labels", _usual_labels(data_look, target))
    )
    groups = _groups(data_look, flags["groups"], ask=ask)
    cluster = answer("cluster", "6. Column of the subject (empty: the image)", data_look.cluster())
    _check_columns(data_look, [cluster] if cluster else [], "cluster")
    fields = [one or two for one, two in _NAMED.findall(question)]
    _check_columns(data_look, fields, "question")
    return Answers(name, image, target, question, labels, groups, cluster,
                   list(dict.fromkeys(fields)))  # fmt: skip


def _stem(data_look: Look) -> str:
    folder_name = data_look.place.resolve().name
    folder_name = stem(folder_name) or folder_name
    name = folder_name if data_look.is_folder else Path(data_look.file).stem
    shard = re.fullmatch(r"(.+)-\d{5}-of-\d{5}.*", name)
    name = shard[1] if shard else name
    return folder_name if name in {"labels", "data", "annotations", *SPLITS} else name


def _check_id(name: str) -> None:
    if not _ID.fullmatch(name):
        raise UserError(f"{name!r} is no name of a task", where="--id",
                        fix="lower-case letters, digits and _, a letter first")  # fmt: skip
    catalog = installed_catalog()
    if name in catalog.entries or name in catalog.group_entries:
        raise UserError(f"there is a task or group {name!r} already", where="--id",
                        fix=f"--id my_{name}")  # fmt: skip


def _columns_of(image: str) -> list[str]:
    inside = re.findall(r"\{([^{}]*)\}", image)
    return inside or ([image] if image else [])


def _check_columns(data_look: Look, columns: Sequence[str], flag: str) -> None:
    for column in columns:
        if column not in data_look.columns:
            raise unknown("column", column, data_look.columns, where=f"--{flag}")


def _usual_labels(data_look: Look, target: str) -> str:
    column = data_look.columns[target]
    letters = data_look.options()
    if letters and set(column.values) <= set(letters):
        return ",".join(letters)
    few = column.values and 2 * column.distinct <= column.rows
    return ",".join(sorted(column.values)) if few else "none"


def _labels(data_look: Look, target: str, text: str) -> list[str]:
    """Return the labels; none for a written answer.

    Raises:
        UserError: a label of the data that is not among them.
    """
    if text in {"", "none"}:
        return []
    values = data_look.columns[target].values
    labels = [label.strip() for label in text.split(",") if label.strip()]
    if any("," in value for value in values):
        labels = sorted(values) if text == ",".join(sorted(values)) else labels
    for value in values:
        if value not in labels:
            raise unknown("label", value, labels, where=f"column {target!r}")
    return labels


def _groups(
    data_look: Look, group_flags: Sequence[str], *, ask: bool
) -> dict[str, tuple[str, str]]:
    texts = list(group_flags)
    if not texts and ask and data_look.groups():
        usual = " ".join(f"{_group(name)}={name}:human" for name in data_look.groups())
        texts = str(click.prompt("   Groups to report", default=usual)).split()
    groups = {}
    for text in texts:
        name, equals, right_side = text.partition("=")
        column, colon, by = right_side.rpartition(":")
        if not (equals and colon and _ID.fullmatch(name) and by in {"human", "machine"}):
            raise UserError(f"--group {text!r} is not NAME=COLUMN:human or NAME=COLUMN:machine",
                            fix="--group gender=sex:human")  # fmt: skip
        _check_columns(data_look, [column], "group")
        groups[name] = (column, by)
    return groups


def _group(column: str) -> str:
    return column.rpartition(".")[2].lower()


def _say_what_is_there(data_look: Look) -> None:
    kind = "images in folders" if data_look.is_folder else f"columns {', '.join(data_look.columns)}"
    where = data_look.root.where("" if data_look.file == "." else data_look.file)
    click.echo(f"{where}: {data_look.rows:,} rows; {kind}", err=True)


def _say_next(path: Path, answers: Answers, data_look: Look) -> None:
    """Check what was written, show its first prompt, and say what to type next."""
    document = read_yaml(path)
    for problem in check(document):
        raise problem
    spec = with_options(document, {})
    named = _shown(path)
    request = f"choose among {', '.join(answers.labels)}" if answers.labels else "write an answer"
    click.echo(f"wrote {path}: {request}")
    from harness.api.runs import load_task

    beside = path.absolute().parent == data_look.place.absolute()
    data = "" if beside else f" --data {answers.id}={data_look.place}"
    prepared = load_task(task_name(path), data=None if beside else data_look.place)
    sample = next(iter(prepared.samples()))
    try:
        click.echo(f"first prompt ({sample.id}): {prompt_text(spec, sample)}")
    except SampleError as error:
        click.echo(f"first prompt: {error}", err=True)
    missed = [name for name in data_look.groups() if name not in
              {column for column, _ in answers.groups.values()}]  # fmt: skip
    for name in missed:
        click.echo(f"not reported apart: {name} (--group {_group(name)}={name}:human)")
    click.echo(f"check it:   harness data check {named}{data}")
    click.echo(f"first run:  harness run --model random --tasks {named}{data}")


def _shown(path: Path) -> str:
    text = str(path)
    return text if "/" in text else f"./{text}"
