"""The model of a run: found by name, configured, identified, loaded at most once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import Any, Protocol

from harness.config.settings import Settings
from harness.descriptors import Descriptor, Json, ModelDescriptor, Option, parse_options
from harness.errors import CannotAnswer, ModelError, UserError, unknown
from harness.evaluation.methods import Method
from harness.evaluation.requests import wanted
from harness.evaluation.task import Task
from harness.guard import check_descriptor, described
from harness.models import Answerer, Model, Runtime, threads
from harness.models.contract import HasSize, RefusesTasks, TellsUnused
from harness.models.guard import identity_of, loaded, make_model, require_offer, weight_bytes
from harness.models.in_memory import ObjectModel
from harness.packages import package_of
from harness.plugin_code import codes_of
from harness.plugins import contract_of, find, plugins
from harness.requests.reasoning import AUTO, Reasoning, common_options, parse_reasoning
from harness.samples import Sample
from harness.specs import TaskSpec, fingerprint

PRESET = "preset"


class TrainedWeights(Protocol):
    """Weights that a training left, to be put over a model's own."""

    @property
    def sha256(self) -> str:
        """Hash of the weights."""
        ...

    @property
    def about(self) -> dict[str, Json]:
        """Recipe, data, seed and parts, for records and tables."""
        ...

    @property
    def marks(self) -> frozenset[str]:
        """Marks of the data it was trained on."""
        ...

    def answerer(self, model: Any, runtime: Runtime) -> Answerer:
        """Return the model with these weights; UserError when they are not its own."""
        ...

    def saw(self, benchmark: str, samples: Iterable[Sample]) -> bool:
        """Whether any of a benchmark's samples was trained on."""
        ...


@dataclass(slots=True)
class ConfiguredModel:
    """A model, or a baseline in its place.

    Attributes:
        options: Every option's value.
        marks: Marks its preset puts on records.
        checkpoint: What ``harness train`` wrote, to be put over the model's own weights.
        left_out: Tasks of a group that it cannot be asked, with why.
        method: Acts between requests and the model.
        reasoning: What was said for it of reasoning before its written answers.
    """

    descriptor: ModelDescriptor
    options: Mapping[str, Json]
    marks: tuple[str, ...]
    runtime: Runtime
    checkpoint: TrainedWeights | None = None
    method: Method | None = None
    reasoning: Reasoning = AUTO
    left_out: dict[str, str] = field(default_factory=dict)
    _models: dict[str, Model] = field(default_factory=dict)
    _loaded: dict[str, Answerer] = field(default_factory=dict)
    _unloadable: dict[str, ModelError] = field(default_factory=dict)
    _put_back: Callable[[], None] | None = None

    def model(self, task: Task) -> Model:
        """Return the model for a task, made once."""
        key = task.id if self.descriptor.needs_task else ""
        if key not in self._models:
            if self.runtime.threads is not None and self.descriptor.requires:
                threads.wait_passively()  # what is imported next may load PyTorch
            about = (task,) if self.descriptor.needs_task else ()
            self._models[key] = make_model(self.descriptor, self.options, *about)
        return self._models[key]

    def unused_flags(self) -> tuple[str, ...]:
        """Return that nothing reads what was said of how to compute, if that is known."""
        descriptor = self.descriptor
        ours = {"social-harness", package_of("model", descriptor.id)}
        known = descriptor.requires or plugins().distribution_of(descriptor).split()[0] in ours
        usual, flags = Runtime(), []
        for name in ("device", "dtype", "batch_size", "kv_budget", "threads"):
            value = getattr(self.runtime, name)
            if value not in {getattr(usual, name), "cpu", threads.AUTO}:
                flags.append(f"--{name.replace('_', '-')}")
        if "torch" in descriptor.requires or not (known and flags):
            return ()
        return (f"model {descriptor.id!r} runs without PyTorch, and reads no {', '.join(flags)}",)

    def weight_bytes(self, task: Task) -> int | None:
        """Return the bytes of the weights that a task needs loaded, if the model tells."""
        key = task.id if self.descriptor.needs_task else ""
        if key in self._loaded:
            return None
        return weight_bytes(self.descriptor, self.model(task), self.runtime)

    def answerer(self, task: Task) -> Answerer:
        """Return the loaded model for a task; weights are loaded on the first call.

        Raises:
            ModelError: it cannot be loaded; it is not tried again for another task.
            UserError: what is not a task.
        """
        if not isinstance(task, Task):
            raise UserError(f"{described(task)} is not a task", fix="harness.load_task(ID)")
        key = task.id if self.descriptor.needs_task else ""
        if key in self._unloadable:
            raise self._unloadable[key]
        if key not in self._loaded:
            load = partial(loaded, self.descriptor, partial(self._load, self.model(task)))
            try:
                self._loaded[key] = load() if self.method is None else self.method.around(load)
            except ModelError as error:
                self._unloadable[key] = error
                raise
        return self._loaded[key]

    def _load(self, model: Any) -> Any:
        answerer: Any = (
            model.load(self.runtime)
            if self.checkpoint is None
            else self.checkpoint.answerer(model, self.runtime)
        )
        if self.runtime.threads is not None:
            size = answerer.parameters() if isinstance(answerer, HasSize) else None
            put_back = threads.settle(
                self.runtime.threads,
                size,
                device=self.runtime.device,
                fixed=self.runtime.deterministic,
            )
            self._put_back = self._put_back or put_back
        return answerer

    def record(self, task: Task) -> dict[str, Json]:
        """Return what ``evaluation.json`` says of the model."""
        identity = identity_of(self.descriptor, self.model(task), self.runtime)
        added: dict[str, Json] = {}
        used: list[Descriptor] = [self.descriptor]
        if self.method is not None:
            identity["method"] = added["method"] = self.method.identity
            used.append(self.method.descriptor)
        code = codes_of(map(plugins().code_of, used))
        unchanged = dict(identity)
        if self.checkpoint is not None:
            identity["checkpoint"] = self.checkpoint.sha256
            added["training"] = self.checkpoint.about
            # A training by other code leaves other weights; what it was asked for says which one.
            unchanged["checkpoint"] = self.checkpoint.about.get("lineage", self.checkpoint.sha256)
        recorded: dict[str, Json] = {}
        if self.reasoning != AUTO:  # what nobody said leaves every fingerprint as it was
            identity["reasoning"] = unchanged["reasoning"] = recorded = self.reasoning.as_json()
        about: dict[str, Json] = {"id": self.descriptor.id, "identity": identity}
        return {
            **added,
            "id": self.descriptor.id,
            "options": {
                **{
                    option.name: portable(option, self.options[option.name])
                    for option in self.descriptor.options
                    if option.changes_numbers
                },
                **recorded,
            },
            "identity": identity,
            "code": code,
            "fingerprint": fingerprint({**about, "code": code} if code else about),
            "lineage": fingerprint({**about, "identity": unchanged}),
        }

    def refuse(self, spec: TaskSpec) -> None:
        """Check that the model can answer what the task asks, by the method where there is one.

        Raises:
            CannotAnswer: when it cannot, with the models or methods that would fit.
        """
        needed = spec.ask.capability
        if needed not in self.descriptor.capabilities:
            able = sorted(
                model.id for model in plugins().models().values() if needed in model.capabilities
            )
            raise CannotAnswer(
                f"model {self.descriptor.id!r} cannot {needed}, which task {spec.id!r} needs",
                fix=f"models that can: {', '.join(able)}",
            )
        if needed in self.descriptor.learns and spec.data.train_split is None:
            raise CannotAnswer(
                f"model {self.descriptor.id!r} learns from the train split, and task {spec.id!r} "
                "has none",
                fix="leave the task out",
            )
        if self.method is not None:
            self.method.refuse(spec, self.descriptor)

    def refuse_task(self, task: Task) -> None:
        """Check what a model that is made for each task says of it, before anything is written.

        Raises:
            CannotAnswer: it cannot; UserError for what it needs and is not there.
        """
        if not isinstance(model := self.model(task), RefusesTasks):
            return
        with contract_of(self.descriptor).calling("refuses"):
            why = model.refuses(wanted(task.spec, None))
        if why:
            raise CannotAnswer(
                f"model {self.descriptor.id!r} cannot answer task {task.id!r}: {why}",
                fix="leave the task out",
            )

    def unused(self, task: Task) -> list[str]:
        """Return which of its options change no answer to a task, each with why not."""
        if not isinstance(model := self.model(task), TellsUnused):
            return []
        with (contract := contract_of(self.descriptor)).calling("unused"):
            options: Any = model.unused(wanted(task.spec, None))
        return contract.listed(options, "unused", str, "a list of texts")

    def close(self) -> list[str]:
        """Free every loaded model; return what went wrong, which costs no answer."""
        problems = []
        for answerer in self._loaded.values():
            try:
                answerer.close()
            except ModelError as error:
                problems.append(error.message)
        self._loaded.clear()
        if self._put_back is not None:
            self._put_back()
            self._put_back = None
        return problems


def portable(option: Option, value: Json) -> Json:
    """Return an option's value without the folders of one machine; hashes name the file itself."""
    if value is None or (option.type != "path" and not PurePath(str(value)).is_absolute()):
        return value
    return PurePath(str(value)).name


def _descriptor(name: str) -> ModelDescriptor:
    """Return a model by its id; for a checkpoint in its place, say where that belongs."""
    models = plugins().models()
    try:
        return find("model", name, models)
    except UserError as error:
        if "/" in name:
            takers = [
                one for one, held in models.items() if "path" in {o.name for o in held.options}
            ]
            error.fix = f"a checkpoint is an option of a model: -o path={name} with --model one of "
            error.fix += ", ".join(takers)
        raise


def configure_model(  # noqa: PLR0913  what a run asks with
    model: str | ModelDescriptor | ObjectModel,
    values: Mapping[str, Json],
    settings: Settings,
    runtime: Runtime,
    checkpoint: TrainedWeights | None = None,
    *,
    method: Method | None = None,
) -> ConfiguredModel:
    """Find a model and settle its options: descriptor default < preset < settings < given.

    Args:
        model: Its id, or what no plugin adds: a descriptor, or an object of this process.
        values: Its options.
        settings: May have options of the model too.
        runtime: How it runs.
        checkpoint: Weights that replace its own.
        method: Acts between requests and the model.

    Raises:
        UserError: unknown model, option, preset or value.
    """
    made: dict[str, Model] = {}
    if isinstance(model, str):
        descriptor = _descriptor(model)
    elif isinstance(model, ModelDescriptor):
        check_descriptor(descriptor := model)
    else:
        descriptor, made = model.descriptor, {"": model.model()}
    name = descriptor.id
    if checkpoint is not None:
        require_offer(descriptor, "train", "takes no checkpoint of harness train")
    chosen = {**settings.models.get(name, {}), **values}
    preset = chosen.pop(PRESET, None)
    if preset is not None and str(preset) not in descriptor.presets:
        raise unknown(f"preset of model {name!r}", str(preset), descriptor.presets)
    preset_options = descriptor.presets[str(preset)] if preset is not None else {}
    own_names = [option.name for option in descriptor.options]
    common = [option.name for option in common_options(descriptor)]
    names = [*own_names, *common]
    for key in chosen:
        if key not in names:
            presets = [PRESET] if descriptor.presets else []
            raise unknown(f"option of model {name!r}", key, [*names, *presets])
    owner = f"model {name!r}"
    settled = {**preset_options, **chosen}
    reasoning = parse_reasoning({key: settled.pop(key) for key in common if key in settled}, owner)
    options = parse_options(descriptor.options, settled, owner=owner)
    # A preset's marks speak of its parts: they go when the user puts another part in their place.
    replaced = preset_options.keys() & chosen.keys()
    marks = () if replaced else descriptor.preset_marks.get(str(preset), ())
    return ConfiguredModel(
        descriptor, options, marks, runtime, checkpoint, method, reasoning, _models=made
    )
