"""Readers of strangers: whose code misuses what it is given is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, PluginError
from harness.guard import Contract
from harness.readers.guard import guarded_reader
from harness.samples.roots import data_root


class ForPaths:
    """A reader that takes its root for a path."""

    def annotations(self, root: Any, split: str) -> list[Any]:
        return [root / f"{split}.csv"]

    def samples(self, root: Any, split: str) -> Any:
        yield from root.rglob(f"{split}*")


class Terse:
    """A reader that says what is wrong, and not what would mend it."""

    def annotations(self, root: Any, split: str) -> list[str]:
        del root, split
        return []

    def samples(self, root: Any, split: str) -> Any:
        del root, split
        yield from ()
        raise DataError("the row has 3 columns", where="a.csv:2")


def test_every_error_of_a_file_says_what_would_mend_it(tmp_path: Path) -> None:
    reader = guarded_reader(Terse(), Contract("reader 'terse'", "lab 1.0", "terse:Reader"))
    with pytest.raises(DataError, match="3 columns") as caught:
        list(reader.samples(data_root(tmp_path), "val"))
    assert caught.value.fix == "take the file as the release has it, or download it again"


def test_a_reader_that_takes_its_root_for_a_path_is_named(tmp_path: Path) -> None:
    reader = guarded_reader(ForPaths(), Contract("reader 'old'", "lab-old 1.0", "old:Reader"))
    root = data_root(tmp_path)
    for use in (lambda: reader.annotations(root, "val"), lambda: list(reader.samples(root, "val"))):
        with pytest.raises(PluginError, match="not a path") as caught:
            use()
        assert "reader 'old'" in str(caught.value)
        assert "lab-old 1.0" in str(caught.value)
