"""What a spec names beyond itself: readers, metrics and extractors, with their options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from harness.descriptors import (
    ExtractorDescriptor,
    Json,
    MetricDescriptor,
    Option,
    ReaderDescriptor,
    parse_options,
)
from harness.errors import (
    FAULTS,
    HarnessError,
    PluginError,
    UserError,
    error_text,
    near,
    nearest,
    show_traceback,
    traceback_hint,
    unknown,
)
from harness.plugins import contract_of, missing, plugins
from harness.specs.checks import template_texts
from harness.specs.loader import with_options
from harness.specs.spec import GenerateSpec, TaskSpec
from harness.specs.templates import Template, compile_template
from harness.specs.yaml_loader import Document, Key
from harness.targets import load_target

At = tuple[Key, ...]


class Installed(Protocol):
    """What is installed; :class:`harness.plugins.Plugins` is one."""

    def readers(self) -> Mapping[str, ReaderDescriptor]:
        """Readers by id."""
        ...

    def metrics(self) -> Mapping[str, MetricDescriptor]:
        """Metrics by id."""
        ...

    def extractors(self) -> Mapping[str, ExtractorDescriptor]:
        """Extractors by id."""
        ...


def reference_problems(document: Document, installed: Installed) -> list[HarnessError]:
    """Return what a valid spec names that is not installed or not used rightly.

    Every choice of every named option is tried, one at a time.
    """
    problems: dict[str, HarnessError] = {}
    for chosen in _choices(document):
        for problem in _of(document, with_options(document, chosen), installed):
            problems.setdefault(str(problem), problem)
    for problem in _prompts(document):
        problems.setdefault(str(problem), problem)
    return list(problems.values())


def _choices(document: Document) -> Iterator[dict[str, Json]]:
    raw: Any = document.data
    yield {}
    for name, option in raw.get("options", {}).items():
        for choice in option.get("choices", ()):
            if choice != option["default"]:
                yield {name: choice}


def _of(document: Document, spec: TaskSpec, installed: Installed) -> Iterator[HarnessError]:
    yield from _reader(document, spec, installed.readers())
    for index, name in enumerate(spec.changed_by):
        perturbations = plugins().perturbations()  # of another plugin, it need not be installed
        if name not in perturbations and near(name, perturbations):
            where = document.where(("changed_by", index))
            yield unknown("perturbation", name, perturbations, where=where)
    for index, metric in enumerate(spec.metrics):
        path: At = ("metrics", index)
        descriptor = installed.metrics().get(metric.id)
        if descriptor is None:
            yield _unknown(document, (*path, "id"), "metric", metric.id, installed.metrics())
            continue
        if metric.direction != descriptor.direction:
            yield UserError(
                f"metric {metric.id!r} is {_better(descriptor.direction)}, not "
                f"{_better(metric.direction)}",
                where=document.where((*path, "direction")),
            )
        problems = list(_options(document, (*path, "options"), descriptor.options, metric.options))
        yield from problems
        if not problems:
            yield from _made(document, (*path, "options"), descriptor, metric.options, spec.labels)
    if isinstance(spec.ask, GenerateSpec):
        path = ("ask", "generate")
        extractor = installed.extractors().get(spec.ask.extractor)
        if extractor is None:
            at = (*path, "extractor")
            yield _unknown(document, at, "extractor", spec.ask.extractor, installed.extractors())
            return
        extractor_options = spec.ask.extractor_options
        at = (*path, "extractor_options")
        problems = list(_options(document, at, extractor.options, extractor_options))
        yield from problems
        if not problems:
            yield from _made(document, at, extractor, extractor_options, spec.labels)


def _better(direction: str) -> str:
    ends = {"zero": "better nearer zero", "none": "better at neither end"}
    return ends.get(direction, f"better {direction}")


def _unknown(
    document: Document, path: At, kind: str, name: str, names: Mapping[str, object]
) -> HarnessError:
    error = missing(kind, name, names, where=document.where(path))
    error.message = error.message.replace("unknown", "there is no", 1)
    return error


def _reader(
    document: Document, spec: TaskSpec, readers: Mapping[str, ReaderDescriptor]
) -> Iterator[HarnessError]:
    reader = readers.get(spec.data.reader)
    if reader is None:
        yield _unknown(document, ("data", "reader"), "reader", spec.data.reader, readers)
        return
    splits: list[tuple[At, str | None]] = [
        (("split",), spec.data.split),
        (("train_split",), spec.data.train_split),
        *((("counts", split), split) for split in spec.data.counts),
    ]
    for path, split in splits:
        if split is not None and reader.splits and split not in reader.splits:
            yield UserError(
                f"reader {reader.id!r} has no split {split!r}",
                where=document.where(("data", *path), "key" if len(path) > 1 else "value"),
                fix=nearest(split, reader.splits),
            )
    yield from _options(document, ("data", "options"), reader.options, spec.data.options)
    if any(option.name == "unit" for option in reader.options):
        yield from _options(document, (), reader.options, {"unit": spec.unit})


def _options(
    document: Document, path: At, declared: tuple[Option, ...], values: Mapping[str, Json]
) -> Iterator[HarnessError]:
    options = {option.name: option for option in declared}
    for name, value in values.items():
        at = document.where((*path, name), "key")
        if name not in options:
            yield UserError(f"unknown option {name!r}", where=at, fix=nearest(name, options))
            continue
        try:
            options[name].parse(value)
        except UserError as error:
            yield UserError(
                f"option {name!r}: {error.message}",
                where=document.where((*path, name)),
                fix=error.fix,
            )


def _made(
    document: Document,
    path: At,
    descriptor: MetricDescriptor | ExtractorDescriptor,
    values: Mapping[str, Json],
    labels: tuple[str, ...],
) -> Iterator[HarnessError]:
    """Make the object once: only it knows whether its options and these labels go together."""
    try:
        options = parse_options(descriptor.options, values, owner=repr(descriptor.id))
        load_target(descriptor)(options, labels)
    except UserError as error:
        yield UserError(error.message, where=document.where(path), fix=error.fix)
    except FAULTS as error:  # whatever a stranger's factory raises
        show_traceback(error)
        origin = contract_of(descriptor).origin
        yield PluginError(
            f"{descriptor.id!r} cannot be created: {error_text(error)}{origin and f' ({origin})'}",
            where=document.where(path),
            fix=traceback_hint(),
        )


# A list is long, so that a template may name its fifth element.
_STUBS: tuple[Json, ...] = ("text", 1, ["text"] * 20, [[0.5, 0.5]], {"name": "text"})


def _prompts(document: Document) -> Iterator[HarnessError]:
    """Render prompts on stub fields: one of the plain kinds of value must do."""
    raw: Any = document.data
    fields: dict[str, Json] = {
        "option": {name: held["default"] for name, held in raw.get("options", {}).items()},
        "options": ["one", "two"],
    }
    for path, text in template_texts(raw):
        problem = _rendered(compile_template(text, document.where(path)), fields)
        if problem is not None:
            yield problem


def _rendered(template: Template, fields: Mapping[str, Json]) -> UserError | None:
    problem: UserError | None = None
    for stub in _STUBS:
        try:
            rendered = template.render(**{**dict.fromkeys(template.fields, stub), **fields})
        except UserError as error:
            problem = problem or error
            continue
        if rendered.strip():
            return None
        problem = UserError("the template renders to nothing", where=template.where)
    return problem
