"""Retired words are in no public text; folders are added here as they are rewritten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import harness
from harness.descriptors import load_target
from harness.plugins import plugins

ROOT = Path(__file__).parents[1]
RETIRED = re.compile(
    r"\b(pictures?|number types?|keys and values of a model|solved samples|so many|came to"
    r"|the slow way)\b",
    re.IGNORECASE,
)
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/index.md",
    "docs/reference/glossary.md",
    "docs/reference/python.md",
)
MODULES = ("harness/api", "harness/contracts.py", "harness/cli")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_uses_no_retired_word(page: str) -> None:
    assert RETIRED.findall((ROOT / page).read_text("utf-8")) == []


def test_the_glossary_is_short() -> None:
    lines = (ROOT / "docs" / "reference" / "glossary.md").read_text("utf-8").splitlines()
    terms = [line for line in lines if line.startswith("| ")][1:]
    assert len(terms) <= 61  # the line under the heading is one of them
    names = [line.split("|")[1].strip().lower() for line in terms if "--" not in line]
    assert names == sorted(names)


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


@pytest.mark.parametrize("place", MODULES)
def test_docstrings_use_no_retired_word(place: str) -> None:
    path = ROOT / place
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    found = {
        f"{file.relative_to(ROOT)}: {word}"
        for file in files
        for text in docstrings(file)
        for word in RETIRED.findall(text)
    }
    assert found == set()


def test_help_uses_no_retired_word_and_no_fronted_of() -> None:
    wrong = []
    for name in plugins().commands():
        command: Any = load_target(plugins().commands()[name])
        for held in [command, *getattr(command, "commands", {}).values()]:
            helps = [p.help or "" for p in held.params if isinstance(p, click.Option)]
            wrong += [
                f"{name}: {text}"
                for text in [held.help or "", *helps]
                if RETIRED.search(text) or text.startswith("Of ")
            ]
    assert wrong == []


def test_public_names_use_no_retired_word() -> None:
    assert [name for name in harness.__all__ if RETIRED.search(name.replace("_", " "))] == []
