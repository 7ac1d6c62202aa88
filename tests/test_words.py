"""Public text, docstrings and comments use the field's words; names say what they hold."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import harness
from harness.plugins import plugins
from harness.targets import load_target

ROOT = Path(__file__).parents[1]
_UNITS = (
    "sample|task|model|row|class|image|split|cell|process|question|file|draw|option|set|panel"
    "|metric|cluster|block|minute|command|slice"
)
RETIRED = re.compile(
    r"\b(pictures?|number types?|keys and values of a|solved samples?|so many|came to|stems"
    r"|the slow way|on a processor|processor (?:time|seconds)|behind|whoever|hears|himself"
    rf"|one (?:sample|file|line|row|folder|dot|function|response|score) an? (?:{_UNITS}))\b",
    re.IGNORECASE,
)
_FRONTED = re.compile(r"^\s*(?:[\w`]+: )?Of (?:the|its|each|both|all|every|this)\b", re.MULTILINE)
ALLOWED = {
    # words of others
    "docs/models/qwen_vl.md": r"`[^`]*(Picture|picture)[^`]*`",  # Qwen-VL's prompt and its option
    "docs/benchmarks/vqav2.md": "look-behind",  # of regular expressions
    "plugins/qwen_vl/": r"(``|')?Picture (1:)?",
    "changes/": '[`"]pictures?[`"]',  # what was renamed
    # what models are asked and what is drawn
    "harness/requests/extractors/label.py": r"\bpicture\b",
    "plugins/authoring/src/harness_authoring/models/asking.py": "of this picture",
    "plugins/benchmarks/": "look-behind",
    "plugins/demo_world/src/harness_demo_world/": "[Pp]icture|behind",
    "plugins/hf_vlm/src/harness_hf_vlm/loading.py": "in the picture",
    "benchmarks/": "in this picture|behind the door",
}
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "changes/*.md", "docs/**/*.md", "plugins/*/README.md")
    for path in ROOT.glob(pattern)
    # Pages of results quote studies and their notes as they were run.
    if "results" not in path.parts
)
FOLDERS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("harness/*", "plugins/*/src/*", "benchmarks")
    for path in ROOT.glob(pattern)
    if path.suffix == ".py" or (path / "__init__.py").is_file() or path.name == "benchmarks"
)
VAGUE = frozenset(
    (
        "asked", "found", "given", "held", "here", "kept", "known", "one", "own", "place", "rest",
        "said", "several", "shown", "thing", "things", "told", "what", "whole",
    )
)  # fmt: skip
"""Names that tell nothing, where they live for more than a few lines."""


def retired(text: str, where: str) -> list[str]:
    for start, pattern in ALLOWED.items():
        if where.startswith(start):
            text = re.sub(pattern, "", text)
    return RETIRED.findall(text)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_uses_no_retired_word(page: str) -> None:
    assert retired((ROOT / page).read_text("utf-8"), page) == []


def test_the_glossary_is_short() -> None:
    lines = (ROOT / "docs" / "reference" / "glossary.md").read_text("utf-8").splitlines()
    terms = [line for line in lines if line.startswith("| ")][1:]
    assert len(terms) <= 61  # the line under the heading is one of them
    names = [line.split("|")[1].strip().lower() for line in terms if "--" not in line]
    assert names == sorted(names)


def files_of(folder: str) -> list[Path]:
    path = ROOT / folder
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def prose(source: str) -> Iterator[str]:
    """Yield the docstrings of a module, those of its constants too, and its comments."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def messages(source: str) -> Iterator[str]:
    """Yield the texts of a module that may be printed: all that are no docstrings."""
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and " " in text and id(node) not in docstrings:
            yield text


@pytest.mark.parametrize("folder", FOLDERS)
def test_messages_use_no_retired_word(folder: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {word} in {text!r}"
        for path in files_of(folder)
        for text in messages(path.read_text("utf-8"))
        for word in retired(text, path.relative_to(ROOT).as_posix())
    }
    assert wrong == set()


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_and_comments_use_no_retired_word(folder: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {word}"
        for path in files_of(folder)
        for text in prose(path.read_text("utf-8"))
        for word in [
            *retired(text, path.relative_to(ROOT).as_posix()),
            *_FRONTED.findall(text),
        ]
    }
    assert wrong == set()


def bindings(node: ast.AST) -> Iterator[str]:
    """Yield every name that is bound, but for comprehensions and lambdas of under three lines."""
    comprehension = isinstance(
        node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda
    )
    if comprehension and node.end_lineno - node.lineno < 3:  # type: ignore[attr-defined]
        return
    match node:
        case ast.arg(arg=name) if name not in {"self", "cls"}:
            yield name
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
    for child in ast.iter_child_nodes(node):
        yield from bindings(child)


@pytest.mark.parametrize("root", ["harness", "plugins", "benchmarks", "tests"])
def test_few_names_tell_nothing(root: str) -> None:
    names = [
        name.strip("_")
        for path in sorted((ROOT / root).rglob("*.py"))
        for name in bindings(ast.parse(path.read_text("utf-8")))
    ]
    assert sum(name in VAGUE for name in names) < 0.01 * len(names)


def test_help_uses_no_retired_word_and_no_fronted_of() -> None:
    wrong = []
    for name in plugins().commands():
        command: Any = load_target(plugins().commands()[name])
        for each in [command, *getattr(command, "commands", {}).values()]:
            helps = [p.help or "" for p in each.params if isinstance(p, click.Option)]
            wrong += [
                f"{name}: {text}"
                for text in [each.help or "", *helps]
                if RETIRED.search(text) or text.startswith("Of ")
            ]
    assert wrong == []


def test_public_names_use_no_retired_word() -> None:
    assert [name for name in harness.__all__ if RETIRED.search(name.replace("_", " "))] == []
