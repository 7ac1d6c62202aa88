"""Files of studies: of a path, and those that travel with the harness."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError, unknown
from harness.resources import data_folder
from harness.specs.yaml_loader import Document, read_yaml

FOLDER = "studies"


def study_names() -> list[str]:
    """Return the ids of the studies that travel with the harness."""
    return sorted(path.stem for path in data_folder(FOLDER).glob("*.yaml"))


def open_study(name: str) -> Document:
    """Return a study's file by its path, or by the id of a shipped one.

    Raises:
        UserError: no such study, or a file that is no YAML.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} and (path.exists() or path.stem not in study_names()):
        return read_yaml(path)
    if path.suffix in {".yaml", ".yml"}:
        raise UserError("there is no such file", where=path, fix=f"the shipped one is {path.stem}")
    if name not in study_names():
        raise unknown("study", name, study_names())
    return read_yaml(data_folder(FOLDER) / f"{name}.yaml")
