"""Where an image lies that is not where a row says, for the message about it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from harness.samples import DataRoot

_FOLDERS = 20  # folders of the data folder that are looked into
BY_PATH = "name images by their path from the data folder"
"""What is to be done where a look tells nothing else."""
_ENDINGS = (".jpg", ".png", ".jpeg", ".webp")


def elsewhere(root: DataRoot, name: str) -> str:
    """Return what to do about an image that is not there, as far as a look at its name tells.

    Args:
        root: The data folder.
        name: What a row calls the image.
    """
    spelled = _otherwise_spelled(root, name)
    if spelled:
        return spelled
    last = name.replace("\\", "/").rpartition("/")[2]
    for folder in root.list()[:_FOLDERS]:
        if root.is_file(f"{folder}/{name}"):
            return f"it lies in {folder}: image: '{folder}/{{COLUMN}}'"
        if root.is_file(f"{folder}/{last}"):
            return f"{folder}/{last} is there: image is a pattern such as '{folder}/{{COLUMN}}'"
    if "." not in last:
        for ending in _ENDINGS:
            if root.is_file(f"{name}{ending}"):
                return f"the name lacks its ending: image: '{{COLUMN}}{ending}'"
    return BY_PATH


def _otherwise_spelled(root: DataRoot, name: str) -> str:
    if name != name.strip() and root.is_file(name.strip()):
        return "remove the spaces around the cells of this column"
    if "\\" in name and root.is_file(name.replace("\\", "/")):
        return "write / in paths, not \\"
    for sign in ";|,":
        first, found, _ = name.partition(sign)
        if found and root.is_file(first.strip()):
            return (
                'a cell with several images is a list, ["a.jpg", "b.jpg"]; or one column for each'
            )
    path = PurePosixPath(name)
    base = re.escape(path.stem)
    folder = "" if str(path.parent) == "." else str(path.parent)
    if root.is_dir(folder):
        for other in root.list(folder):
            if re.fullmatch(rf"(?:.*/)?{base}\.\w+", other, re.IGNORECASE):
                return f"{other} is there: the case and the ending of a name count"
    return ""
