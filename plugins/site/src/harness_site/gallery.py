"""Samples with their images on demand, as a notebook shows them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from typing import Any, Literal

from harness.config.settings import Settings
from harness.config.tasks import installed_catalog
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, read_samples
from harness.tables.frames import sample_row

from harness_site.questions import Questions, Sources

_CARD = "display:inline-block;width:200px;margin:4px;padding:4px;vertical-align:top;"
_COLOURS = {True: "#2a7d4f", False: "#b3261e", None: "#888"}
_LONG = 200  # characters of an answer


@dataclass(frozen=True, slots=True)
class Gallery:
    """Samples of evaluations, as cards of HTML."""

    records: tuple[EvaluationRecord, ...] = field(repr=False)
    settings: Settings
    limit: int
    which: Literal["all", "wrong", "right", "errors"]
    with_images: bool

    def _repr_html_(self) -> str:
        return "".join(self._of(record) for record in self.records)

    def _of(self, record: EvaluationRecord) -> str:
        images = _Images({})
        sources = Sources(
            catalog=installed_catalog(),
            settings=self.settings,
            images=self.limit,
            with_images=self.with_images,
            figures=False,
            say=lambda _: None,
        )
        site: Any = images  # of a site it has the one thing that is needed: where files go
        questions = Questions.of(record, sources, site, "i")
        chosen = {sample.id: sample for sample in islice(self._samples(record), self.limit)}
        thumbs: dict[str, tuple[str, ...]] = {}
        if chosen and questions.wanted:
            for name, sample in questions.each():
                if name in chosen:
                    thumbs[name] = questions.asked(sample, with_images=True).images
                if len(thumbs) == len(chosen):
                    break
        note = questions.problem or ("images may show people: gallery(with_images=True)"
                                     if questions.withheld else questions.licence)  # fmt: skip
        cards = "".join(
            _card(record, sample, [images.files[one] for one in thumbs.get(name, ())])
            for name, sample in chosen.items()
        )
        head = f"<h4>{escape(record.title)}: {escape(record.task)}, {len(chosen)} samples</h4>"
        return f"{head}<p><small>{escape(note)}</small></p><div>{cards}</div>"

    def _samples(self, record: EvaluationRecord) -> Iterator[SampleRecord]:
        wanted = {"wrong": False, "right": True}
        for sample in read_samples(record.directory):
            equal = sample_row(record, sample)["equal"]
            errors = sample.error is not None
            if self.which == "all" or (
                errors if self.which == "errors" else equal is wanted[self.which] and not errors
            ):
                yield sample


@dataclass
class _Images:
    """Files that would be a site's, kept in memory."""

    files: dict[str, bytes] = field(default_factory=dict)

    def write(self, name: str, content: bytes) -> None:
        self.files[name] = content


def _card(record: EvaluationRecord, sample: SampleRecord, images: list[bytes]) -> str:
    row = sample_row(record, sample)
    encoded = [base64.b64encode(content).decode() for content in images]
    thumbnails = "".join(
        f'<img style="max-width:100%" src="data:image/jpeg;base64,{text}">' for text in encoded
    )
    lines: Mapping[str, Any] = {
        sample.id: None,
        "target": row["target"],
        "answer": row["answer"] if sample.error is None else row["error_message"],
    }
    text = "<br>".join(
        escape(f"{name}: {str(value)[:_LONG]}" if value is not None else name)
        for name, value in lines.items()
    )
    style = f"{_CARD}border:2px solid {_COLOURS[row['equal']]}"
    return f'<div style="{style}">{thumbnails}<small>{text}</small></div>'
