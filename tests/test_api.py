"""The functions of the package: what they take, and that any mistake is a UserError."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from harness_training.settings import TrainingSettings

import harness
from harness.errors import HarnessError, UserError
from harness.models import Runtime
from harness.tables.build import TableOptions
from tests.evaluation.conftest import faces

__all__ = ["faces"]

Faces = Callable[[int], Path]
FUNCTIONS = {name: getattr(harness, name) for name in harness.__all__ if name != "__version__"}


class Hostile:
    """An object whose own text cannot be had."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


class Choosing:
    """An object that a run can ask."""

    def answer(self, requests: Any) -> list[Any]:
        return ["x"] * len(requests)


def values() -> dict[str, Any]:
    """Return values of all sorts, anew: a generator is used up once."""
    nested: list[Any] = []
    nested.append(nested)
    return {
        "None": None, "zero": 0, "minus one": -1, "large": 10**400, "true": True, "half": 0.5,
        "nan": float("nan"), "infinite": float("inf"), "complex": 1j, "empty": "", "text": "x",
        "NUL": "a\0b", "surrogate": "\ud800", "long": "x" * 5000, "commas": ",,", "bytes": b"x",
        "list": ["a", "b"], "empty list": [], "list of all": [None, 1, b"", "a"], "tuple": (1,),
        "dict": {"a": 1}, "dict of odd": {1: object()}, "empty dict": {}, "set": {"a"},
        "nested": nested, "path": Path("nowhere"), "folder": Path(), "object": object(),
        "hostile": Hostile(), "type": dict, "function": len, "generator": (item for item in "ab"),
        "numpy int": np.int64(3), "numpy float": np.float32(0.5), "numpy text": np.str_("x"),
        "numpy bool": np.bool_(True), "array": np.zeros(3), "array of none": np.zeros(0),
        "settings": TrainingSettings(), "runtime": Runtime(), "ways": TableOptions(),
    }  # fmt: skip


def parameters(function: Callable[..., Any]) -> Iterator[str]:
    """Yield a function's parameters, keys of a typed dictionary among them."""
    for name, content in inspect.signature(function).parameters.items():
        if content.kind is inspect.Parameter.VAR_KEYWORD:
            yield from get_args(get_type_hints(function, include_extras=True)[name])[
                0
            ].__annotations__
        else:
            yield name


def usual(name: str, root: Path) -> Any:
    """Return arguments with which a function works."""
    requested = {"model": "random", "tasks": "raf_db", "data": {"raf_db": root}, "limit": 2}
    training = {**requested, "recipe": "ft", "model": "random"}
    arguments: dict[str, Any] = {
        "run": requested,
        "plan": requested,
        "plan_training": training,
        "train": {**training, "out": "out"},
        "as_model": {"answers": Choosing()},
        "load_task": {"name": "raf_db"},
        "find_model": {"name": "random"},
        "read_evaluation": {"directory": "results"},
        "leaderboard": {},
        "compare": {"first": "results", "second": "results"},
        "export": {"places": "results", "format": "card", "out": "out"},
        "plot": {"kind": "forest", "out": "forest.svg"},
        "submission": {"evaluation": "results", "out": "answers.json"},
        "build_site": {"out": "site"},
        "probe": {"encoders": "hf:nothing", "tasks": "raf_db", "data": {"raf_db": root}},
        "gradients": {"model": "random", "tasks": "raf_db", "data": {"raf_db": root}},
        "mir": {"model": "random", "tasks": "raf_db", "data": {"raf_db": root}},
        "transfer": {},
        "plan_study": {"name": "nothing"},
        "study": {"name": "nothing"},
        "validate": {"paths": "spec.yaml"},
        "check_model": {"name": "random"},
        "installed": {"kind": "models"},
        "evaluations": {},
        "remove_evaluations": {"names": "raf_db/nothing"},
        "schema": {},
        "data_check": {"task": "raf_db", "data": {"raf_db": root}, "images": 0},
    }
    return arguments[name]


@pytest.mark.filterwarnings("ignore:left out")
@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        (name, parameter)
        for name, content in FUNCTIONS.items()
        for parameter in parameters(content)
        # What these two take besides is what their plans take, and is handed on to them.
        if (name not in {"run", "train"} or parameter in inspect.signature(content).parameters)
        # A function of the user's own raises what it raises.
        and parameter not in {"on_skipped", "on_note", "on_progress"}
    ],
)
def test_whatever_is_given_works_or_is_the_users_mistake(
    function: str, parameter: str, faces: Faces
) -> None:
    arguments = usual(function, faces(3))
    for value in values().values():
        try:
            FUNCTIONS[function](**{**arguments, parameter: value})
        except HarnessError:
            continue


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_argument_that_nothing_takes_is_refused_with_the_nearest(function: str) -> None:
    first = next(parameters(FUNCTIONS[function]))
    with pytest.raises(UserError, match=rf"unknown argument of {function}\(\).*\n.*{first}"):
        FUNCTIONS[function](**{f"{first}s": "x"})
    with pytest.raises(UserError, match=r"\(\): "):
        FUNCTIONS[function]("a", "b", "c", "d", "e", "f")


door: Any = harness  # types are what is tested here


def test_a_misspelt_keyword_of_a_run_is_refused() -> None:
    with pytest.raises(UserError, match=r"unknown argument of run.*batchsize'\n.*'batch_size'"):
        door.run("null", "raf_db", batchsize=4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: door.run(3, "raf_db"),
            r"model of run.* a text or .*an object with answer .*not 3",
        ),
        (lambda: door.load_task("raf_db", data={"raf_db": "x"}), "data of load_task.*a path"),
        (lambda: door.run("null", "raf_db", data="raf"), "data of run.*a mapping"),
        (lambda: door.run("null", "raf_db", limit="3"), "limit of run.*a whole number"),
        (lambda: door.run("null", "raf_db", limit=0), "limit of run.*at least 1, not 0"),
        (lambda: door.run("null", "raf_db", limit=1.0), "neither a whole number nor a share"),
        (lambda: door.run("null", "raf_db", dtype="half"), "'half'\n  fix: known: auto"),
        (lambda: door.run("null", "raf_db", max_errors=2), "at least 0 and at most 1, not 2"),
        (lambda: harness.plan_training("x", "ft", "raf_db", lora={"rang": 2}), "'rang'\n.*'rank'"),
        (lambda: TrainingSettings(epochs=0), "epochs of TrainingSettings should be at least 1"),
        (lambda: door.leaderboard(layout="asd_main", tasks="raf_db"), "leave out tasks"),
    ],
)
def test_a_wrong_argument_says_which_and_what_is_due(call: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        call()


def test_tasks_are_a_text_with_commas_or_any_iterable_and_paths_are_texts(faces: Faces) -> None:
    root = faces(4)
    data = {"raf_db": str(root)}
    questions: list[Any] = ["raf_db", " raf_db, ", ["raf_db"], ("raf_db",), iter(["raf_db"])]
    for tasks in questions:
        result = harness.run("null", tasks, data=data, results="there", ids="test_0001,test_0002")
        assert result.records[0].counts.samples == 2
    for tasks in ("raf_db", "social_all", ["social_all"], ("raf_db",), iter(["raf_db"]), None):
        table = harness.leaderboard("there", tasks=tasks)
        assert [column.task for column in table.columns] == ["raf_db"]
    with pytest.raises(UserError, match="unknown task among these evaluations 'r'"):
        harness.leaderboard("there", tasks=["r", "a"])


def test_a_table_is_of_the_results_that_settings_name(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = harness.run("null", "raf_db", data={"raf_db": faces(2)}, results="elsewhere")
    monkeypatch.setenv("HARNESS_RESULTS", "elsewhere")
    assert harness.leaderboard().columns == harness.leaderboard(result.records).columns
    assert harness.leaderboard(result.manifest.stem).columns


def test_what_a_table_leaves_out_is_a_warning(faces: Faces) -> None:
    result = harness.run("null", "raf_db", data={"raf_db": faces(2)})
    harness.run("random", "raf_db", data={"raf_db": Path("raf")})
    (result.records[0].directory / "metrics.json").write_text("{}")
    with pytest.warns(UserWarning, match="left out: .*null"):
        assert len(harness.leaderboard().sections[0].rows) == 1
