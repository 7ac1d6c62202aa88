"""The kit of study kinds: files that are refused in a message, plans that compute nothing."""

from __future__ import annotations

import hashlib
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.errors import PluginError, UserError
from harness.guard import not_plain
from harness.specs.yaml_loader import Document, read_yaml
from harness.studies.kind import StudyPlan, StudyReport
from harness.targets import load_target

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.subjects import Subject

FOLDER = "studies"
"""Folder of a package that holds an example; a small one, for it is run."""


def _document(data: Json) -> Document:
    return Document(data, "study.yaml", {}, {})


def _example(subject: Subject) -> Path:
    """Return the file of ``--data``, else the first in the package's own folder."""
    if subject.data is not None:
        return subject.data
    module = subject.descriptor.target.partition(":")[0].partition(".")[0]
    module_spec = find_spec(module)
    for folder in (module_spec.submodule_search_locations or ()) if module_spec else ():
        for path in sorted(Path(folder, FOLDER).glob("*.yaml")):
            return path
    raise NotApplicableError(
        f"there is no study to try: name a file with --data, or put one in {FOLDER}/"
    )


def _loaded(subject: Subject, document: Document) -> Any:
    load = load_target(subject.descriptor)
    with subject.contract.calling("load"):
        return load(document)


def refuses(subject: Subject) -> None:
    """Refuse what is no study of its kind in a message that says where."""
    kind = subject.id
    wrong: list[Json] = [
        None, [], "text", {"kind": kind}, {"kind": kind, "no such key": 1},
        {"kind": kind, "study": 3}, {"kind": kind, "study": {}, "title": []},
    ]  # fmt: skip
    for data in wrong:
        try:
            _loaded(subject, _document(data))
        except UserError as error:
            if isinstance(error, PluginError):
                raise ContractError(f"{str(data)[:60]}: {error.message}") from None
            if not error.where:
                raise ContractError(f"{str(data)[:60]}: the message does not say where") from None
            continue
        raise ContractError(f"{str(data)[:60]} is accepted as a study")


def plans(subject: Subject) -> None:
    """Plan the same twice, in plain data, without a file written."""
    document = read_yaml(_example(subject))
    with tempfile.TemporaryDirectory() as name:
        before: StudyPlan | None = None
        for _ in range(2):
            study = _loaded(subject, document)
            for attribute in ("id", "title", "profile", "plan", "run"):
                if not hasattr(study, attribute):
                    raise ContractError(f"the study has no {attribute!r}")
            with subject.contract.calling("plan"):
                plan = study.plan(Path(name))
            if not isinstance(plan, StudyPlan):
                raise subject.contract.returned(plan, "plan", "a StudyPlan")
            if fault := not_plain(plan.data):
                raise ContractError(f"the plan is not plain data: {fault}")
            if any(len(row) != len(plan.heads) for row in plan.rows):
                raise ContractError("a row of the plan has another number of cells than headings")
            if before is not None and plan != before:
                raise ContractError("a second call gives another plan")
            before = plan
        if written := [path.name for path in Path(name).rglob("*")]:
            raise ContractError(f"planning writes {written[0]}")


def runs(subject: Subject) -> None:
    """Write tables into the folder named, and the same when it is run again."""
    document = read_yaml(_example(subject))
    with tempfile.TemporaryDirectory() as name:
        out, results = Path(name) / "out", Path(name) / "results"
        trees = []
        for _ in range(2):
            study = _loaded(subject, document)
            with subject.contract.calling("run"):
                report = study.run(out, results, lambda _: None)
            if not isinstance(report, StudyReport):
                raise subject.contract.returned(report, "run", "a StudyReport")
            if report.failed:
                raise ContractError(f"a part failed: {report.failed[0]}")
            outside = [path for path in report.files if not path.resolve().is_relative_to(out)]
            if not report.files or outside or not all(path.is_file() for path in report.files):
                raise ContractError("the files it names are not those it wrote into the folder")
            trees.append({path: hashlib.sha256(path.read_bytes()).hexdigest()
                          for path in report.files})  # fmt: skip
        if trees[0] != trees[1]:
            raise ContractError("a second run writes other files")
        page = Path(name) / "page"
        page.mkdir()
        with subject.contract.calling("page"):
            paths = report.page(page / "study.md")
        if not all(Path(path).is_file() for path in paths):
            raise ContractError("the page it names is not written")


CHECKS = (
    Check("refuses", "what is no study is refused, with the place", refuses),
    Check("plans", "the same plan twice, in plain data; nothing is written", plans),
    Check("runs", "tables where they belong, the same when run again", runs),
)
