"""The kit of exporters: files where they belong, the same each time, records left as they are."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.config.tasks import installed_catalog
from harness.errors import HarnessError, PluginError, UserError
from harness.runs.exports import ExportOptions
from harness.runs.record import EvaluationRecord
from harness.specs.spec import ChooseSpec
from harness.targets import load_target

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.kits.tasks import evaluation
from harness_authoring.subjects import Subject

_HOSTILE = ("../../outside", "/absolute", "a/b", "<b>&'\"", "two\nlines", "模型 é", "x" * 300, "..")


def _records(subject: Subject) -> list[EvaluationRecord]:
    """Return an evaluation by the baseline of chance: of the task named, else of any choice."""
    if subject.task:
        return [evaluation(subject.task, str(subject.data or ""))]
    if "records" not in subject.cache:
        catalog = installed_catalog()
        for name in catalog.entries:
            try:
                spec = catalog.task(name)
                if isinstance(spec.ask, ChooseSpec) and spec.main_metric.id == "accuracy":
                    subject.cache["records"] = [evaluation(name)]
                    break
            except HarnessError:  # broken, or its data are not there
                continue
        else:
            raise NotApplicableError("no task can be evaluated here: name one with --task")
    records: list[EvaluationRecord] = subject.cache["records"]
    return records


def _options(records: Sequence[EvaluationRecord]) -> ExportOptions:
    return ExportOptions("a group", {record.task: "group/dataset" for record in records})


def _export(subject: Subject, records: Sequence[EvaluationRecord], out: Path) -> list[Path]:
    exporter = load_target(subject.descriptor)
    with subject.contract.calling("a call", lambda error: isinstance(error, OSError)):
        paths = exporter(records, out, _options(records))
    if not isinstance(paths, list) or not all(isinstance(path, Path) for path in paths):
        raise subject.contract.returned(paths, "a call", "a list of paths")
    return paths


def _tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def files(subject: Subject) -> None:
    """Write files into the folder, and return just these."""
    # A current folder of its own: in the user's, others may write at the same time.
    records = [
        replace(record, directory=record.directory.absolute()) for record in _records(subject)
    ]
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as current:
        out = Path(name) / "new" / "out"
        with contextlib.chdir(current):
            paths = _export(subject, records, out)
        if stray := next(Path(current).iterdir(), None):
            raise ContractError(f"{stray.name} is written into the current folder")
        if not paths:
            raise ContractError("no file is written")
        written = {out / relative for relative in _tree(out)} if out.is_dir() else set()
        if {path.resolve() for path in paths} != {path.resolve() for path in written}:
            raise ContractError("the paths it returns are not the files that it writes")
        for path in paths:
            _readable(path)


def _readable(path: Path) -> None:
    if path.suffix not in {".json", ".jsonl", ".md", ".csv", ".txt", ".yaml"}:
        return
    try:
        content = path.read_bytes().decode()
        if path.suffix == ".json":
            json.loads(content, parse_constant=_no_constant)
        for line in content.splitlines() if path.suffix == ".jsonl" else ():
            json.loads(line, parse_constant=_no_constant)
    except ValueError as error:
        raise ContractError(f"{path.name} cannot be read: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def determinism(subject: Subject) -> None:
    """Write the same files again, also over those that are there."""
    records = _records(subject)
    with tempfile.TemporaryDirectory() as name:
        out, other = Path(name) / "out", Path(name) / "other"
        _export(subject, records, out)
        before = _tree(out)
        _export(subject, records, out)
        if _tree(out) != before:
            raise ContractError("a second export over the same files changes them")
        _export(subject, records, other)
        if list(_tree(other).values()) != list(before.values()):
            raise ContractError("an export into another folder writes different files")


def every_record(subject: Subject) -> None:
    """Write something of each record."""
    (record, *_) = _records(subject)
    second = replace(record, model=f"{record.model}_b", model_fingerprint="b" * 64)
    with tempfile.TemporaryDirectory() as name:
        one, two = Path(name) / "one", Path(name) / "two"
        _export(subject, [record], one)
        try:
            _export(subject, [record, second], two)
        except PluginError:
            raise
        except UserError:
            return  # it says that it takes one
        if _tree(one) == _tree(two):
            raise ContractError("a second record is left out without a word")


def untouched(subject: Subject) -> None:
    """Change nothing of the records' own folders, and no other file of the folder written to."""
    records = _records(subject)
    before = [_tree(record.directory) for record in records]
    with tempfile.TemporaryDirectory() as name:
        other = Path(name) / "out" / "other file"
        other.parent.mkdir()
        other.write_text("of somebody else")
        _export(subject, records, other.parent)
        if not other.is_file() or other.read_text() != "of somebody else":
            raise ContractError("a file that lay in the folder is changed or removed")
    if [_tree(record.directory) for record in records] != before:
        raise ContractError("the folder of a record is changed")


def names(subject: Subject) -> None:
    """Stay within the folder whatever a model is called."""
    (record, *_) = _records(subject)
    for hostile in _HOSTILE:
        with tempfile.TemporaryDirectory() as name:
            out = Path(name) / "a" / "out"
            try:
                paths = _export(subject, [replace(record, model=hostile)], out)
            except PluginError:
                raise
            except (UserError, OSError):
                continue  # said in a message
            outside = [path for path in Path(name).rglob("*")
                       if path.is_file() and not path.is_relative_to(out)]  # fmt: skip
            if outside or not all(path.resolve().is_relative_to(out.resolve()) for path in paths):
                raise ContractError(f"a model called {hostile!r} writes outside the folder")


CHECKS = (
    Check("files", "writes files into the folder, and returns their paths", files),
    Check("determinism", "the same records, the same files", determinism),
    Check("every_record", "no record is left out", every_record),
    Check("untouched", "records, and other files of the folder, are left as they are", untouched),
    Check("names", "no name leads out of the folder", names),
)
