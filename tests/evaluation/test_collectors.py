"""A kind of metric is one file."""

from __future__ import annotations

import ast
from pathlib import Path

from harness.evaluation import collectors

FOLDER = Path(collectors.__file__).parent


def test_every_file_with_a_collector_is_a_kind_and_no_list_names_it() -> None:
    defined = {
        node.name
        for path in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Collector" for base in node.bases)
    }
    assert {kind.__name__ for kind in collectors.KINDS} == {*defined}
    ranks = [kind.rank for kind in collectors.KINDS]
    assert ranks == sorted({*ranks})  # an order that is said, and no two in one place
    assert len(defined) == len({kind.__module__ for kind in collectors.KINDS})
