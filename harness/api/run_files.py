"""A run as a file: its models with their own options, its tasks and settings, read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from harness.api.models import ID, own_options
from harness.api.runs import RunOptions
from harness.arguments import plain
from harness.config.tasks import installed_catalog
from harness.errors import UserError, quoted, unknown
from harness.evaluation.model import PRESET, portable
from harness.plugins import plugins
from harness.runs.read import read_evaluation
from harness.runs.record import ASKED
from harness.runs.sample_record import read_samples
from harness.runs.superseded import about_of
from harness.specs.resolve import read_resolved
from harness.specs.variants import KINDS, Variant
from harness.specs.yaml_loader import Document, read_yaml

MODELS, TASKS = "models", "tasks"
_MAX_IDS = 20_000
_DTYPES = {"float32", "bfloat16", "float16"}
Place = tuple[str | int, ...]


def read_run_file(path: Path) -> dict[str, Any]:
    """Return the arguments of :func:`harness.plan` that a file says, as far as it says them.

    Its keys are ``model`` or ``models``, ``tasks``, and the options of a run by their names in
    Python. Paths in it are read from the working folder, as those of a command are.

    Raises:
        UserError: at its line: an unknown key, or a value that the key cannot have.
    """
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise UserError("a run file is a table of keys: model, tasks, ...", where=document.where())
    hints = get_type_hints(RunOptions, include_extras=True)
    keys = [ID, MODELS, TASKS, *hints]
    arguments: dict[str, Any] = {}
    for key, value in document.data.items():
        if key not in keys:
            raise unknown("key of a run", key, keys, where=document.where((key,), "key"))
        if key in {ID, MODELS}:
            if ID in arguments:
                where = document.where((key,), "key")
                raise UserError(f"{ID!r} and {MODELS!r} mean the same: give one", where=where)
            arguments[ID] = _models(document, (key,), value)
        elif key == TASKS:
            arguments[key] = _texts(document, (key,), value)
        else:
            with _at(document, (key,)):
                arguments[key] = plain(hints[key], value, key)
    return arguments


def read_models_file(path: Path) -> list[Any]:
    """Return the models that a file lists, alone or under ``models``, as :func:`harness.plan` does.

    Raises:
        UserError: at its line: no list, an unknown key, or a value that the key cannot have.
    """
    document = read_yaml(path)
    data = document.data
    if not isinstance(data, dict):
        return _models(document, (), data)
    for key in data:
        if key != MODELS:
            raise unknown("key", key, [MODELS], where=document.where((key,), "key"))
    return _models(document, (MODELS,), data.get(MODELS))


def _models(document: Document, path: Place, value: Any) -> list[Any]:
    entries = value if isinstance(value, list) else [value]
    models: list[Any] = []
    for index, entry in enumerate(entries):
        where: Place = (*path, index) if isinstance(value, list) else path
        if isinstance(entry, Mapping):
            with _at(document, where):
                models.append(own_options(entry))
        elif isinstance(entry, str) and entry.strip():
            models += [part.strip() for part in entry.split(",")]
        else:
            raise UserError(
                f"a model must be an id or a table of keys, not {quoted(entry)}",
                where=document.where(where),
                fix="'null' in quotes" if entry is None else "- {model: ID, options: {KEY: VALUE}}",
            )
    if not models:
        raise UserError("no model is named", where=document.where(path))
    return models


def _texts(document: Document, path: Place, value: Any) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise UserError(f"a task must be an id, a pattern or a path, not {quoted(text)}",
                            where=document.where(path))  # fmt: skip
    return texts


@contextmanager
def _at(document: Document, path: Place) -> Iterator[None]:
    """Say of what is wrong with a value where it stands."""
    try:
        yield
    except UserError as error:
        raise UserError(error.message, where=document.where(path), fix=error.fix) from None


def run_file_of(directory: Path) -> str:
    """Return a finished evaluation as the file of a run that asks the same again.

    What a record does not keep, because it is of one machine, stands there as a comment.

    Raises:
        UserError: not a finished evaluation.
    """
    record = read_evaluation(directory, details=False)
    about: Any = about_of(directory) or {}
    spec = read_resolved(directory)
    model, task, settings = about["model"], about["task"], about["settings"]
    run: dict[str, Any] = {ID: model["id"], TASKS: [task["id"]]}
    notes = ["data lie where the profile or `data: {TASK: FOLDER}` says"]
    if task["id"] not in installed_catalog().entries:
        notes.append(f"the spec of {task['id']} is no installed one: name its file under `tasks`")
    if options := _options(model, notes):
        run["options"] = options
    if "training" in model:
        sha256 = str(model["identity"].get("checkpoint"))[:12]
        notes.append(f"add `checkpoint: FOLDER` of the training with sha256 {sha256}")
    if "method" in model:
        run |= {"method": model["method"]["id"], "method_options": model["method"]["options"]}
    if model["identity"].get("dtype") in _DTYPES:
        run["dtype"] = model["identity"]["dtype"]
    if task["options"]:
        run["spec_options"] = {f"{task['id']}.{key}": held for key, held in task["options"].items()}
    run |= _asked(settings.get(ASKED, {}), spec)
    run |= {key: settings[key] for key in ("seed", "max_pixels", "deterministic")}
    if task["variant"]:
        notes.append(f"the evaluation is {task['variant']!r}, which this asks among others")
        run["variants"] = _variants(Variant.named(task["variant"]), len(spec.labels))
    if "limited" in about["marks"]:
        ids = [sample.id for sample in read_samples(record.directory)]
        if len(ids) > _MAX_IDS:
            run["limit"] = len(ids)
            notes.append("if the samples were named by id, name them again: `ids`")
        else:
            run["ids"] = ids
    text: str = yaml.safe_dump(run, sort_keys=False, allow_unicode=True, width=100)
    return "".join(f"# {note}\n" for note in notes) + text


def _asked(settings: Mapping[str, Any], spec: Any) -> dict[str, Any]:
    """Return what a run changed, with the texts whose hashes the record's settings have."""
    texts = {"prompt": spec.prompt.template, "system": spec.prompt.system}
    return {key: texts.get(key, value) for key, value in settings.items()}


def _options(model: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return a recorded model's options, those of a preset by its name."""
    options = {key: value for key, value in model["options"].items() if value is not None}
    descriptor = plugins().models().get(model["id"])
    if descriptor is None:
        notes.append(f"no installed plugin brings the model {model['id']!r}")
        return options
    declared = {option.name: option for option in descriptor.options}
    for name, preset in descriptor.presets.items():
        if all(portable(declared[key], held) == options.get(key) for key, held in preset.items()):
            options = {PRESET: name} | {k: v for k, v in options.items() if k not in preset}
            break
    notes += [f"of {key!r} the record keeps the last part alone: write the path out"
              for key in options if key in declared and declared[key].type == "path"]  # fmt: skip
    return options


def _variants(variant: Variant, labels: int) -> str:
    """Return what asks for a variant: of rotations all, whose steps go by how many there are."""
    if variant.perturbs:
        return variant.flag
    name = next(name for name, kind in KINDS.items() if kind == variant.kind)
    if variant.kind == "paraphrase":
        return name
    return f"{name}={labels - 1 if variant.kind == 'rotation' else variant.number + 1}"
