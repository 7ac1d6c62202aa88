"""The reference page of task specs, written from the schema so that the two cannot differ.

``python -m harness_checks.spec_page > docs/reference/task-spec.md`` renews it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from harness.specs.schema import schema
from harness.specs.templates import FILTERS, MAX_ITEMS, MAX_LOOPS, MAX_TEXT
from harness.specs.yaml_loader import MAX_BYTES, MAX_DEPTH, MAX_NODES

_INTRODUCTION = """\
# Task specs

<!-- Written by `python -m harness_checks.spec_page`; change the schema, not this page. -->

A task is one YAML file that names the data, the question and the scoring. A group is a list of
tasks. `harness validate PATH` checks files and folders, `harness schema` prints the JSON Schema
for editors, and the specs under `task_specs/` are examples that run.
"""

_FILTERS = ", ".join(f"`{name}`" for name in sorted(FILTERS))

_RULES = f"""\
## YAML

A file holds one document of plain data in UTF-8, with at most {MAX_BYTES >> 20} MiB, {MAX_DEPTH}
levels and {MAX_NODES:,} values after aliases are expanded. Repeated keys, tags (`!name`), merge
keys (`<<`) and numbers that are not finite are errors. Unquoted words follow YAML 1.2: `yes`,
`no`, `on` and `12:30` are text; only `true` and `false` are Boolean values.

## Templates

Templates put fields into text. They may use `{{{{ name }}}}`, `{{% if %}}`, `{{% for %}}` over a
field (at most {MAX_LOOPS} deep), comparisons, and these filters: {_FILTERS}.
`most_common` writes the most frequent of several annotators' answers.
`mean_point(100)` writes the mean of a gaze target's points as two whole numbers from 0 to 99,
`mean_point(1)` as fractions.
Calls, assignments, macros, imports and names that start with an underscore are refused when the
spec is loaded. A list that a filter reads may have at most {MAX_ITEMS:,} items, and a rendered
text at most {MAX_TEXT:,} characters. A missing field is an error, never an empty text. `prompt`
templates see the sample's fields, `answer` sees `target`, and `ask.choose.text` sees `label` and
the fields; all see named options. A prompt that reads `options` lists the options as sent:
`harness run --variants rotations,shuffles` changes their order there.

## Named options

A choice that the sources leave open is a named option. It has a default, the allowed values, who
made the choice and why. `{{option: NAME}}` stands for its value as the split, as the temperature,
for reasoning, or among the options of the reader, a metric or the extractor. A list entry
`{{label: L, when: {{NAME: VALUE}}}}` takes part only under that value (`labels` names several
entries, a list several values). Prompts read the value as `option.NAME`.
The value in force is part of the task's fingerprint, so results under two values never share a
column.
"""


def reference_page() -> str:
    """Return the page as Markdown."""
    task, group = schema("task"), schema("group")
    parts = [_INTRODUCTION, "## Keys of a task\n", _table(task, task)]
    parts += [_section(path, held, task) for path, held in _tables(task, task, "")]
    parts += ["## Keys of a group\n", _table(group, group), _RULES]
    return "\n".join(parts)


def _section(path: str, section: dict[str, Any], root: dict[str, Any]) -> str:
    return f"### `{path}`\n\n{section['description']}\n\n{_table(section, root)}"


def _resolve(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return a sub-schema with its reference followed; its own description wins."""
    if "$ref" not in node:
        return node
    target = root["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def _tables(node: dict[str, Any], root: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    """Return every table below a schema that has keys of its own, with its path, depth first."""
    tables: list[tuple[str, Any]] = []
    for name, inner in node.get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        value = _resolve(inner, root)
        items, values = value.get("items"), value.get("additionalProperties")
        for end, written in (("", value), ("[]", items), (".NAME", values)):
            candidate = _resolve(written, root) if isinstance(written, dict) else {}
            if candidate.get("properties"):
                if "option" in candidate["properties"]:
                    continue  # {option: NAME} is described under named options
                tables.append((key + end, candidate))
                tables += _tables(candidate, root, key + end)
    return tables


def _table(node: dict[str, Any], root: dict[str, Any]) -> str:
    rows = ["| key | value | meaning |", "| --- | --- | --- |"]
    required = set(node.get("required", ()))
    for name, inner in node["properties"].items():
        value = _resolve(inner, root)
        mark = "" if name in required else " *(optional)*"
        rows.append(f"| `{name}`{mark} | {_kind(value)} | {value['description']} |")
    return "\n".join(rows) + "\n"


def _kind(node: dict[str, Any]) -> str:
    if "enum" in node:
        text = " or ".join(f"`{value}`" for value in node["enum"])
    else:
        kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
        names = {
            "string": "text", "number": "number", "integer": "whole number",
            "boolean": "`true` or `false`", "array": "list", "object": "keys", "null": "nothing",
        }  # fmt: skip
        text = ", ".join(names[kind] for kind in kinds)
    bounds = {
        "minimum": "at least", "exclusiveMinimum": "over", "maximum": "at most",
        "maxLength": "characters: at most", "minItems": "items: at least",
        "maxItems": "items: at most",
    }  # fmt: skip
    for key, words in bounds.items():
        if key in node:
            text += f"; {words} {node[key]}"
    if "default" in node and not isinstance(node["default"], dict):
        text += f"; default `{json.dumps(node['default'])}`"
    return text


if __name__ == "__main__":
    sys.stdout.write(reference_page())
