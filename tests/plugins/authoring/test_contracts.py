"""The module of contracts: its page is what it prints, and its examples keep what they show."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from harness_authoring.contracts import CONTRACTS
from harness_authoring.contracts_page import Contract, page

from harness import contracts, hookspecs
from harness.contracts import (
    Choose,
    Request,
    Response,
    Runtime,
    Scores,
)
from harness.plugins import plugins

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "contracts.md"


def test_the_page_is_what_the_module_prints() -> None:
    assert PAGE.read_text("utf-8") == page(CONTRACTS), (
        "python -m harness_authoring.contracts > docs/reference/contracts.md"
    )


def test_every_class_of_the_contracts_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert not {name for name in contracts.__all__ if name not in text}
    described = {title.partition("`")[0] for title in text.split("### `")[1:]}
    classes = {name for name in contracts.__all__ if isinstance(getattr(contracts, name), type)}
    assert {name for name in classes - described if not name.endswith("Descriptor")} == {
        "SpecFolder"  # a descriptor by another name
    }


def test_every_hook_that_adds_objects_has_a_contract() -> None:
    from harness import plugins as module

    hooks = {hook for hook, _ in module._KINDS.values()}
    assert {contract.hook for contract in CONTRACTS} == hooks | {"harness_task_specs"}


def test_every_hook_is_explained_below_the_table_and_in_the_contracts() -> None:
    manual = PAGE.parents[1].joinpath("plugins.md").read_text("utf-8")
    page_text = PAGE.read_text("utf-8")
    for hook in (name for name in vars(hookspecs) if name.startswith("harness_")):
        assert f"`{hook}" in page_text, hook
        assert f"`{hook}(" in manual, hook


def made(contract: Contract, *arguments: Any) -> Any:
    """Run an example; return what it ends with, as an instance where that is a class."""
    text = textwrap.dedent(contract.example)
    space: dict[str, Any] = {"__name__": "example"}
    exec(text, space)  # noqa: S102  our own example
    defined = ast.parse(text).body[-1]
    if isinstance(defined, ast.Assign):
        assert isinstance(defined.targets[0], ast.Name)
        return space[defined.targets[0].id]
    assert isinstance(defined, ast.ClassDef | ast.FunctionDef)
    example = space[defined.name]
    return example(*arguments) if isinstance(example, type) else example


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "Tracker": (),
    "Kind of study": (SimpleNamespace(data={"study": "s", "title": "t"}),),
    "Metric of sums": ({}, ("a", "b")),
    "Metric of ranks": ({}, ("a", "b")),
    "Metric of groups": ({}, ("yes", "no")),
    "Extractor": ({}, ("happy", "sad")),
    "Data source": (),
}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.kind)
def test_an_example_has_every_method_of_its_protocol(contract: Contract) -> None:
    example = made(contract, *ARGUMENTS.get(contract.kind, ({},)))
    made_by_target = contract.target.strip("`").rpartition(" ")[2].strip("`")
    if not contract.protocols or contract.protocols[0].__name__ != made_by_target:
        assert callable(example)  # a function of plain data
        return
    protocol = contract.protocols[0]
    names = [*vars(protocol), *getattr(protocol, "__annotations__", ())]
    public = {name for name in names if not name.startswith("_") or name == "__call__"}
    assert {name for name in public if not hasattr(example, name)} == set()
    for name in public:
        wanted, folder = getattr(protocol, name, None), getattr(example, name)
        if inspect.isfunction(wanted):
            taken = [*inspect.signature(wanted).parameters][1:]
            assert len(inspect.signature(folder).parameters) == len(taken), name


def of(kind: str, *arguments: Any) -> Any:
    return made(next(item for item in CONTRACTS if item.kind == kind), *arguments)


def test_examples_do_what_they_show() -> None:
    model = of("Model", {})
    request = Request("1", "1", "task", (), Choose(("happy", "sad")))
    assert model.identity(Runtime()) == {"version": 1}
    assert [*model.answer([request])] == [Response("1", Scores("label", (1.0, 0.0)))]
    assert of("Extractor", {}, ("happy", "sad"))("He is sad.", {}).answer == "sad"
    accuracy = of("Metric of sums", {}, ())
    assert accuracy.finalize(np.array([[1.0, 2.0], [2.0, 2.0]])).tolist() == [0.5, 1.0]
    assert of("Training recipe", {}).check([]) == ()
    assert plugins().models()


def test_every_name_is_documented_where_it_is_defined() -> None:
    for name in contracts.__all__:
        value = getattr(contracts, name)
        assert isinstance(value, tuple) or (value.__doc__ or "").strip(), name
    assert not re.search(r":\w+:`", PAGE.read_text("utf-8"))
