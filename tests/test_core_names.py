"""The core names no model, task, metric, reader or recipe that a plugin of this project adds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.plugins import plugins
from harness.specs.catalog import load_catalog

ROOT = Path(__file__).parents[1]
KINDS = (
    "models", "readers", "metrics", "recipes", "extractors", "answer_methods", "data_sources",
)  # fmt: skip
# Ids that are English words as well: only a text that is the id and nothing else names them.
ENGLISH = {"balanced", "focal", "joint", "point", "single"}
# Ids that also name something of the core: a kind of box or of YAML node, a table, pairs of
# answers, the precision of a training, who said in which group somebody is, whether a text fits.
SHARED = {"contrastive", "drawn", "human", "map", "matching", "pairs", "precision", "table"}


def ids() -> tuple[set[str], set[str]]:
    """Return ids that plugins of this project add, with those of tasks; and the core's metrics."""
    registry = plugins()
    ours: set[str] = set()
    general: set[str] = set()
    for kind in KINDS:
        for name, descriptor in getattr(registry, kind)().items():
            package = registry.distribution_of(descriptor).partition(" ")[0]
            if package.startswith("social-harness-"):
                ours.add(name)
            elif kind == "metrics" and package == "social-harness":
                general.add(name)
    catalog = load_catalog(registry.spec_folders())
    return ours | set(catalog.entries) | set(catalog.group_entries), general


OURS, GENERAL = ids()
NAMED = re.compile(rf"(?<![\w.-])({'|'.join(sorted(OURS - ENGLISH - SHARED))})(?![\w/-])")


def examples(tree: ast.AST) -> set[int]:
    """Return the lines of what help shows as examples, which a reader should be able to copy.

    These are ``epilog`` and ``help`` of a command and its options, and docstrings.
    """
    lines: set[int] = set()
    for node in ast.walk(tree):
        collected: list[ast.AST] = []
        if isinstance(node, ast.keyword) and node.arg in {"epilog", "help", "metavar"}:
            collected = [node.value]
        elif isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            collected = [node.body[0]]
        for part in collected:
            end = getattr(part, "end_lineno", None)
            assert isinstance(part, ast.expr | ast.stmt)
            assert end is not None
            lines |= set(range(part.lineno, end + 1))
    return lines


def words(tree: ast.AST, skipped: set[int]) -> Iterator[tuple[str, bool]]:
    """Yield names and texts of a module, and whether it is a text."""
    for node in ast.walk(tree):
        if getattr(node, "lineno", 0) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, True
        elif isinstance(node, ast.Name):
            yield node.id, False
        elif isinstance(node, ast.Attribute):
            yield node.attr, False
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, False


def named(text: str, *, shows_examples: bool = False) -> set[str]:
    """Return the ids that a module names."""
    tree = ast.parse(text)
    collected: set[str] = set()
    for word, is_text in words(tree, examples(tree) if shows_examples else set()):
        collected |= set(NAMED.findall(word))
        if is_text and word in (ENGLISH | GENERAL) - SHARED:
            collected.add(word)
    return collected


def test_what_names_an_id_is_found() -> None:
    assert named('x = "take raf_db or raf_db_2"\nmin_skew = 1') == {"raf_db", "min_skew"}
    assert named('kind = "joint"\njoint = "joint training"') == {"joint"}
    assert named('f(epilog="harness run --tasks raf_db")', shows_examples=True) == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "harness").rglob("*.py")), ids=lambda path: path.stem
)
def test_the_core_names_nothing_that_a_plugin_adds(path: Path) -> None:
    position = path.relative_to(ROOT).as_posix()
    shows = position.startswith("harness/cli/") or position == "harness/hookspecs.py"
    result = named(path.read_text(encoding="utf-8"), shows_examples=shows)
    if position.startswith("harness/metrics/"):  # general metrics say their own ids
        result -= GENERAL
    assert result == set()
