"""Published numbers against reruns: which record fits a row, what is said, and the page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from harness_people_benchmarks.reproductions import page
from harness_people_benchmarks.reproductions.command import reproductions
from harness_people_benchmarks.reproductions.targets import TARGETS

from harness.config.tasks import installed_catalog
from harness.errors import UserError

TARGET = next(one for one in TARGETS if one.task == "genderbias_vl" and one.column == "B_ovl")
PAGE = Path(__file__).parents[3] / "docs" / "reproductions" / "README.md"


def record(value: float | None = 0.0195, **changed: Any) -> Any:
    ends = SimpleNamespace(low=0.015, high=0.024)
    metric = SimpleNamespace(column="B_ovl", value=value, scale=100, interval=ends)
    fields: dict[str, Any] = {
        "task": "genderbias_vl", "task_options": {"bias": "VL", "swap": "both", "tokens": 2.0},
        "marks": (), "variant": "", "method": None, "training": None, "model": "llava",
        "model_options": {"path": "/models/LLaVA-v1.5-7B"}, "identity": {}, "metrics": (metric,),
        "directory": Path("r/1"),
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **changed})


def test_a_whole_run_of_the_checkpoint_fills_its_row() -> None:
    measured = page.from_records(TARGET, [record()])
    assert measured is not None
    assert page.row(TARGET, measured)[4:] == ("1.95", "+0.10", "[1.50, 2.40]", "agrees")
    assert page.row(TARGET, None)[4:] == ("", "", "", "not run")


@pytest.mark.parametrize(
    "changed",
    [
        {"marks": ("demo",)}, {"marks": ("limited",)}, {"variant": "paraphrase 1"},
        {"method": {"id": "vdd"}}, {"training": {"recipe": "ft"}}, {"task": "pope"},
        {"task_options": {"bias": "L", "swap": "both"}},
        {"model_options": {"path": "/models/llava-v1.5-13b"}},
    ],
)  # fmt: skip
def test_what_is_another_run_does_not_fill_it(changed: dict[str, Any]) -> None:
    assert page.from_records(TARGET, [record(**changed)]) is None


def test_two_runs_for_one_row_are_refused() -> None:
    with pytest.raises(UserError, match="two evaluations fit"):
        page.from_records(TARGET, [record(), record(directory=Path("r/2"))])
    assert page.from_records(TARGET, [record(value=None)]) is None


def test_a_mean_over_an_option_needs_each_of_its_runs() -> None:
    target = replace(TARGET, mean_over=("bias", ("VL", "V")), options={"swap": "both"})
    runs = [
        record(value, task_options={"bias": bias, "swap": "both"})
        for value, bias in ((0.02, "VL"), (0.03, "V"), (0.09, "L"))
    ]
    assert page.from_records(target, runs[:1]) is None
    measured = page.from_records(target, runs)
    assert measured is not None
    assert measured.value == pytest.approx(2.5)
    assert measured.low is None
    with pytest.raises(UserError, match="two evaluations fit"):
        page.from_records(target, [*runs, runs[0]])


@pytest.mark.parametrize(
    ("value", "low", "high", "message"),
    [
        (2.1, 1.0, 3.0, "agrees"),
        (2.5, 1.8, 3.0, "beyond the margin, within the interval"),
        (2.5, 2.2, 3.0, "differs"),
        (2.5, None, None, "differs"),
    ],
)
def test_the_verdict(value: float, low: float | None, high: float | None, message: str) -> None:
    assert page.verdict(TARGET, page.Measured(value, low, high)) == message


def test_a_pipe_in_a_cell_survives_two_fillings() -> None:
    row = ("A | B", "x\\|y", "1.00", "0.3", "1.10", "+0.10", "", "agrees")
    text = page.filled(f"{page.BEGIN}\n{page.END}", [row])
    assert page.with_earlier(text, [(*row[:4], "", "", "", "not run")]) == [row]
    assert page.filled(text, [row]) == text


def test_the_authors_files_must_give_the_number_as_printed() -> None:
    figures = {"LLaVA1.5": {"VLbias B_ovl": 1.8518}}
    measured = page.from_files(TARGET, figures)
    assert page.row(TARGET, measured)[5:] == ("0.00", "", "equal, out of the authors' files")
    off = page.from_files(TARGET, {"LLaVA1.5": {"VLbias B_ovl": 1.9}})
    assert page.verdict(TARGET, off) == "differs, out of the authors' files"
    assert page.from_files(TARGET, {}) is None
    assert page.from_files(replace(TARGET, files=None), figures) is None


def test_every_target_names_a_task_with_its_metric_and_options() -> None:
    catalog = installed_catalog()
    for target in TARGETS:
        option, values = target.mean_over or ("", ())
        spec = catalog.task(target.task, dict(target.options))
        for value in values:
            catalog.task(target.task, {**target.options, option: value})
        assert target.column in {metric.column for metric in spec.metrics}
        assert target.source
        assert f"--tasks {target.task} " in target.command


def test_the_page_holds_the_table_that_the_command_writes(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"\| equal, out of the authors' files \|", text)) == 27
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    (tmp_path / "results").mkdir()
    arguments = ["--results", str(tmp_path / "results"), "--fill", str(tmp_path / "page.md")]
    result = CliRunner().invoke(reproductions, arguments)
    assert result.exit_code == 0, result.output
    assert f"0 of {len(TARGETS)} filled" in result.output
    again = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert again == text
    assert "27 more stay as the page has them" in result.output
    blank = re.sub(r"(?s)(?<=reproductions -->).*(?=<!-- end)", "", text)
    (tmp_path / "page.md").write_text(blank, encoding="utf-8")
    assert CliRunner().invoke(reproductions, arguments).exit_code == 0
    again = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert again.count("| not run |") == len(TARGETS)
    assert again.split(page.END)[1] == text.split(page.END)[1]
    with pytest.raises(UserError, match="has no <!-- reproductions -->"):
        page.filled("nothing here", [])
