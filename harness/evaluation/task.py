"""A task with its data found: what a run evaluates, and what a baseline may know of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from harness.config.data import Located, fetched, given_path, locate, remedy, source_of
from harness.config.settings import Settings
from harness.descriptors import Descriptor, Json
from harness.errors import DataError, UserError, quoted, unknown
from harness.plugin_code import codes_of
from harness.plugins import find, plugins
from harness.readers import DescribesFiles, HashesContents, LeavesOut, PassesOver, Reader
from harness.readers.guard import make_reader
from harness.readers.misplaced import elsewhere
from harness.samples import Sample
from harness.samples.perturbed import find_perturbation
from harness.specs import GenerateSpec, TaskSpec, fingerprint
from harness.specs.prompt import render_answer
from harness.specs.resolve import parts
from harness.specs.spec import Each

PLUGIN_CODE = "plugin code"
"""The part of a task's fingerprint that changes when a plugin's code does."""

DRAWN = "demo"
"""The mark of data that no release's counts can hold for."""

LEFT_OUT = "entries of the release that an option leaves out"


@dataclass(frozen=True)
class Task:
    """One task spec with the data it will be asked on."""

    spec: TaskSpec
    settings: Settings

    @property
    def id(self) -> str:
        """The task's id."""
        return self.spec.id

    @property
    def options(self) -> tuple[str, ...]:
        """Labels in the order they are asked; empty when the task is no choice."""
        return self.spec.labels

    @cached_property
    def located(self) -> Located:
        """Where the evaluated split lies, and the train split for few-shot examples."""
        reader, data = find("reader", self.spec.data.reader, plugins().readers()), self.spec.data
        named = {"split": data.split, "train_split": data.train_split}
        for key, split in {**named, **{f"counts.{split}": split for split in data.counts}}.items():
            if split is not None and reader.splits and split not in reader.splits:
                where = f"{self.spec.source or self.id}: data.{key}"
                raise unknown(f"split of reader {reader.id!r}", split, reader.splits, where=where)
        splits: tuple[str, ...] = (self.spec.data.split,)
        if self.spec.prompt.shots and self.spec.data.train_split:
            splits = (*splits, self.spec.data.train_split)
        return locate(self.spec, self.settings, splits)

    @cached_property
    def reader(self) -> Reader:
        """The reader, with the spec's options and those the data source adds."""
        options = {**self.spec.data.options, **self.located.reader_options}
        return make_reader(self.spec.data.reader, options, self.spec.unit, self.spec.labels)

    def samples(self, split: str | None = None) -> Iterator[Sample]:
        """Yield a split's samples, by default of the evaluated split.

        Where the spec asks about each of several values, a sample comes once for each.

        Raises:
            UserError: its annotations are missing.
        """
        self._present(split or self.spec.data.split)
        return self.about_each(self.read(split))

    def about_each(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yield samples as the spec asks about them: once for each of its values, if it has any."""
        each = self.spec.data.each
        return iter(samples) if each is None else _about_each(each, samples)

    def read(self, split: str | None = None) -> Iterator[Sample]:
        """Yield a split's samples as the reader has them, before any is asked about each value."""
        return self.reader.samples(self.located.root, split or self.spec.data.split)

    @property
    def endings(self) -> tuple[str, ...]:
        """What :meth:`samples` appends to the reader's ids: one ending per value asked about."""
        each = self.spec.data.each
        return tuple(f"#{value}" for value in each.values) if each and each.values else ("",)

    def train_samples(self) -> Iterator[Sample]:
        """Yield the train split.

        Raises:
            UserError: when the task has none, or its annotations are missing.
            DataError: a sample that cannot be asked about cannot be learned from either.
        """
        if (split := self.spec.data.train_split) is None:
            raise UserError(f"task {self.id!r} has no train split",
                            fix="name one in its spec: data.train_split")  # fmt: skip
        folder = given_path(self.spec, self.settings)
        if folder is not None:  # of a dataset on the hub only the evaluated split is there so far
            fetched(self.spec, folder, (split,))
        return map(_sound, self.samples(split))

    def render_answer(self, target: Json) -> str:
        """Return a target as the text a model would have to write.

        Raises:
            UserError: no sample of the task could have this target.
        """
        if self.options and target not in self.options:
            raise unknown(f"label of {self.id!r}", str(target), self.options)
        return render_answer(self.spec, target)

    def reader_notes(self) -> list[str]:
        """Return what the reader settled by looking at the files of the evaluated split."""
        if not isinstance(self.reader, DescribesFiles):
            return []
        return self.reader.notes(self.located.root, self.spec.data.split)

    def left_out(self, split: str, samples: int | None = None) -> dict[str, int]:
        """Return what of a split's files became no sample, in words, and how often.

        Args:
            split: Which; its samples were walked through.
            samples: How many they are, to be held against what was published.
        """
        reader, root, counts = self.reader, self.located.root, dict[str, int]()
        if isinstance(reader, PassesOver):
            counts |= reader.passed_over(root, split)
        if isinstance(reader, LeavesOut):
            counts[LEFT_OUT] = len(reader.left_out(root, split))
        published = self.published(split).get("samples")
        if published and samples is not None and published != samples + counts.get(LEFT_OUT, 0):
            counts[f"samples in this split, of which the release has {published:,}"] = samples
        return {what: count for what, count in counts.items() if count}

    def published(self, split: str) -> Mapping[str, int]:
        """Return how many samples, images and clusters a split should have; nothing if drawn."""
        return {} if DRAWN in self.located.marks else self.spec.data.counts.get(split, {})

    def annotation_hashes(self) -> dict[str, str]:
        """Return the hash of each annotation file of the evaluated split, by path in the root."""
        root = self.located.root
        files = self._present(self.spec.data.split)
        reader = self.reader
        if isinstance(reader, HashesContents):
            return {name: reader.content_hash(root, name) for name in files}
        return {name: root.sha256(name) for name in files}

    def parts(self) -> dict[str, str]:
        """Return the hash of each part of the task's fingerprint but its sample ids."""
        reader = find("reader", self.spec.data.reader, plugins().readers())
        metrics: Json = {
            metric.id: find("metric", metric.id, plugins().metrics()).version
            for metric in self.spec.metrics
        }
        versions: dict[str, Json] = {"reader": reader.version, "metrics": metrics}
        if isinstance(self.spec.ask, GenerateSpec):
            extractor = find("extractor", self.spec.ask.extractor, plugins().extractors())
            versions["extractor"] = extractor.version
        code = self.code()
        options = {f"option {name}": value for name, value in self.located.reader_options.items()}
        return {
            **parts(self.spec),
            "data": fingerprint({**self.annotation_hashes(), **options}),
            "code versions": fingerprint(versions),
            **({PLUGIN_CODE: fingerprint(code)} if code else {}),
        }

    def code(self) -> dict[str, Json]:
        """Return the code of the plugins that read, score and bring the data, by plugin."""
        spec, registry = self.spec, plugins()
        used: list[Descriptor] = [find("reader", spec.data.reader, registry.readers())]
        used += [find("metric", metric.id, registry.metrics()) for metric in spec.metrics]
        if isinstance(spec.ask, GenerateSpec):
            used.append(find("extractor", spec.ask.extractor, registry.extractors()))
        if spec.variant is not None and spec.variant.perturbs:
            used.append(find_perturbation(spec.variant.kind))
        if given_path(spec, self.settings) is None:  # else no source is asked, nor need be there
            source = source_of(spec.data.benchmark, self.settings.source)
            used += [] if source is None else [source]
        return codes_of(map(registry.code_of, used))

    def _present(self, split: str) -> list[str]:
        root = self.located.root
        files = list(self.reader.annotations(root, split))
        missing = [name for name in files if not root.is_file(name)]
        if missing:
            names = ", ".join(missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            more += elsewhere(root, missing)
            raise UserError(
                f"annotations of {self.id!r} ({split}) are missing; looked for {names}{more}",
                where=root,
                fix=remedy(self.spec),
            )
        return files


def _sound(sample: Sample) -> Sample:
    if sample.fault is not None:
        raise DataError(sample.fault.message, where=f"sample {quoted(sample.id)}")
    return sample


def _about_each(each: Each, samples: Iterable[Sample]) -> Iterator[Sample]:
    text = f"{each.field}_text"
    for sample in samples:
        for value in each.values:
            fields = {each.field: value, text: each.texts.get(value, value)}
            yield replace(sample, id=f"{sample.id}#{value}", fields={**sample.fields, **fields})
        if not each.values:
            label = sample.fields.get(each.field)
            fields = (
                {text: each.texts[label]} if isinstance(label, str) and label in each.texts else {}
            )
            yield replace(sample, fields={**sample.fields, **fields}) if fields else sample
