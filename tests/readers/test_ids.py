"""An id that is no Unicode text is a fault of the data, and says where they lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness
from harness.errors import DataError


def test_a_lone_surrogate_in_an_id_names_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "hagrid_annotations" / "test"
    task = harness.load_task("hagridv2", data=str(tmp_path))
    folder.mkdir(parents=True)
    entry = {"bboxes": [[0, 0, 1, 1]], "labels": ["call"], "user_id": "u"}
    for path in task.reader.annotations(task.located.root, "test"):
        key = "\ud800" if str(path).endswith("call.json") else str(path)
        (tmp_path / str(path)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / str(path)).write_text(json.dumps({key: entry}))
    with pytest.raises(DataError, match="an id is no Unicode text") as error:
        list(task.samples())
    assert str(tmp_path) in str(error.value)
