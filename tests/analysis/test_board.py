"""Analyses as tables of the leaderboard: what stands where, and in which format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.board import analysis_table
from harness.analysis.results import Analysis, table_of, write_analysis
from harness.cli.main import entry
from harness.errors import UserError

MODEL = {"id": "llava", "fingerprint": "0123456789abcdef"}
PROBED = {"layer": "-1", "block": 3, "pooling": "mean", "samples": 240, "clusters": 100}
F1 = {"metric": "F1", "direction": "higher", "scale": 100.0}
L2 = {"metric": "Avg L2", "direction": "lower", "scale": 1.0}


def probed(encoder: str, task: str, value: float, **more: Any) -> dict[str, Any]:
    about = F1 if task == "hagridv2" else L2
    ends = {"low": value - 0.1, "high": value + 0.1}
    return {"encoder": encoder, "task": task, **PROBED, **about, "value": value, **ends, **more}


def lost(second: str, task: str, value: float) -> dict[str, Any]:
    about = F1 if task == "hagridv2" else L2
    ends = {"low": value - 0.05, "high": value + 0.05}
    named = {"first": "before", "second": second, "task": task, "layer": "-1", "pooling": "mean"}
    return {**named, **about, "degradation": value, **ends}


def probe(*, second: str = "after") -> dict[str, Sequence[Mapping[str, Any]]]:
    return {
        "probe": [
            probed("before", "hagridv2", 0.8), probed(second, "hagridv2", 0.6),
            probed("before", "gazefollow", 0.25), probed(second, "gazefollow", 0.5),
        ],
        "degradation": [lost(second, "hagridv2", 0.2), lost(second, "gazefollow", 0.25)],
    }  # fmt: skip


def gradients() -> dict[str, Sequence[Mapping[str, Any]]]:
    ends = {"low": -0.1, "high": 0.2, "minibatches": 8}
    return {
        "pairs": [{"first": "a", "second": "b", "mean": -0.25, **ends}],
        "tasks": [{"task": "a", "own": 0.5, **ends}, {"task": "b", "own": None, **ends}],
    }


def transfer(*mixtures: str) -> dict[str, Sequence[Mapping[str, Any]]]:
    return {
        "transfer": [
            {"model": "m", "task": "a", "tasks": tasks, "relative": 0.125, "low": None,
             "high": None, "seeds": 3}
            for tasks in mixtures
        ]
    }  # fmt: skip


def mir(value: float) -> dict[str, Sequence[Mapping[str, Any]]]:
    return {"mir": [{"task": "a", "mir": value, "pairs": 100, "layers": 4}]}


def analysis(
    place: Path, kind: str, tables: Mapping[str, Sequence[Mapping[str, Any]]], **about: Any
) -> Analysis:
    made = [table_of(name, rows) for name, rows in tables.items()]
    return write_analysis(place, kind, {"marks": ["demo"], **about}, made, notes=["A note."])


def shown(*analysiss: Analysis, tasks: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Return rows as heading to value."""
    table = analysis_table(analysiss, tasks=tasks)
    heads = [f"{column.over} {column.heading}" for column in table.columns]
    return {
        row.model: {
            head: None if cell is None else cell.value
            for head, cell in zip(heads, row.cells, strict=True)
        }
        for row in table.rows
    }


def test_what_an_encoder_lost_stands_beside_what_it_has(tmp_path: Path) -> None:
    result = analysis(tmp_path, "probe", probe())
    assert shown(result) == {
        "before": {
            "hagridv2 F1 ↑": pytest.approx(80), "hagridv2 lost ↓": None,
            "gazefollow Avg L2 ↓": 0.25, "gazefollow lost ↓": None,
        },
        "after": {
            "hagridv2 F1 ↑": pytest.approx(60), "hagridv2 lost ↓": pytest.approx(20),
            "gazefollow Avg L2 ↓": 0.5, "gazefollow lost ↓": 0.25,
        },
    }  # fmt: skip
    table = analysis_table([result])
    cell = table.rows[1].cells[1]
    assert cell is not None
    assert [cell.low, cell.high] == pytest.approx([15, 25])
    assert (cell.n, table.rows[0].cells[0].n) == (0, 240)  # type: ignore[union-attr]
    assert table.notes[0].startswith("Every number is marked demo")
    assert table.notes[-1] == "A note."


def test_one_encoder_alone_has_lost_nothing(tmp_path: Path) -> None:
    rows = {"probe": [probed("only", "hagridv2", 0.5)]}
    assert shown(analysis(tmp_path, "probe", rows)) == {"only": {"hagridv2 F1 ↑": 50}}


def test_layers_and_poolings_have_rows_of_their_own(tmp_path: Path) -> None:
    rows = [probed("e", "hagridv2", 0.1 * position, layer=str(position)) for position in (1, 2)]
    assert list(shown(analysis(tmp_path, "probe", {"probe": rows}))) == [
        "e, layer 1, mean",
        "e, layer 2, mean",
    ]


def test_tasks_are_chosen_and_ordered(tmp_path: Path) -> None:
    result = analysis(tmp_path, "probe", probe())
    heads = list(shown(result, tasks=["gazefollow", "hagridv2"])["before"])
    assert [head.split()[0] for head in heads] == ["gazefollow"] * 2 + ["hagridv2"] * 2
    with pytest.raises(UserError, match="hagrid") as raised:
        analysis_table([result], tasks=["hagrid"])
    assert "hagridv2" in raised.value.fix


def test_a_matrix_of_cosines_has_tasks_themselves_on_its_diagonal(tmp_path: Path) -> None:
    result = analysis(tmp_path, "gradients", gradients())
    assert shown(result) == {
        "a": {"a cosine": 0.5, "b cosine": -0.25},
        "b": {"a cosine": -0.25, "b cosine": None},
    }


def test_mixtures_are_named_where_there_are_several(tmp_path: Path) -> None:
    first = analysis(tmp_path / "one", "transfer", transfer("a+b"))
    two = analysis(tmp_path / "two", "transfer", transfer("a+b", "a+b+c"))
    assert shown(first) == {"m": {"a change, % ↑": 12.5}}
    assert list(shown(two)) == ["m, joint a+b", "m, joint a+b+c"]


def test_a_study_s_towers_are_rows_and_its_seeds_are_in_the_notes(tmp_path: Path) -> None:
    rows = [probed("before", "hagridv2", 0.8, seed=None), probed("after", "hagridv2", 0.1, seed=0)]
    after = {**lost("after", "hagridv2", 0.3), "encoder": "after", "after": 0.5, "seeds": 3}
    tables = {"probe": rows, "degradation": [after]}
    result = analysis(tmp_path, "degradation", tables)
    assert shown(result) == {
        "before": {"hagridv2 F1 ↑": 80, "hagridv2 lost ↓": None},
        "after": {"hagridv2 F1 ↑": 50, "hagridv2 lost ↓": pytest.approx(30)},
    }


def test_models_are_compared_only_where_they_were_asked_the_same(tmp_path: Path) -> None:
    trained = {"recipe": {"id": "joint"}, "data": {"tasks": ["a"]}, "seed": 1}
    models = ({**MODEL}, {**MODEL, "training": trained}, {**MODEL, "fingerprint": "f" * 16})
    results = [
        analysis(tmp_path, "mir", mir(index), model=model, data="same")
        for index, model in enumerate(models)
    ]
    other = analysis(tmp_path, "mir", mir(7), model=MODEL, data="other")
    table = analysis_table([*results, other])
    assert [[row.model for row in section.rows] for section in table.sections] == [
        ["llava", "llava + joint (a, seed 1)", "llava (ffffffff)"],
        ["llava"],
    ]
    assert table.sections[0].title == ""
    assert table.sections[1].title.startswith("other data or settings")


def test_analyses_of_several_kinds_make_no_table(tmp_path: Path) -> None:
    results = [analysis(tmp_path, "mir", mir(1), model=MODEL), analysis(tmp_path, "probe", probe())]
    with pytest.raises(UserError, match="analyses of mir and probe cannot share one table"):
        analysis_table(results)
    with pytest.raises(UserError, match="unknown analysis kind 'probes'"):
        analysis_table([analysis(tmp_path, "probes", probe())])


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_a_mark_is_of_every_number_only_where_all_have_it(marked: list[bool]) -> None:
    results = [
        Analysis(
            "mir", str(index), {"model": {**MODEL}, "marks": ["limited"] if content else []},
            (table_of("mir", mir(index)["mir"]),),
        )
        for index, content in enumerate(marked)
    ]  # fmt: skip
    messages = [note for note in analysis_table(results).notes if "limited" in note]
    assert len(messages) == any(marked)
    assert all(note.startswith("Every number") == all(marked) for note in messages)


# --- from the command line -----------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(["leaderboard", *arguments])
    return int(str(ended.value.code or 0))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("markdown", "| after |"),
        ("latex", "\\begin{tabular}"),
        ("html", "<td>"),
        ("csv", "hagridv2"),
        ("plain", "lost"),
    ],
)
def test_every_format_writes_an_analysis(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, message: str
) -> None:
    hostile = "after <b>&_%"
    result = analysis(
        tmp_path, "probe", probe(second=hostile if form in {"html", "latex"} else "after")
    )
    assert run(str(result.directory), "--format", form) == 0
    text = capsys.readouterr().out
    assert message in text
    assert "<b>" not in text
    assert "&_%" not in text


def test_a_folder_of_one_kind_is_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(2):
        analysis(tmp_path, "mir", mir(index), model={**MODEL, "id": f"m{index}"}, data="d")
    assert run(str(tmp_path / "analyses" / "mir"), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert "m0" in str(printed)
    assert "m1" in str(printed)
    analysis(tmp_path, "probe", probe())
    assert run(str(tmp_path / "analyses")) == 2
    assert "analyses of mir and probe cannot share one table" in capsys.readouterr().err


def test_what_has_no_meaning_for_an_analysis_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = analysis(tmp_path, "probe", probe()).directory
    assert run(str(directory), "--baseline", "before") == 2
    assert "--baseline does not go with analyses" in capsys.readouterr().err
    assert run(str(directory), str(tmp_path)) == 2
    assert "cannot share one table" in capsys.readouterr().err
    (directory / "sealed.json").unlink()
    assert run(str(directory)) == 2
    assert "no finished analysis" in capsys.readouterr().err
