"""A finished evaluation as the file of a run: ``harness results show EVALUATION --config``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from harness.api.models import ID
from harness.api.run_files import TASKS
from harness.config.tasks import installed_catalog
from harness.errors import UserError
from harness.evaluation.model import PRESET, portable
from harness.jsonfiles import read_object
from harness.plugins import plugins
from harness.runs.read import read_evaluation
from harness.runs.record import ASKED
from harness.runs.sample_record import read_samples
from harness.runs.superseded import about_of
from harness.specs.resolve import read_resolved
from harness.specs.variants import KINDS, Variant

_MAX_IDS = 20_000
_DTYPES = {"float32", "bfloat16", "float16"}


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
    file = _spec_file(directory)
    if file is not None and file.is_file():
        run[TASKS] = [str(file)]
    elif task["id"] not in installed_catalog().entries:
        was = "" if file is None else f", read from {file}, which is not there now"
        notes.append(
            f"the spec of {task['id']} is no installed one{was}: name its file under `tasks`, or "
            "--include it"
        )
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
    run.pop("ids", None)  # how many they are
    if "limited" in about["marks"] and "limit" not in run:
        ids = [sample.id for sample in read_samples(record.directory)]
        if len(ids) > _MAX_IDS:
            run["limit"] = len(ids)
            notes.append("if the samples were named by id, name them again: `ids`")
        else:
            run["ids"] = ids
    text: str = yaml.safe_dump(run, sort_keys=False, allow_unicode=True, width=100)
    return "".join(f"# {note}\n" for note in notes) + text


def _spec_file(directory: Path) -> Path | None:
    """Return the file of a task's spec as the run named it; ``None`` if no record says so."""
    try:
        name = read_object(directory / "timings.json").get("spec")
    except UserError:  # the clocks are lost
        return None
    return Path(name) if isinstance(name, str) else None


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
