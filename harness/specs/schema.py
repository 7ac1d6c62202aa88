"""The JSON Schema of each kind of YAML file, and what it says of a document, with places."""

from __future__ import annotations

import copy
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

    from harness.plugins import Plugins
    from harness.specs.yaml_loader import Document

Kind = Literal["task", "group", "leaderboard", "published", "sample"] | tuple[str, str]
"""A kind of file of the harness, or the package and name of a plugin's schema."""
_FILES = {
    "task": ("harness.specs", "task_spec.schema.json"),
    "group": ("harness.specs", "task_group.schema.json"),
    "leaderboard": ("harness.tables", "leaderboard.schema.json"),
    "published": ("harness.tables", "published.schema.json"),
    "sample": ("harness.runs", "sample.schema.json"),
}
_PATTERN = "lower-case letters, digits and underscores, a letter first"
_NOUNS = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
    "array": "a list", "object": "a table of keys", "null": "nothing",
}  # fmt: skip


def schema(kind: Kind = "task", *, registry: Plugins | None = None) -> dict[str, Any]:
    """Return the schema as plain data.

    Args:
        kind: What it describes: task specs, groups, layouts of tables, published numbers, sample
            records, or a plugin's files.
        registry: Name the installed readers, metrics and extractors as the allowed values.
    """
    package, file = kind if isinstance(kind, tuple) else _FILES[kind]
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    if registry is not None and kind == "task":
        top = document["properties"]
        generate = top["ask"]["properties"]["generate"]["properties"]
        _allow(top["data"]["properties"]["reader"], registry.readers())
        _allow(top["metrics"]["items"]["properties"]["id"], registry.metrics())
        _allow(generate["extractor"], registry.extractors())
    return copy.deepcopy(document)


def _allow(node: dict[str, Any], ids: Any) -> None:
    if ids:
        node["enum"] = sorted(ids)


@cache
def _validator(kind: Kind) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema(kind))


def schema_problems(document: Document, kind: Kind) -> list[UserError]:
    """Return every way a document breaks the schema, in the order of the file."""
    errors = _validator(kind).iter_errors(document.data)
    return [problem for error in errors for problem in _problems(error, document)]


def _problems(error: ValidationError, document: Document) -> Iterator[UserError]:
    path = tuple(error.absolute_path)
    rule: Any = error.schema
    value: Any = error.instance
    names_required: Any = error.validator_value
    if error.validator == "additionalProperties":
        properties = rule.get("properties", {})
        for name in sorted(set(value) - set(properties)):
            yield UserError(
                f"unknown key {name!r}{_under(path)}",
                where=document.where((*path, name), "key"),
                fix=nearest(name, properties),
            )
        return
    if error.validator == "propertyNames":
        name = str(value)
        yield UserError(
            f"{name!r} is not a name: {_PATTERN}", where=document.where((*path, name), "key")
        )
        return
    if error.validator == "required":
        # jsonschema reports each missing key by itself; the message is the only place that says it.
        missing = [name for name in names_required if name not in value]
        named = [name for name in missing if error.message.startswith(repr(name))]
        for name in named:
            yield UserError(
                f"the key {name!r} is missing{_under(path)}", where=document.where(path)
            )
        return
    message, fix = _message(error)
    yield UserError(f"{_name(path)} {message}", where=document.where(path), fix=fix)


def _message(error: ValidationError) -> tuple[str, str]:
    value: Any = error.instance
    limit: Any = error.validator_value
    rule: Any = error.schema
    if error.validator == "type":
        kinds = [limit] if isinstance(limit, str) else list(limit)
        return f"must be {' or '.join(_NOUNS[kind] for kind in kinds)}, not {_shown(value)}", ""
    if error.validator == "enum":
        return f"is {_shown(value)}", nearest(str(value), [str(item) for item in limit])
    messages = {
        "pattern": f"is {_shown(value)}: {rule.get('$comment', _PATTERN)}",
        "minLength": "is empty",
        "maxLength": f"is longer than {limit} characters",
        "minItems": f"needs at least {limit} item{'' if limit == 1 else 's'}",
        "maxItems": f"has over {limit} items",
        "uniqueItems": "repeats an item",
        "minimum": f"must be at least {limit}, not {_shown(value)}",
        "maximum": f"must be at most {limit}, not {_shown(value)}",
        "exclusiveMinimum": f"must be over {limit}, not {_shown(value)}",
        "minProperties": "is empty: it holds exactly one of the keys of the schema",
        "maxProperties": f"has over {limit} keys",
    }
    if error.validator in {"minProperties", "maxProperties"} and rule.get("properties"):
        return f"must hold exactly one of {', '.join(rule['properties'])}", ""
    return messages.get(str(error.validator), error.message), ""


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table of keys"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _name(path: tuple[Any, ...]) -> str:
    """Return a path as people write it: ``metrics[0].scale``."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return name.lstrip(".") or "the document"


def _under(path: tuple[Any, ...]) -> str:
    return f" in {_name(path)}" if path else ""
