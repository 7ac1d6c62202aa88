"""Files of studies: of a path, and those that travel with the harness; read by their kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import UserError, unknown
from harness.plugins import contract_of, missing, plugins
from harness.resources import data_folder
from harness.specs.yaml_loader import Document, read_yaml
from harness.studies.kind import LoadedStudy, StudyKind, StudyPlan, StudyReport
from harness.targets import load_target

FOLDER = "studies"
DEFAULT = "matrix"
"""The kind of a file that names none."""


def study_names() -> list[str]:
    """Return the ids of the studies that travel with the harness."""
    return sorted(path.stem for path in data_folder(FOLDER).glob("*.yaml"))


def open_study(name: str) -> Document:
    """Return a study's file by its path, or by the id of a shipped one.

    Raises:
        UserError: no such study, or a file that is not YAML.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} and (path.exists() or path.stem not in study_names()):
        return read_yaml(path)
    if path.suffix in {".yaml", ".yml"}:
        raise UserError(
            "the file does not exist", where=path, fix=f"the shipped one is {path.stem}"
        )
    if name not in study_names():
        raise unknown("study", name, study_names())
    return read_yaml(data_folder(FOLDER) / f"{name}.yaml")


def read_study(document: Document) -> LoadedStudy:
    """Return the study of a document, read by the kind that it names.

    Raises:
        UserError: the kind is not there, or the file is not valid.
        PluginError: the kind breaks its contract.
    """
    kinds = plugins().study_kinds()
    raw: Any = document.data
    name = raw.get("kind", DEFAULT) if isinstance(raw, dict) else DEFAULT
    if not isinstance(name, str) or name not in kinds:
        raise missing("study kind", str(name), kinds, where=document.where(("kind",)))
    descriptor = kinds[name]
    load: StudyKind = load_target(descriptor)
    contract = contract_of(descriptor)
    with contract.calling("load"):
        study = load(document)

    def check(method: str, wanted: type) -> Callable[..., Any]:
        def checked(returned: object, *_: object) -> object:
            if not isinstance(returned, wanted):
                raise contract.returned(returned, method, f"a {wanted.__name__}")
            return returned

        return checked

    for attribute in ("id", "title", "profile", "plan", "run"):
        if not hasattr(study, attribute):
            raise contract.wrong(f"loads a study without {attribute!r}")
    checks = {"plan": check("plan", StudyPlan), "run": check("run", StudyReport)}
    guarded: LoadedStudy = contract.guarded(study, checks)
    return guarded
