"""Light descriptors: what a plugin adds, said without importing anything heavy.

A hook returns descriptors; the object itself is imported on demand by
:func:`harness.targets.load_target`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from harness.errors import PluginError, UserError, quoted, unknown

if TYPE_CHECKING:
    from pathlib import Path

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Capability = Literal["choose", "generate", "embed"]
Offer = Literal["logprobs", "contrast", "vectors", "train", "tower", "hidden"]
"""What a model can be used for beside answering; see :class:`ModelDescriptor`."""
Direction = Literal["higher", "lower", "zero", "none"]
"""Which way a number is better; of `none` no row is ranked: it says how to read another number."""
PageKind = Literal["evaluation", "analysis", "changes"]
"""Pages that show figures: the site's of an evaluation or an analysis, a study's of its changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What every plugin object has.

    Attributes:
        id: The name users type; unique within its kind over all plugins.
        target: ``module:attribute`` of the factory, imported on demand.
        summary: One line for lists.
        requires: Modules the target needs beside the base install.
        install: The command that brings them.
    """

    id: str
    target: str
    summary: str
    requires: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One ``-o name=value`` of a model, or one named option of a reader, metric or extractor.

    Attributes:
        name: As typed.
        type: ``str``, ``int``, ``float``, ``bool`` or ``path``; ``data`` for a list or a table of
            keys as a spec writes it, whose shape the plugin itself checks.
        default: The value when it is not given; ``None`` is "unset".
        help: One line: unit, range, source.
        choices: The allowed values, when they are few.
        changes_numbers: Whether it enters the model's fingerprint.
        least: Of a number: the smallest allowed.
        most: Of a number: the largest allowed.
    """

    name: str
    type: Literal["str", "int", "float", "bool", "path", "data"] = "str"
    default: Json = None
    help: str = ""
    choices: tuple[str, ...] = ()
    changes_numbers: bool = True
    least: float | None = None
    most: float | None = None

    def parse(self, text: Json, *, where: str = "") -> Json:
        """Return ``text`` as this option's type.

        Raises:
            UserError: when it is not of the type, not among the choices or out of bounds.
        """
        location = where or f"option {self.name!r}"
        value = _convert(text, self.type, location)
        self._refuse_out_of_bounds(value, location)
        if self.choices and value is not None and str(value) not in self.choices:
            raise unknown("value", str(value), self.choices, where=location)
        return value

    def _refuse_out_of_bounds(self, value: Json, where: str) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return
        if self.least is not None and value < self.least:
            raise UserError(f"{quoted(value)} is less than {self.least:g}", where=where)
        if self.most is not None and value > self.most:
            raise UserError(f"{quoted(value)} is more than {self.most:g}", where=where)


def _convert(value: Json, kind: str, where: str) -> Json:
    if value is None or kind == "data":
        return value
    if isinstance(value, list | dict):
        noun = "a list" if isinstance(value, list) else "a table of keys"
        raise UserError(f"should be a single value, not {noun}", where=where)
    if kind == "path" and not str(value).strip():
        raise UserError("the path is empty", where=where, fix="give a path, or leave it out")
    if kind in {"str", "path"}:
        return str(value)
    if kind == "bool":
        if isinstance(value, bool):
            return value
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() in words:
            return words[str(value).lower()]
        raise UserError(
            f"{quoted(value)} is neither true nor false", where=where, fix="write true or false"
        )
    try:
        if isinstance(value, bool):
            raise ValueError
        number = int(str(value)) if kind == "int" else float(str(value))
        if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124  NaN
            raise ValueError
    except ValueError:
        noun = "a whole number" if kind == "int" else "a finite number"
        raise UserError(f"{quoted(value)} is not {noun}", where=where) from None
    return number


def parse_options(
    options: tuple[Option, ...], values: Mapping[str, Json], *, owner: str
) -> dict[str, Json]:
    """Return every option's value: as given, else its default; ``None`` is not given.

    Raises:
        UserError: for an unknown name (with the nearest known one) or a value of the wrong type.
    """
    declared = {option.name: option for option in options}
    for name in values:
        if name not in declared:
            raise unknown(f"option of {owner}", name, declared)
    return {
        name: option.parse(values[name], where=f"option {name!r} of {owner}")
        if values.get(name) is not None
        else option.default
        for name, option in declared.items()
    }


@dataclass(frozen=True, slots=True)
class ModelType:
    """Checkpoints that a model reads, recognised by their ``config.json``.

    Attributes:
        pattern: Its ``model_type``; ``*`` stands for any text. One that is exact wins over one
            with a star, and ``*`` alone is last.
        keys: Keys that it must have as well.
    """

    pattern: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescriptor(Descriptor):
    """A model, or a baseline that answers in a model's place.

    The target is a factory ``(options) -> Model``; with ``needs_task`` it is
    ``(options, task) -> Model`` and is called once for each task (baselines that need labels).

    Attributes:
        capabilities: What it can answer.
        offers: What it can be used for beside answering. ``logprobs``: it scores options by
            log-probabilities. ``contrast``: it writes with a :class:`harness.requests.Contrast`
            where a request has one. ``vectors``: it answers an :class:`harness.requests.Embed`
            without images too, ``as_options`` too. ``train``: ``harness train`` takes it.
            ``hidden``: its hidden states can be read (``harness mir``, ``harness gradients``).
            ``tower``: its vision tower can be taken out (``harness probe``). The methods for the
            last three are in
            :data:`harness.models.contract.OFFERED_METHODS`.
        sees_images: False spares opening images for a model that ignores them.
        is_asked: False for answers that were there before the run; no variant changes them.
        reads_prompts: False where images are compared with texts alone, as dual encoders do.
        needs_task: Whether the factory takes a :class:`harness.models.TaskHandle`.
        learns: Kinds of task for which it needs a train split (baselines).
        options: What ``-o`` accepts.
        presets: Named option sets, chosen with ``-o preset=NAME``.
        preset_marks: Marks (such as ``demo``) that a preset puts on every record.
        trains: Parts that ``--train-parts auto`` trains, such as ``("connector", "lora")``.
        learning_rates: Peak learning rate by part that trains (``language_model``, ``lora``, ...);
            a training takes the smallest of its parts'. Where none is named it is
            :data:`harness_training.settings.LEARNING_RATE`.
        model_types: Checkpoints it reads; other models' messages point to it by them.
    """

    capabilities: frozenset[Capability] = frozenset()
    offers: frozenset[Offer] = frozenset()
    sees_images: bool = True
    is_asked: bool = True
    reads_prompts: bool = True
    needs_task: bool = False
    learns: frozenset[Capability] = frozenset()
    options: tuple[Option, ...] = ()
    presets: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    preset_marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trains: tuple[str, ...] = ()
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    model_types: tuple[ModelType, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderDescriptor(Descriptor):
    """A reader of one benchmark's release layout. Target: ``(options) -> Reader``.

    Attributes:
        options: What a spec may set under ``data.options``.
        splits: The splits the layout knows; empty when the data themselves say which there are.
        version: Raised whenever the samples it yields change; enters the task fingerprint.
    """

    options: tuple[Option, ...] = ()
    splits: tuple[str, ...] = ("train", "val", "test")
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDescriptor(Descriptor):
    """A metric. Target: ``(options, labels) -> AdditiveMetric | RankMetric``.

    Attributes:
        version: Raised whenever a value changes; enters the task fingerprint.
        direction: Which way is better.
        options: What a spec may set beside the metric's id.
        needs_image_size: Whether a sample's image size in pixels must be on record.
        needs_target: False for a metric of answers alone (skew); others never see a sample
            without a target.
    """

    version: int = 1
    direction: Direction = "higher"
    options: tuple[Option, ...] = ()
    needs_image_size: bool = False
    needs_target: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractorDescriptor(Descriptor):
    """An extractor of an answer from text. Target: ``(options, labels) -> Extractor``."""

    version: int = 1
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatDescriptor(Descriptor):
    """A leaderboard format. Target: ``(table) -> str``.

    Attributes:
        suffix: File name ending, with the dot.
    """

    suffix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureDescriptor(Descriptor):
    """A figure of ``harness plot``. Target: ``(FigureRequest) -> Plot``.

    The contract is :mod:`harness.figures.contract`.

    Attributes:
        pages: The pages that show it as well. There the request's ``subject`` is an
            ``EvaluationRecord``, an ``Analysis`` or a ``Table`` of changes, and a ``UserError``
            leaves the figure out.
    """

    pages: frozenset[PageKind] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterDescriptor(Descriptor):
    """An exchange format of evaluation records. Target: ``(records, out, options) -> paths``.

    The contract is :data:`harness.runs.exports.Exporter`.

    Attributes:
        reads: Fields of :class:`harness.runs.exports.ExportOptions` that it writes; others that a
            user names are refused.
    """

    reads: tuple[str, ...] = ("organization", "datasets")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionDescriptor(Descriptor):
    """The file that a benchmark's server takes; ``id`` is ``data.benchmark`` of the task's spec.

    Target: a :class:`harness.runs.submissions.SubmissionLayout`.

    Attributes:
        server: Who takes the file.
        suffixes: File name endings that it may have, each with the dot.
    """

    server: str
    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDescriptor(Descriptor):
    """A sub-command; ``id`` is its name. Target: a ``click.Command``.

    Attributes:
        section: Heading under which ``harness --help`` lists it.
        functions: What it does, from Python, each with its ``module:attribute``: names of
            ``harness.__all__`` that are functions of plugins, and what the core asks for
            (``open_trained``: the weights of a training; ``intersected``, ``robustness_table``).
    """

    section: str = "Plugins"
    functions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeDescriptor(Descriptor):
    """A training recipe. Target: ``(options) -> Recipe`` (:mod:`harness.training.contract`).

    Attributes:
        options: Its named options.
        transfer: Side of ``harness transfer`` that its trainings stand on: ``alone`` on one task,
            ``together`` on several; empty for neither.
    """

    options: tuple[Option, ...] = ()
    transfer: Literal["", "alone", "together"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderDescriptor(Descriptor):
    """A kind of visual encoder, for names that begin with its id and a colon.

    Target: ``(EncoderRequest) -> Encoder`` (:mod:`harness.analysis.encoders`).

    Attributes:
        forms: What its names look like, such as ``hf:FOLDER``.
    """

    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisDescriptor(Descriptor):
    """A kind of analysis: it measures what a score does not say, and seals tables under its id.

    Target: a function that returns a sealed :class:`harness.analysis.results.Analysis`; what it
    takes is its own affair. Those that the core has a function for (``harness.probe`` and the like)
    are called through it.

    Attributes:
        view: ``module:attribute`` of a :class:`harness.analysis.board.AnalysisView`, which shows
            its tables on leaderboards and pages; empty without one.
    """

    view: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDescriptor(Descriptor):
    """A kind of study. Target: ``(document) -> LoadedStudy`` (:mod:`harness.studies.kind`).

    Attributes:
        view: ``module:attribute`` of a :class:`harness.analysis.board.AnalysisView`, for a kind
            that seals an analysis under its own id; empty without one.
        worker: ``module:attribute`` of what does a part of such a study on a worker, for a kind
            that :class:`harness.studies.kind.RunsOnWorkers`; empty without one.
    """

    view: str = ""
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorDescriptor(Descriptor):
    """A way to start workers: ``harness run --on ID``. Target: ``(options) -> Executor``.

    The contract is :class:`harness.workers.contract.Executor`.

    Attributes:
        options: What ``-e`` accepts.
    """

    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerDescriptor(Descriptor):
    """A tracker of runs: ``harness run --track ID``. Target: ``() -> Tracker``.

    The contract is :class:`harness.events.Tracker`.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class PerturbationDescriptor(Descriptor):
    """A way to show images otherwise: ``harness run --variants ID:LEVEL``.

    Target: a :class:`harness.samples.perturbed.Perturbation`.

    Attributes:
        levels: How many levels it has, from 1.
        moves: Whether things are no longer where they were, so that questions about sides and
            places have another answer and are not asked.
        needs_boxes: Whether it is of the sample's boxes; a sample without one is an error.
    """

    levels: int = 5
    moves: bool = False
    needs_boxes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMethodDescriptor(Descriptor):
    """An inference-time method. Target: ``(options) -> AnswerMethod``.

    The contract is :class:`harness.requests.method.AnswerMethod`.

    Attributes:
        treats: The kinds of answer it treats, each with what a model must offer for it. Tasks of
            another kind, and models without the offer, are refused before anything is asked.
        version: Raised whenever an answer changes; enters the evaluation's fingerprint.

    Raises:
        PluginError: ``treats`` names no kind of answer, or no offers for one.
    """

    treats: Mapping[Capability, frozenset[Offer]]
    version: int = 1
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        kinds, offers = get_args(Capability), frozenset(get_args(Offer))
        items = self.treats.items() if isinstance(self.treats, Mapping) else ()
        if not items or not all(
            kind in kinds and isinstance(needed, frozenset) and needed <= offers
            for kind, needed in items
        ):
            raise PluginError(
                f"answer method {self.id!r}: treats must name kinds of answer "
                f"({', '.join(kinds)}), each with a frozenset of what it needs "
                f"({', '.join(sorted(offers))})"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSourceDescriptor(Descriptor):
    """Somewhere data come from without the user naming a path. Target: ``() -> DataSource``.

    Attributes:
        benchmarks: The ``data.benchmark`` ids it can provide.
        marks: Marks its data put on every record.
        reader_options: Per benchmark, reader options its data need beside the spec's.
        task_options: Per task, named options that nobody chose otherwise.
        beside: Id of a source whose profiles get these benchmarks too.
    """

    benchmarks: frozenset[str]
    marks: tuple[str, ...] = ()
    reader_options: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    task_options: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    beside: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecFolder:
    """A folder of task specs and groups that a plugin adds."""

    path: Path


def is_installed(module: str) -> bool:
    """Whether a module can be found, without importing it (a dotted one imports its parent)."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # the parent is missing, or half imported
        return False
