"""The kind of study ``image_quality``: which of several image sets is nearer to real images."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from harness.contracts import StudyPlan, StudyReport
from harness.descriptors import Json
from harness.errors import UserError
from harness.jsonfiles import near_file, refuse_missing
from harness.resources import home_path
from harness.runs.seal import write_json, write_whole
from harness.specs.schema import schema_problems
from harness.specs.yaml_loader import Document
from harness.tables.formats import markdown
from harness.tables.table import Cell, Column, Row, Section, Table
from harness_studies.pages import check_page, marker

from harness_counterfactuals.quality.images import ImageFolder, TaskImages

SCHEMA = ("harness_counterfactuals.quality", "study.schema.json")
_COLUMNS = (
    ("fid", "FID", "lower", 1, 2),
    ("kid", "KID x 1,000", "lower", 1000, 2),
    ("consistency", "consistency", "higher", 1, 3),
    ("diversity", "diversity", "none", 1, 3),
)


@dataclass(frozen=True, slots=True)
class Images:
    """Images and their name in the table.

    Attributes:
        path: Their folder; ``None`` where a task has them.
        task: Whose evaluated split they are; empty for a folder.
    """

    label: str
    path: Path | None
    task: str = ""

    @classmethod
    def of(cls, raw: Mapping[str, str]) -> Images:
        """Return what a study's file names."""
        path = raw.get("path")
        return cls(raw["label"], None if path is None else home_path(path), raw.get("task", ""))

    def __str__(self) -> str:
        """Return the folder, or the task."""
        return f"of the task {self.task}" if self.path is None else str(self.path)

    def open(self, profile: str | None) -> ImageFolder:
        """Open them.

        Raises:
            UserError: no such folder, task or data, or no image in it.
        """
        if self.path is None:
            return TaskImages(harness.load_task(self.task, profile=profile))
        refuse_missing(self.path)
        return ImageFolder(self.path)


def load(document: Document) -> QualityStudy:
    """Return the study of a file.

    Raises:
        UserError: at ``file:line:column``: it is not valid.
    """
    if problems := schema_problems(document, SCHEMA):
        raise problems[0]
    raw: Any = document.data
    labels = [each["label"] for each in raw["sets"]]
    for at, label in enumerate(labels):
        if label in labels[:at]:
            where = document.where(("sets", at, "label"))
            raise UserError(f"the label {label!r} is repeated", where=where)
    return QualityStudy(raw, "" if document.path is None else document.path.read_text("utf-8"))


class QualityStudy:
    """A study whose file is valid; folders are looked for when it is planned or run."""

    def __init__(self, raw: Mapping[str, Any], text: str) -> None:
        self.id, self.title, self.profile = raw["study"], raw["title"], raw.get("profile")
        self._note, self._text = raw.get("note", ""), text
        self._sets = [Images.of(each) for each in raw["sets"]]
        self._reference = Images.of(raw["reference"])
        self._encoder, inception = raw.get("encoder"), raw.get("inception")
        self._inception = None if inception is None else home_path(inception)

    def plan(self, results: Path | None) -> StudyPlan:  # noqa: ARG002  as the contract has it
        """Return which folders are compared, and which are not there."""
        rows = [(one.label, str(one)) for one in (*self._sets, self._reference)]
        problems = [str(error).replace("\n", "") for error in self._missing()]
        data: list[Json] = [{"label": label, "path": path} for label, path in rows]
        return StudyPlan(("set", "images"), rows, (self._note,), problems, data)

    def _missing(self) -> list[UserError]:
        missing = []
        for one in (*self._sets, self._reference):
            try:
                one.open(self.profile)
            except UserError as error:
                missing.append(error)
        if self._inception is not None and not self._inception.is_file():
            fix = near_file(self._inception)
            missing.append(UserError("the file does not exist", where=self._inception, fix=fix))
        return missing

    def run(
        self,
        out: Path,
        results: Path | None,  # noqa: ARG002  as the contract has it
        say: Callable[[str], None],
    ) -> StudyReport:
        """Measure every folder, and write the table into ``out``.

        Raises:
            UserError: a folder or a network that is not there or cannot be used.
        """
        from harness_counterfactuals.quality.report import quality_report

        for error in self._missing():
            raise error
        report = quality_report(
            [one.open(self.profile) for one in self._sets],
            reference=self._reference.open(self.profile),
            inception=self._inception,
            encoder=self._encoder,
            say=say,
        )
        table = self._table(report)
        out.mkdir(parents=True, exist_ok=True)
        files = [out / "table.md", out / "table.json"]
        write_whole(files[0], [markdown(table).encode()])
        write_json(files[1], report)
        return StudyReport((table,), files, (), lambda path: self._page(table, report, path))

    def _table(self, report: Mapping[str, Any]) -> Table:
        columns = tuple(
            Column(key, self._reference.label, key, name, direction, scale, digits=digits)  # type: ignore[arg-type]
            for key, name, direction, scale, digits in _COLUMNS
        )
        rows = [
            Row(
                one.label, "", tuple(_cell(numbers, key, scale) for key, _, _, scale, _ in _COLUMNS)
            )
            for one, numbers in zip(self._sets, report["sets"], strict=True)
        ]
        notes = [self._note] if self._note else []
        for one, numbers in zip(self._sets, report["sets"], strict=True):
            notes += [f"{one.label}: {numbers[key]}" for key in ("fid_refused", "kid_refused")
                      if numbers.get(key)]  # fmt: skip
        counts = [f"{one.label} {numbers['images']:,}"
                  for one, numbers in zip(self._sets, report["sets"], strict=True)]  # fmt: skip
        caption = (
            f"Against {self._reference.label} ({report['reference']['images']:,} images); images: "
            f"{', '.join(counts)}. Features: {report['settings']['features']['network']}. FID is "
            "biased upwards in small sets: compare sets of equal size."
        )
        return Table(columns, (Section("", tuple(rows)),), tuple(notes), self.title, caption)

    def _page(self, table: Table, report: Mapping[str, Any], path: Path) -> Sequence[Path]:
        check_page(self, path)
        above = f"# {self.title}\n\n"
        if path.exists():
            above = path.read_text("utf-8").partition(marker(self))[0]
        parts = [marker(self), markdown(table).strip(), "## Made by",
                 f"```console\nharness study {self.id} --page {path.name}\n```",
                 f"```yaml\n{self._text.strip()}\n```"]  # fmt: skip
        numbers = json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False)
        write_whole(path.with_suffix(".json"), [numbers.encode() + b"\n"])
        write_whole(path, [(above + "\n\n".join(parts) + "\n").encode()])
        return [path, path.with_suffix(".json")]


def _cell(numbers: Mapping[str, Any], key: str, scale: float) -> Cell | None:
    """Return a number with its interval, if it has one; ``None`` where it is not defined."""
    value, low, high = numbers.get(key), numbers.get(f"{key}_low"), numbers.get(f"{key}_high")
    if isinstance(value, dict):  # a mean over sets, or diversity by concept
        low, high, value = value.get("low"), value.get("high"), value.get("value", value.get(""))
    if value is None:
        return None
    return Cell(
        value=scale * value,
        low=None if low is None else scale * low,
        high=None if high is None else scale * high,
        level=None if low is None else 0.95,
        n=numbers["images"],
        clusters=numbers["images"],
        unparsed=0,
        refusals=0,
        errors=numbers["unreadable"],
        marks=(),
        shown=(),
        evaluation="",
    )
