"""``harness validate`` on a spec whose data lie beside it: each problem at the key it is about."""

from pathlib import Path

import pytest
from PIL import Image

from harness.cli.main import invoke, main

Capture = pytest.CaptureFixture[str]

SPEC = """\
id: mine
version: 1
title: Mine
summary: What is it?
citation: not published
licence: not said
intended_use: not said
data:
  benchmark: mine
  reader: table
  split: test
  options:
    file: labels.csv
    id: name
    image: path
    target: label
    groups: {gender: {column: sex, labelled_by: human}}
  obtain: own data
prompt:
  template: What is it?
ask:
  choose:
    labels: [cat, dog]
answer: '{{ target }}'
metrics: [{id: accuracy, column: Accuracy, direction: higher, scale: 100, main: true}]
unit: image
slices: [gender]
"""


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = ["name,path,label,sex"]
    for number, label in enumerate(["cat", "dog", "cat"]):
        Image.new("RGB", (8, 8)).save(f"{number}.png")
        rows.append(f"r{number},{number}.png,{label},f")
    Path("labels.csv").write_text("\n".join(rows) + "\n")


def validated(capsys: Capture, old: str = "", new: str = "") -> tuple[int, str, str]:
    assert old in SPEC
    Path("mine.yaml").write_text(SPEC.replace(old, new, 1))
    code = invoke(main, ["validate", "mine.yaml"])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_data_that_fit_leave_nothing_to_say(capsys: Capture) -> None:
    assert validated(capsys) == (0, "1 spec is valid\n", "")


@pytest.mark.parametrize(
    ("old", "new", "at", "subject"),
    [
        ("target: label", "target: lable", "lable", "there is no column 'lable'"),
        ("column: sex", "column: sx", "sx,", "there is no column 'sx'"),
        ("split: test", "split: tst", "labels.csv", "there is no split 'tst'"),
        ("[cat, dog]", "[cat, bird]", "[cat, bird]", "1 row has a label"),
        ("template: What", "template: '{{ f }}?' #", "'{{ f }}?'", "the field 'f', which no"),
        ("image: path", "image: name", "labels.csv", "none of the images of its first rows"),
        ("id: name", "id: sex", "labels.csv", "the id 'f' occurs twice"),
    ],
)
def test_a_problem_of_the_data_is_at_the_key_it_comes_from(
    capsys: Capture, old: str, new: str, at: str, subject: str
) -> None:
    lines = SPEC.replace(old, new, 1).splitlines()
    line, column = next(
        (number, text.index(at) + 1) for number, text in enumerate(lines, 1) if at in text
    )
    code, out, _ = validated(capsys, old, new)
    assert code == 2
    assert out.startswith(f"mine.yaml:{line}:{column}: on the data")
    assert subject in out
    files = 2 if "twice" in subject else 1  # whose paths say which data these are
    assert out.count(str(Path.cwd())) == files
    assert out.count("\n") == 1


def test_an_option_that_the_reader_refuses_is_named_without_data(capsys: Capture) -> None:
    code, out, _ = validated(capsys, "labelled_by: human", "labelled_by: nobody")
    line = SPEC[: SPEC.index("labelled_by")].count("\n") + 1
    assert code == 2
    assert out.startswith(f"mine.yaml:{line}:")
    assert "on the data" not in out


def test_a_slice_that_no_sample_has_is_said(capsys: Capture) -> None:
    code, _, err = validated(capsys, "slices: [gender]", "slices: [gendr]")
    assert code == 0
    assert "no sample has a value of the slice 'gendr'; did you mean 'gender'?" in err


def test_data_that_are_not_there_are_said(capsys: Capture) -> None:
    code, _, err = validated(capsys, "file: labels.csv", "file: of_the_second_year.csv")
    assert (code, err.count("\n")) == (0, 1)
    assert "its data were not read: there is no of_the_second_year.csv" in err


def test_a_file_that_is_missing_beside_one_of_nearly_its_name_is_refused(capsys: Capture) -> None:
    code, out, err = validated(capsys, "file: labels.csv", "file: labelz.csv")
    assert code == 2
    assert "did you mean 'labels.csv'?" in out + err
