"""`harness review` as it is typed: its report, and what is refused before a page opens."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from harness.cli.main import invoke, main
from tests.plugins.review.made import at_work, table, wish


def run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = invoke(main, ["review", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return table(tmp_path / "data", sets=6)


def reviewed(folder: Path) -> None:
    """Let two people decide all sets; they differ on one."""
    for who in ("ann", "bob"):
        with at_work(folder, who, reviewers=("ann", "bob"), overlap=1.0) as (session, _):
            state = session.state()
            while state["set"] is not None:
                name = state["set"]["id"]
                no = name in {"s1", "s2"} or (name == "s3" and who == "bob")
                verdict, reasons = ("no", state["reasons"][:1]) if no else ("yes", [])
                state = session.decide(wish(state, verdict, *reasons))


def test_the_report_counts_what_people_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviewed(folder)
    out = tmp_path / "outcomes.csv"
    code, text, _ = run(folder, "--report", "--csv", out, capsys=capsys)
    assert code == 0
    assert "6 sets by the rule 'all': 3 kept, 3 dropped, 0 tied, 0 open" in text
    assert "Krippendorff's alpha 0.686" in text
    rows = {row["set"]: row for row in csv.DictReader(out.read_text().splitlines())}
    assert rows["s3"]["outcome"] == "dropped"
    assert rows["s3"]["reviewers"] == "ann bob"
    code, text, _ = run(folder, "--report", "--rule", "majority", "--json", capsys=capsys)
    made = json.loads(text)
    assert made["outcomes"] == {"kept": 3, "dropped": 2, "tied": 1}
    assert made["reasons"] == {"no person, or several": 5}


def test_decisions_on_images_that_changed_do_not_count(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviewed(folder)
    Image.new("RGB", (24, 16), "white").save(folder / "1-A.png")
    code, text, err = run(folder, "--report", capsys=capsys)
    assert code == 0
    assert "ann: 1 decisions do not count, as the images have changed since: s1" in err
    assert "3 kept, 2 dropped, 0 tied, 1 open" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--reviewer: the reviewer's name is missing"),
        (("--reviewer", "../ann"), "not a name of a reviewer"),
        (("--reviewer", "ann", "--reviewers", "bob"), "ann is not among bob"),
        (("--reviewer", "ann", "--set", "sett"), "did you mean 'set'?"),
        (("--reviewer", "ann", "--show", "raze"), "did you mean 'race'?"),
        (("--reviewer", "ann", "--reason", "a", "--reason", "a"), "9 different reasons"),
        (("--reviewer", "ann", "--rule", "any"), "--rule only applies to --report"),
        (("--reviewer", "ann", "--overlap", "0.5"), "--overlap divides the sets among several"),
        (("--report",), "there are no decisions yet"),
        (("--report", "--reviewer", "ann"), "counts all reviewers"),
        (("--report", "--overlap", "0.5"), "--overlap is for the page"),
        (("--report", "--all"), "--all is for the page"),
    ],
)
def test_what_does_not_fit_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run(folder, *arguments, capsys=capsys)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_a_folder_without_images_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.csv").write_text("id,name\n1,a\n2,b\n", encoding="utf-8")
    code, _, err = run(tmp_path, "--reviewer", "ann", capsys=capsys)
    assert code == 2
    assert "no column names existing images" in err
    for flags in (("--reviewer", "ann"), (), ("--report",)):
        code, _, err = run(tmp_path / "absent", *flags, capsys=capsys)
        assert code == 2
        assert "the file or folder does not exist" in err
