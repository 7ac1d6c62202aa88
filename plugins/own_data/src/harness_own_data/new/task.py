"""Seven questions about the user's data, answered by flags or by typing, and the spec of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import click
from harness.api.runs import load_task
from harness.config.tasks import installed_catalog, task_name
from harness.errors import DataError, SampleError, UserError, quoted, unknown
from harness.evaluation.task import Task
from harness.resources import home_path
from harness.runs.seal import write_whole
from harness.samples.archives import stem
from harness.specs.loader import check
from harness.specs.prompt import prompt_text
from harness.specs.yaml_loader import read_yaml

from harness_own_data.new.look import Look, look
from harness_own_data.new.remarks import left_out, of_columns, of_images
from harness_own_data.new.sources import SPLITS
from harness_own_data.new.write import Answers, default_question, group_name, spec_of, yaml_text
from harness_own_data.table.images import inside
from harness_own_data.table.missing import elsewhere

_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAMED = re.compile(r"\{\{-?\s*([A-Za-z_]\w*)|\{%-?\s*(?:if|for \w+ in)\s+([A-Za-z_]\w*)")
_WRITTEN = "write an answer, right if it is the text of the cell, in the same case"
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
        raise UserError("exists already", where=path, fix="--force, or --out another FILE")
    _refuse_id_of_others(answers.id, path)
    spec = spec_of(data_look, answers)
    before = path.read_bytes() if path.exists() else None
    write_whole(path, [yaml_text(spec, _COMMENTS).encode()])
    try:
        beside = path.absolute().parent == data_look.place.absolute()
        for problem in check(read_yaml(path)):
            raise problem
        prepared = load_task(task_name(path), data=None if beside else data_look.place)
        remarks = [*of_columns(data_look, answers), *of_images(prepared, data_look)]
        comments = [*_COMMENTS, *(f"Seen in the data: {remark}" for remark in remarks)]
        write_whole(path, [yaml_text(spec, comments).encode()])
        printed = [*remarks, *left_out(data_look, answers), *prepared.reader_notes()]
        lines = _lines_on(path, answers, prepared, printed,
                          "" if beside else f" --data {answers.id}={data_look.place}")  # fmt: skip
    except BaseException:  # a spec that fails is not left there; the earlier one is
        if before is None:
            path.unlink()
        else:
            write_whole(path, [before])
        raise
    # Printed outside: a reader of standard output that leaves (`head`) makes no spec wrong.
    for line, is_error in lines:
        click.echo(line, err=is_error)


def _answered(data_look: Look, flags: dict[str, Any], *, ask: bool) -> Answers:
    """Return the answers: of flags, else asked, else what the data say.

    Raises:
        UserError: a column that is not there, or nothing that could be the right answer.
    """
    numbers = count(1)

    def typed(text: str, default: str) -> str:
        question = f"{next(numbers)}. {text}"
        return str(click.prompt(question, default=default, show_default=bool(default)))

    def answer(flag: str, text: str, default: str) -> str:
        answered = flags[flag]
        if answered is None and ask:
            answered = typed(text, default)
        answered = str(default if answered is None else answered)
        return answered if answered in data_look.columns else answered.strip()

    usual = re.sub(r"[^a-z0-9]+", "_", _stem(data_look).lower()).strip("_") or "task"
    usual = usual if usual[:1].isalpha() else f"task_{usual}"
    name = answer("name", "Name of the task", usual[:64])
    _check_id(name)
    images = _images(
        data_look, answer("image", "Column of the image", ",".join(data_look.images()))
    )
    if not images and flags["image"] is None:
        _refuse_missing_images(data_look)
    target = answer("target", "Column of the right answer", data_look.target())
    if not target:
        every = ", ".join(map(repr, data_look.columns))
        raise UserError(
            "no column name looks like that of the right answers", where=data_look.file or None,
            fix=f"--target one of {every}",
        )  # fmt: skip
    for flag, columns in (("image", _columns_of(images)), ("target", [target])):
        _check_columns(data_look, columns, flag)
    if target in images:
        raise UserError(f"{target!r} is the column of the image too", where="--target",
                        fix="name the column of the right answers")  # fmt: skip
    _check_target(data_look, target)
    usual_question, _ = default_question(data_look, target)
    question = answer("question", "The question", usual_question).replace("\\n", "\n")
    if not question.strip():
        raise UserError("the question is empty", where="--question")
    usual_labels = _usual_labels(data_look, target)
    text = answer("labels", "Labels", usual_labels)
    labels = _labels(data_look, target, text, usual=text == usual_labels)
    if not labels and data_look.columns[target].numbers:
        raise UserError(
            f"the column {target!r} holds numbers, and a written answer is a text: none would be "
            "right", where="--target",
            fix="--labels lists the numbers as labels; or write the column as texts",
        )  # fmt: skip
    groups = _groups(data_look, flags["groups"], typed if ask else None)
    cluster = answer("cluster", "Column of the subject (empty: the image)", data_look.cluster())
    _check_columns(data_look, [cluster] if cluster else [], "cluster")
    if cluster == target:
        raise UserError(f"{target!r} is the column of the right answers too", where="--cluster",
                        fix="name the column of subjects, or leave it out")  # fmt: skip
    fields = [one or two for one, two in _NAMED.findall(question)]
    _check_columns(data_look, fields, "question")
    if target in fields:
        raise UserError(
            f"the question shows the right answer: {target!r} is the column of the target",
            where="--question", fix=f"leave out {{{{ {target} }}}}, or --target another column",
        )  # fmt: skip
    return Answers(name, images, target, question, labels, groups, cluster,
                   list(dict.fromkeys(fields)))  # fmt: skip


def _stem(data_look: Look) -> str:
    folder_name = data_look.place.resolve().name
    folder_name = stem(folder_name) or folder_name
    has_table = not data_look.is_folder and data_look.file
    name = Path(data_look.file).stem if has_table else folder_name
    shard = re.fullmatch(r"(.+)-\d{5}-of-\d{5}.*", name)
    name = shard[1] if shard else name
    return folder_name if name in {"labels", "data", "annotations", *SPLITS} else name


def _check_id(name: str) -> None:
    if not _ID.fullmatch(name):
        raise UserError(f"{name!r} is not a name of a task", where="--id",
                        fix="lower-case letters, digits and _, a letter first")  # fmt: skip


def _refuse_id_of_others(name: str, path: Path) -> None:
    """Refuse the id of an installed or included task or group, but for the file to be written."""
    catalog = installed_catalog()
    entry = catalog.entries.get(name) or catalog.group_entries.get(name)
    if entry is None:
        return
    source = entry.document.path
    if source is None or source.resolve() != path.resolve():
        raise UserError(f"a task or group {name!r} exists already", where="--id",
                        fix=f"--id my_{name}")  # fmt: skip


def _images(data_look: Look, text: str) -> list[str]:
    """Return the columns and patterns of images that an answer lists."""
    if text in data_look.columns:
        return [text]
    images = [] if text == "none" else [part.strip() for part in text.split(",") if part.strip()]
    if len(set(images)) < len(images):
        raise UserError("an image is named twice", where="--image", fix="name each column once")
    return images


def _refuse_missing_images(data_look: Look) -> None:
    """Refuse a task without images where a column names or holds images that cannot be read.

    Raises:
        UserError: there is such a column.
    """
    if name := data_look.unread_image():
        raise UserError(
            data_look.unread[name],
            where=data_look.root.where(data_look.file),
            fix="--image another column, or --image none for a task without images",
        )
    column = data_look.missing()
    if column is None:
        return
    root, where = data_look.root, data_look.root.where(data_look.file)
    message, fix = f"there is no image {quoted(column.missing)}", f"--image {column.name}.path"
    if fix.partition(" ")[2] not in data_look.columns:
        try:
            path = inside(column.missing, where, root)
            root.local(path)
            fix = elsewhere(root, path)
        except DataError as error:
            message, fix = error.message, error.fix or "copy the images into the data folder"
    raise UserError(
        f"the column {column.name!r} names images, and none is found: {message}", where=where,
        fix=f"{fix}; or --image none for a task without images",
    )  # fmt: skip


def _columns_of(images: Sequence[str]) -> list[str]:
    return [column for image in images for column in re.findall(r"\{([^{}]*)\}", image) or [image]]


def _check_columns(data_look: Look, columns: Sequence[str], flag: str) -> None:
    for column in columns:
        if column not in data_look.columns:
            raise unknown("column", column, data_look.columns, where=f"--{flag}")


def _check_target(data_look: Look, target: str) -> None:
    column = data_look.columns[target]
    if column.lists:
        raise UserError(
            f"the column {target!r} holds lists; this command writes tasks with one right answer",
            where="--target",
            fix="write the spec by hand, with a metric that takes lists",
        )
    if column.empty and not data_look.typed:
        raise UserError(
            f"the column {target!r} is empty in {column.empty:,} of {column.rows:,} rows",
            where=data_look.root.where(data_look.file),
            fix="fill in, or remove, rows without a right answer",
        )


def _usual_labels(data_look: Look, target: str) -> str:
    column = data_look.columns[target]
    letters = data_look.options()
    if letters and set(column.values) <= set(letters):
        return ",".join(letters)
    few = column.values and 2 * column.distinct <= column.rows
    return ",".join(_in_order(column.values)) if few else "none"


def _in_order(labels: Sequence[str]) -> list[str]:
    """Return labels sorted; numbers by their size, so that 10 comes after 2."""
    try:
        return sorted(labels, key=lambda label: (float(label), label))
    except ValueError:
        return sorted(labels)


def _labels(data_look: Look, target: str, text: str, *, usual: bool) -> list[str]:
    """Return the labels; none for a written answer.

    Args:
        data_look: The data.
        target: The column of labels.
        text: The answer.
        usual: Whether the answer was taken from the data.

    Raises:
        UserError: a label of the data that is not among them, or that is not a label.
    """
    if text in {"", "none"}:
        return []
    values, where = data_look.columns[target].values, f"column {target!r}"
    spaced = next((value for value in values if value != value.strip()), None)
    if spaced is not None:
        raise UserError(f"the label {quoted(spaced)} begins or ends with a space", where=where,
                        fix="remove the spaces around the cells of this column")  # fmt: skip
    if usual and len(values) == 1:
        raise UserError(
            f"every row has the label {quoted(values[0])}; a choice has two at least", where=where,
            fix=f"--labels {values[0]},B names those that no row has, or --target another column",
        )  # fmt: skip
    labels = [label.strip() for label in text.split(",") if label.strip()]
    if any("," in value for value in values):
        labels = _in_order(values) if text == ",".join(_in_order(values)) else labels
    for value in values:
        if value not in labels:
            raise unknown("label", value, labels, where=where)
    return labels


def _groups(
    data_look: Look, group_flags: Sequence[str], typed: Callable[[str, str], str] | None
) -> dict[str, tuple[str, str]]:
    texts = list(group_flags)
    if not texts and typed is not None and data_look.groups():
        usual = " ".join(f"{group_name(name)}={name}:human" for name in data_look.groups())
        text = typed("Groups to report (none: no groups)", usual).strip()
        # A column's name may hold spaces; a group's name begins each entry.
        texts = [] if text == "none" else re.split(r"\s+(?=\w+=)", text)
    groups = {}
    for text in texts:
        name, equals, right_side = text.partition("=")
        column, colon, by = right_side.rpartition(":")
        if not (equals and colon and _ID.fullmatch(name) and by in {"human", "machine"}):
            raise UserError(f"--group {text!r} is not NAME=COLUMN:human or NAME=COLUMN:machine",
                            fix="--group gender=sex:human")  # fmt: skip
        _check_columns(data_look, [column], "group")
        if name in groups:
            raise UserError(f"the group {name!r} is named twice", where="--group",
                            fix=f"--group {group_name(column)}={column}:{by}")  # fmt: skip
        groups[name] = (column, by)
    return groups


def _say_what_is_there(data_look: Look) -> None:
    kind = "images in folders" if data_look.is_folder else f"columns {', '.join(data_look.columns)}"
    where = data_look.root.where("" if data_look.file == "." else data_look.file)
    click.echo(f"{where}: {data_look.rows:,} rows; {kind}", err=True)
    for problem in data_look.unread.values():
        click.echo(f"not read: {problem}", err=True)


def _lines_on(
    path: Path, answers: Answers, prepared: Task, remarks: Sequence[str], data: str
) -> list[tuple[str, bool]]:
    """Return lines on what was written: its first prompt, remarks, and what to type next.

    Each has with it whether it is an error.
    """
    named = _shown(path)
    request = f"choose among {', '.join(answers.labels)}" if answers.labels else _WRITTEN
    sample = next(iter(prepared.samples()))
    lines = [(f"wrote {path}: {request}", False)]
    try:
        prompt = prompt_text(prepared.spec, sample)
        lines.append((f"first prompt ({sample.id}): {prompt}", False))
    except SampleError as error:
        lines.append((f"first prompt: {error}", True))
    # Without a train split no answer can be drawn from it.
    model = "random" if answers.labels or prepared.spec.data.train_split else "null"
    return [
        *lines,
        *((remark, False) for remark in remarks),
        (f"check it:   harness data check {named}{data}", False),
        (f"first run:  harness run --model {model} --tasks {named}{data}", False),
    ]


def _shown(path: Path) -> str:
    text = str(path)
    return text if "/" in text else f"./{text}"
