"""Models as calls and files name them: ids, mappings with own options, descriptors, objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from harness.arguments import plain
from harness.descriptors import Json, ModelDescriptor
from harness.errors import UserError, quoted, unknown
from harness.models.in_memory import Answers, ObjectModel, as_model
from harness.tables.known import listed

if TYPE_CHECKING:
    from harness.api.runs import RunOptions

ModelName = str | Mapping[str, Json] | Answers | ModelDescriptor | ObjectModel
"""A model as calls name it: its id, a mapping with options of its own, or the model itself."""
Found = str | ModelDescriptor | ObjectModel

ID = "model"
OF_ONE_MODEL = (
    "options", "checkpoint", "method", "method_options", "device", "dtype", "batch_size",
    "kv_budget", "threads", "deterministic",
)  # fmt: skip
"""Options of a run that a mapping may give one model beside its id."""


def models_named(
    model: ModelName | Iterable[ModelName], options: RunOptions
) -> list[tuple[Found, RunOptions]]:
    """Return each model with the options of its run.

    Raises:
        UserError: none is named or one twice, or options of one model where there are several.
    """
    entries: list[Any] = listed(model) if isinstance(model, str) else _several(model)
    pairs: list[tuple[Found, RunOptions]] = []
    for name in entries:
        entry = _found(name, options)
        if entry in pairs:
            raise UserError(f"model {quoted(name)} is named twice",
                            fix="name it once, or give it other options")  # fmt: skip
        pairs.append(entry)
    if not pairs:
        raise UserError("no model is named", fix="harness models")
    if len(pairs) > 1:
        for key, flag in (("options", "-o"), ("checkpoint", "--checkpoint")):
            if value := options.get(key):
                own = json.dumps({ID: entries[-1], key: value}, default=str).replace('"', "")
                raise UserError(f"{flag} applies to one model, and there are {len(pairs)}",
                                where=flag, fix=f"--models FILE with a line for each model, one of "
                                f"them `- {own[:200]}`; in Python the same mapping")  # fmt: skip
    return pairs


def _several(model: Any) -> list[Any]:
    if isinstance(model, Mapping | ModelDescriptor | ObjectModel) or hasattr(model, "answer"):
        return [model]
    return [part for one in model for part in (listed(one) if isinstance(one, str) else [one])]


def _found(name: ModelName, options: RunOptions) -> tuple[Found, RunOptions]:
    if isinstance(name, str | ModelDescriptor | ObjectModel):
        return name, options
    if isinstance(name, Mapping):
        model_options = own_options(name)
        return str(model_options.pop(ID)), cast("RunOptions", {**options, **model_options})
    return as_model(name), options


def own_options(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping of a model checked: its id under ``model``, and options of its run.

    Raises:
        UserError: no id, an unknown key, or a value that the key cannot have.
    """
    from harness.api.runs import RunOptions

    hints = get_type_hints(RunOptions, include_extras=True)
    for key in entry:
        if key not in {ID, *OF_ONE_MODEL}:
            raise unknown("key of a model", str(key)[:100], [ID, *OF_ONE_MODEL])
    values = {key: plain(hints.get(key, str), value, key) for key, value in entry.items()}
    if not values.get(ID) or "," in values[ID]:
        raise UserError(f"a model's entry needs one id as `model`, not {quoted(values.get(ID))}",
                        fix="{model: ID, options: {KEY: VALUE}}")  # fmt: skip
    return values
