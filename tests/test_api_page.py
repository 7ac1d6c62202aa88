"""The page about Python names every public function with its parameters, and its example runs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import harness

PAGE = (Path(__file__).parent.parent / "docs" / "reference" / "python.md").read_text("utf-8")


@pytest.mark.parametrize("name", [name for name in harness.__all__ if name != "__version__"])
def test_every_function_is_there_with_its_parameters(name: str) -> None:
    match = re.search(rf"`harness\.{name}\(([^)]*)\)`", PAGE)
    assert match is not None
    written = [part.strip() for part in match.group(1).split(",") if part.strip() != "*"]
    assert sorted(written) == sorted(parameters(getattr(harness, name)))


def parameters(function: Any) -> list[str]:
    """Return a function's parameters, keywords of a typed dictionary among them."""
    names = []
    for key, content in inspect.signature(function).parameters.items():
        if content.kind is inspect.Parameter.VAR_KEYWORD:
            (requested,) = get_args(get_type_hints(function, include_extras=True)[key])
            names += requested.__annotations__
        else:
            names.append(key)
    return names


@pytest.mark.torch
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)
    monkeypatch.delenv("HARNESS_PROFILE", raising=False)
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    space: dict[str, object] = {}
    exec(example.group(1), space)  # noqa: S102  our own page
    assert "table" in space
