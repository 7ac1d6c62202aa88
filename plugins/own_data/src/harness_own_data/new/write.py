"""Write the spec of a task from what was looked at and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from harness_own_data.new.look import Look

_LETTERS = "Answer with the letter of the right option."


@dataclass(slots=True)
class Answers:
    """What the seven questions are answered with.

    Attributes:
        images: The option ``image``: columns and patterns.
        groups: Group to its column and who labelled it.
        labels: Of a choice, in the order they are asked; empty for a written answer.
    """

    id: str
    images: list[str]
    target: str
    question: str
    labels: list[str]
    groups: dict[str, tuple[str, str]] = field(default_factory=dict)
    cluster: str = ""
    fields: list[str] = field(default_factory=list)


def spec_of(data_look: Look, answers: Answers) -> dict[str, Any]:
    """Return the spec as plain data, keys in the order in which they are read."""
    options = _options(data_look, answers)
    splits = [name for name in data_look.splits if name != "train"]
    split = next(iter(splits), "train" if "train" in data_look.splits else "test")
    data: dict[str, Any] = {"benchmark": answers.id, "reader": "table", "split": split}
    if "train" in data_look.splits and split != "train":
        data["train_split"] = "train"
    own = data_look.file or data_look.place.name
    data |= {"options": options, "obtain": f"These are your own data: {own}"}
    unit = "subject" if answers.cluster else "image" if answers.images else "sample"
    spec: dict[str, Any] = {
        "id": answers.id,
        "version": 1,
        "title": answers.id.replace("_", " ").capitalize()[:60],
        "summary": _summary(answers),
        "citation": "not published",
        "licence": "not said",
        "intended_use": "not said",
        "data": data,
        "prompt": {"template": answers.question},
        "ask": _ask(answers),
        "answer": "{{ target }}",
        "metrics": [
            {
                "id": "accuracy", "column": "Accuracy", "direction": "higher", "scale": 100,
                "main": True,
            }
        ],
        "unit": unit,
    }  # fmt: skip
    if answers.groups:
        spec["slices"] = list(answers.groups)
    return spec


def _options(data_look: Look, answers: Answers) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if any(data_look.splits.values()):
        options["file"] = dict(data_look.splits)
    elif data_look.file:
        options["file"] = data_look.file
    if data_look.split_column:
        options["split_column"] = data_look.split_column
    if data_look.id():
        options["id"] = data_look.id()
    if answers.images and not (data_look.is_folder and answers.images == ["path"]):
        options["image"] = answers.images[0] if len(answers.images) == 1 else answers.images
    if answers.target:
        options["target"] = answers.target
    if answers.fields:
        options["fields"] = answers.fields
    if answers.groups:
        options["groups"] = {
            name: {"column": column, "labelled_by": by}
            for name, (column, by) in answers.groups.items()
        }
    if answers.cluster:
        options["cluster"] = answers.cluster
    return options


def group_name(column: str) -> str:
    """Return what the group of a column is called unless the user names it."""
    return column.rpartition(".")[2].lower()


def _summary(answers: Answers) -> str:
    line = answers.question.splitlines()[0][:160]
    return f"Own data: {answers.target} of each row." if "{" in line else line


def _ask(answers: Answers) -> dict[str, Any]:
    if answers.labels:
        return {"choose": {"labels": answers.labels}}
    return {"generate": {"max_new_tokens": 32, "extractor": "verbatim"}}


def default_question(data_look: Look, target: str) -> tuple[str, list[str]]:
    """Return a question and the columns that it names."""
    options, column = data_look.options(), data_look.question()
    if column:
        listed = [f"{{% if {sign} %}}\n{sign}. {{{{ {sign} }}}}{{% endif %}}" for sign in options]
        end = f"\n{_LETTERS}" if options else ""
        return "".join([f"{{{{ {column} }}}}", *listed, end]), [column, *options]
    return f"Which {target.rpartition('.')[2].replace('_', ' ')} does this image show?", []


def yaml_text(spec: Mapping[str, Any], comments: Sequence[str]) -> str:
    """Return a spec as YAML: texts of several lines as blocks, short lists on one line."""
    text = yaml.dump(
        dict(spec), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100,
        default_flow_style=False,
    )  # fmt: skip
    return "".join(f"# {line}\n" for line in comments) + text


class _Dumper(yaml.SafeDumper):
    """Writes blocks for texts with line ends and short lists in brackets."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    short = all(isinstance(item, str | int | float) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=short)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
