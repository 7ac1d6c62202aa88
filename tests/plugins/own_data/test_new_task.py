"""`harness new task`: what is looked at, what is written, and that it runs at once."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from harness_own_data.new.task import write_task
from PIL import Image

import harness
from harness.cli.main import invoke, main
from harness.config.tasks import forget_included
from harness.samples.images import open_image


@pytest.fixture(autouse=True)
def _nothing_included() -> Iterator[None]:
    yield
    forget_included()


def drawn(colour: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8), (colour, 0, 0)).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folder = tmp_path / "faces"
    (folder / "images").mkdir(parents=True)
    lines = ["name,file,label,sex,subject"]
    for number in range(12):
        (folder / "images" / f"{number}.png").write_bytes(drawn(number))
        lines.append(f"f{number},{number},{'happy' if number % 3 else 'sad'},F,s{number // 2}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def written(path: Path) -> dict[str, object]:
    content: dict[str, object] = yaml.safe_load(path.read_text())
    return content


def options_of(path: Path) -> dict[str, object]:
    data = written(path)["data"]
    assert isinstance(data, dict)
    options: dict[str, object] = data["options"]
    return options


@pytest.mark.parametrize(("groups", "slices"), [("", ["gender", "race"]), ("none", [])])
def test_questions_are_numbered_and_groups_may_be_declined(
    faces: Path, monkeypatch: pytest.MonkeyPatch, groups: str, slices: list[str]
) -> None:
    table = (faces / "labels.csv").read_text().replace(",sex,", ",gender,race,")
    people = table.replace("happy,F,", "happy,F,A,").replace("sad,F,", "sad,M,B,")
    (faces / "labels.csv").write_text(people)
    requested: list[str] = []

    def prompt(text: str, default: str, **_: object) -> str:
        requested.append(text)
        return groups or default if "Groups" in text else default

    monkeypatch.setattr("click.prompt", prompt)
    flags = dict.fromkeys(("name", "image", "target", "question", "labels", "cluster"))
    write_task(str(faces), None, {**flags, "groups": ()}, force=False, ask=True)
    assert [text.partition(".")[0] for text in requested] == list("1234567")
    assert written(faces / "faces.yaml").get("slices", []) == slices


def test_a_folder_with_a_table_is_a_task_at_once(
    faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["new", "task", str(faces), "--yes"]) == 0
    printed = capsys.readouterr()
    assert "12 rows; columns name, file, label, sex, subject" in printed.err
    assert "choose among happy, sad" in printed.out
    path = faces / "faces.yaml"
    assert options_of(path) == {
        "file": "labels.csv",
        "id": "name",
        "image": "images/{file}.png",
        "target": "label",
        "cluster": "subject",
    }
    assert not harness.validate(path).problems
    assert not harness.data_check(path).broken
    result = harness.run("random", str(path), results=faces / "results")
    assert result.records[0].counts.samples == 12


def test_flags_say_what_the_data_do_not(faces: Path) -> None:
    arguments = [
        "--yes", "--id", "mood", "--question", "Is {{ name }} happy?", "--labels", "sad,happy",
        "--group", "gender=sex:machine",
    ]  # fmt: skip
    assert invoke(main, ["new", "task", str(faces / "labels.csv"), *arguments]) == 0
    spec = written(faces / "mood.yaml")
    assert spec["ask"] == {"choose": {"labels": ["sad", "happy"]}}
    assert spec["slices"] == ["gender"]
    options = options_of(faces / "mood.yaml")
    assert options["fields"] == ["name"]
    assert options["groups"] == {"gender": {"column": "sex", "labelled_by": "machine"}}


def test_a_spec_elsewhere_says_where_the_data_lie(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mood.yaml"
    assert invoke(main, ["new", "task", str(faces), "--yes", "--out", str(out)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"--tasks {out} --data faces={faces}")
    assert invoke(main, [*last.split()[3:], "--results", str(tmp_path / "results")]) == 0


def test_a_folder_of_images(tmp_path: Path) -> None:
    folder = tmp_path / "shapes"
    for label in ("round", "square"):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            (folder / label / f"{number}.png").write_bytes(drawn(number))
    assert invoke(main, ["new", "task", str(folder), "--yes"]) == 0
    assert options_of(folder / "shapes.yaml") == {"file": ".", "target": "label"}
    assert not harness.data_check(folder / "shapes.yaml").broken


def test_a_tsv_with_images_and_options(tmp_path: Path) -> None:
    cells = [base64.b64encode(drawn(n) * 2).decode() for n in range(4)]
    lines = ["index\timage\tquestion\tA\tB\tC\tanswer"]
    lines += [f"{n}\t{cells[n]}\tWhat?\tone\ttwo\t\t{'AB'[n % 2]}" for n in range(4)]
    (tmp_path / "Mini.tsv").write_text("\n".join(lines) + "\n")
    assert invoke(main, ["new", "task", str(tmp_path / "Mini.tsv"), "--yes"]) == 0
    spec = written(tmp_path / "mini.yaml")
    assert spec["ask"] == {"choose": {"labels": ["A", "B", "C"]}}
    first = next(harness.load_task(tmp_path / "mini.yaml").samples())
    assert first.fields["question"] == "What?"


def test_splits_are_told_by_names_of_files_or_a_column(faces: Path) -> None:
    text = (faces / "labels.csv").read_text()
    (faces / "test.csv").write_text(text)
    (faces / "train.csv").write_text(text)
    assert invoke(main, ["new", "task", str(faces / "test.csv"), "--yes", "--id", "two"]) == 0
    assert options_of(faces / "two.yaml")["file"] == {"test": "test.csv", "train": "train.csv"}
    lines = text.splitlines()
    parts = ["split", *(["train"] * 6), *(["test"] * 6)]
    rows = [f"{line},{part}" for line, part in zip(lines, parts, strict=True)]
    (faces / "labels.csv").write_text("\n".join(rows))
    assert invoke(main, ["new", "task", str(faces / "labels.csv"), "--yes", "--id", "one"]) == 0
    assert options_of(faces / "one.yaml")["split_column"] == "split"
    assert harness.run("majority", "one", results=faces / "results").records


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "lable"], "did you mean 'label'"),
        (["--labels", "happy"], "unknown label 'sad'"),
        (["--group", "sex"], "is not NAME=COLUMN:human"),
        (["--question", "{{ nme }}?"], "did you mean 'name'"),
        (["--id", "raf_db"], "a task or group 'raf_db' exists already"),
        (["--id", "My Task"], "is not a name of a task"),
        (["--cluster", "person"], "unknown column 'person'"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(
    faces: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert invoke(main, ["new", "task", str(faces), "--yes", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(faces.glob("*.yaml"))


def test_a_spec_that_is_there_stays(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (faces / "faces.yaml").write_text("mine")
    assert invoke(main, ["new", "task", str(faces), "--yes"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (faces / "faces.yaml").read_text() == "mine"


def test_where_there_is_nothing_to_ask_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["new", "task", str(tmp_path), "--yes"]) == 2
    assert "neither a table nor an image" in capsys.readouterr().err
    assert invoke(main, ["new", "task", str(tmp_path / "none"), "--yes"]) == 2
    assert "the file or folder does not exist" in capsys.readouterr().err


def test_keys_within_rows_are_columns(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    rows = []
    for number in range(6):
        Image.new("RGB", (6, 6), (40 * number, 0, 9)).save(tmp_path / "img" / f"{number}.png")
        notes = {"emotion": ("happy", "sad")[number % 2], "person": {"sex": "FM"[number // 3]}}
        rows.append({"id": number, "image": {"path": f"img/{number}.png"}, "notes": notes})
    (tmp_path / "nested.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    arguments = ["--group", "sex=notes.person.sex:human", "--yes"]
    assert invoke(main, ["new", "task", str(tmp_path), *arguments]) == 0
    (task,) = [harness.load_task(str(tmp_path / "nested.yaml"))]
    first = next(iter(task.samples()))
    assert (first.target, first.images[0].name) == ("happy", "img/0.png")
    assert first.groups["sex"].value == "F"


def faces_in(folder: Path, text: str, name: str = "labels.csv") -> Path:
    """Write eight images into `img/` and a table beside it."""
    for number in range(8):
        path = folder / "img" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn(number))
    (folder / name).write_text(text)
    return folder


def table(path: str, label: str = "sad", subject: str = "s") -> str:
    """Return a CSV of eight rows; `{n}` is the number of the row."""
    lines = [
        f"n{n},{path.format(n=n)},{'happy' if n % 2 else label},{subject if n == 3 else 's'}"
        for n in range(8)
    ]
    return "\n".join(["name,path,label,subject", *lines]) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (table("img/{n}.PNG"), "img/0.png is there: the case and the ending of a name count"),
        (table("../img/{n}.png"), "leads out of the data folder"),
        (table("https://host/{n}.png"), "is a URL; the harness downloads no images"),
        (table("img\\{n}.png"), "write / in paths"),
        (table("img/{n}.png "), "remove the spaces around the cells"),
        (table("img/{n}.png;img/0.png"), "a cell with several images is a list"),
        (table("img/{n}.png", label="sad "), "the label 'sad ' begins or ends with a space"),
        (table("img/{n}.png", label=""), "the column 'label' is empty in 4 of 8 rows"),
        (table("img/{n}.png", label="happy"), "every row has the label 'happy'"),
        ("name,path,label\n", "there is no row in it"),
    ],
)
def test_what_would_be_left_out_in_silence_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    folder = faces_in(tmp_path, text)
    assert invoke(main, ["new", "task", str(folder), "--yes"]) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.glob("*.yaml"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--question", "Is {{ label }} right?"], "the question shows the right answer"),
        (["--question", r"\n"], "the question is empty"),
        (["--question", " "], "--question is given without a value"),
        (["--target", "path"], "'path' is the column of the image too"),
        (["--cluster", "label"], "'label' is the column of the right answers too"),
        (["--image", "path,path"], "an image is named twice"),
        (["--group", "g=subject:human", "--group", "g=name:human"], "the group 'g' is named twice"),
    ],
)
def test_answers_that_cannot_both_be_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    folder = faces_in(tmp_path, table("img/{n}.png"))
    assert invoke(main, ["new", "task", str(folder), "--yes", *flags]) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.glob("*.yaml"))


def test_images_without_labels_and_a_file_that_is_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = faces_in(tmp_path, table("img/{n}.png"))
    assert invoke(main, ["new", "task", str(folder / "img"), "--yes"]) == 2
    assert "its images have no label" in capsys.readouterr().err
    assert invoke(main, ["new", "task", str(folder / "img" / "0.png"), "--yes"]) == 2
    assert "is neither a table nor a folder of images" in capsys.readouterr().err


def test_a_spec_may_be_written_again_where_its_folder_is_included(tmp_path: Path) -> None:
    folder = faces_in(tmp_path, table("img/{n}.png"))
    (tmp_path / "harness.toml").write_text(f'[tasks]\ninclude = ["{folder}"]\n')
    assert invoke(main, ["new", "task", str(folder), "--yes"]) == 0
    assert invoke(main, ["new", "task", str(folder), "--yes", "--force"]) == 0


def test_a_column_of_other_files_makes_a_task_without_images_if_that_is_said(
    tmp_path: Path,
) -> None:
    folder = faces_in(tmp_path, table("{n}.PNG"))
    assert invoke(main, ["new", "task", str(folder), "--yes", "--image", "none"]) == 0
    (spec,) = folder.glob("*.yaml")
    assert "image" not in options_of(spec)


def test_all_columns_of_images_are_asked_about_or_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{n},img/{n}.png,img/{7 - n}.png,{'ab'[n % 2]}" for n in range(8)]
    two = faces_in(tmp_path / "two", "\n".join(["name,left,right,label", *rows]))
    assert invoke(main, ["new", "task", str(two), "--yes", "--id", "two"]) == 0
    assert options_of(two / "two.yaml")["image"] == ["left", "right"]
    usual = faces_in(tmp_path / "usual", "\n".join(["name,image,right,label", *rows]))
    capsys.readouterr()
    assert invoke(main, ["new", "task", str(usual), "--yes", "--id", "usual"]) == 0
    assert options_of(usual / "usual.yaml")["image"] == "image"
    assert "images left out: right (--image image,right)" in capsys.readouterr().out
    lists = [{"shots": [f"img/{n}.png", "img/0.png"], "label": "ab"[n % 2]} for n in range(8)]
    folder = faces_in(tmp_path / "lists", "\n".join(map(json.dumps, lists)), "rows.json")
    assert invoke(main, ["new", "task", str(folder), "--yes", "--id", "lists"]) == 0
    assert options_of(folder / "lists.yaml")["image"] == "shots"


def test_what_a_task_leaves_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = faces_in(tmp_path, table("img/{n}.png", label="Happy", subject=""))
    assert invoke(main, ["new", "task", str(folder), "--yes", "--id", "case"]) == 0
    out = capsys.readouterr().out
    assert "not used as subject: subject, which is empty in some rows" in out
    assert "two labels differ by case alone: Happy, happy" in out


def test_a_table_in_a_folder_of_the_data_and_folders_that_are_splits(tmp_path: Path) -> None:
    nested = tmp_path / "nested"
    faces_in(nested / "release", table("img/{n}.png"))
    assert invoke(main, ["new", "task", str(nested), "--yes", "--id", "nested"]) == 0
    options = options_of(nested / "nested.yaml")
    assert (options["file"], options["image"]) == ("release/labels.csv", "release/{path}")
    for number in range(16):
        part, label = ("Train", "Test")[number // 8], "ab"[number % 2]
        path = tmp_path / "parts" / part / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn(number))
    assert invoke(main, ["new", "task", str(tmp_path / "parts"), "--yes", "--id", "parts"]) == 0
    spec = written(tmp_path / "parts" / "parts.yaml")
    assert options_of(tmp_path / "parts" / "parts.yaml")["file"] == {
        "test": "Test",
        "train": "Train",
    }
    assert spec["ask"] == {"choose": {"labels": ["a", "b"]}}


def test_every_shard_of_a_copy_and_saved_datasets(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    folder = faces_in(tmp_path / "shards", "")
    (folder / "labels.csv").unlink()
    for part, label in enumerate(("sad", "angry")):
        rows = pa.table(
            {"path": [f"img/{part}.png"] * 4, "label": ["happy", "happy", label, label]}
        )
        parquet.write_table(rows, folder / f"test-0000{part}-of-00002.parquet")
    assert invoke(main, ["new", "task", str(folder), "--yes", "--id", "shards"]) == 0
    assert written(folder / "shards.yaml")["ask"] == {
        "choose": {"labels": ["angry", "happy", "sad"]}
    }
    assert len(list(harness.load_task(folder / "shards.yaml").samples())) == 8
    saved = tmp_path / "saved"
    (saved / "train").mkdir(parents=True)
    (saved / "dataset_dict.json").write_text('{"splits": ["train"]}')
    (saved / "train" / "state.json").write_text("{}")
    rows = pa.table({"question": ["a", "b"] * 2, "label": ["x", "y"] * 2})
    target = saved / "train" / "data-00000-of-00001.arrow"
    with target.open("wb") as file, pa.ipc.new_stream(file, rows.schema) as writer:
        writer.write_table(rows)
    assert invoke(main, ["new", "task", str(saved), "--yes", "--id", "saved"]) == 0
    assert written(saved / "saved.yaml")["data"]["split"] == "train"  # type: ignore[index]
    assert len(list(harness.load_task(saved / "saved.yaml").samples())) == 4


def test_the_first_run_that_is_proposed_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = faces_in(tmp_path, "name,path,label\nn0,img/0.png,happy\n")
    assert invoke(main, ["new", "task", str(folder), "--yes", "--id", "single"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("first run:  harness run --model null")
    assert invoke(main, [*last.split()[3:], "--results", str(tmp_path / "results")]) == 0


def test_a_spec_that_fails_leaves_the_earlier_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = faces_in(tmp_path, table("img/{n}.png"))
    (folder / "mine.yaml").write_text("mine")
    flags = ["--yes", "--force", "--id", "mine", "--image", "{name}.png"]
    assert invoke(main, ["new", "task", str(folder), *flags]) == 2
    assert "none of the images of its first rows is there" in capsys.readouterr().err
    assert (folder / "mine.yaml").read_text() == "mine"


def test_a_reader_of_the_output_that_leaves_takes_no_spec_with_it(tmp_path: Path) -> None:
    folder = faces_in(tmp_path, table("img/{n}.png"))
    spec = folder / "mine.yaml"
    spec.write_text("id: earlier\n")
    flags = ["new", "task", str(folder), "--yes", "--force", "--id", "mine"]
    command = "from harness.cli.main import entry; entry()"
    read, write = os.pipe()
    os.close(read)  # as `head` does, but at once
    ended = subprocess.run(
        [sys.executable, "-c", command, *flags], check=False, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert ended.returncode == 0, ended.stderr
    assert written(spec)["id"] == "mine"


def test_lists_of_embedded_images_are_read_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [[{"bytes": drawn(row), "path": None}] * 2 for row in range(8)]
    labels = ["a", "b"] * 4
    parquet.write_table(pa.table({"images": rows, "label": labels}), tmp_path / "doubles.parquet")
    command = ["new", "task", str(tmp_path / "doubles.parquet"), "--yes"]
    assert invoke(main, command) == 0
    assert options_of(tmp_path / "doubles.yaml")["image"] == "images"
    samples = harness.load_task(tmp_path / "doubles.yaml").samples()
    assert [len(sample.images) for sample in samples] == [2] * 8
    bare = [[drawn(row)] for row in range(8)]
    parquet.write_table(pa.table({"images": bare, "label": labels}), tmp_path / "doubles.parquet")
    forget_included()
    capsys.readouterr()
    assert invoke(main, [*command, "--force"]) == 2
    assert "holds lists of images without the field path" in capsys.readouterr().err
    assert options_of(tmp_path / "doubles.yaml")["image"] == "images"
    assert invoke(main, [*command, "--force", "--image", "none"]) == 0


def test_what_may_be_amiss_with_the_data_is_said_and_stands_in_the_spec(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["name,path,label,sex"]
    for number in range(24):
        label, sex = ("sad", "happy")[number % 2], "FM"[number % 2]
        lines.append(f"n{number},img/{number % 8}.png,{label},{sex}")
    lines[5] = "n3,img/4.png,sadd,f"
    lines[7], lines[9] = "n6,img/17.png,sad,F", "n8,,sad,F"
    folder = faces_in(tmp_path, "\n".join(lines))
    command = ["new", "task", str(folder), "--yes", "--id", "amiss", "--group", "sex=sex:human"]
    assert invoke(main, command) == 0
    out, spec = capsys.readouterr().out, (folder / "amiss.yaml").read_text()
    remarks = [
        "not used as id: name, in which 'n3' occurs twice; ids are line numbers",
        "one row has the label 'sadd': did you mean 'sad'?",
        "two values of sex differ by case alone: F, f",
        "not there: 1 of 9 images, such as 'img/17.png'; such rows are not asked",
        "without an image: 1 of 24 rows; they are not asked",
    ]
    for remark in remarks:
        assert remark in out
        assert f"# Seen in the data: {remark}" in spec
    assert "id" not in options_of(folder / "amiss.yaml")


def test_sound_data_get_no_remark(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["new", "task", str(faces), "--yes"]) == 0
    assert "Seen in the data" not in (faces / "faces.yaml").read_text()
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == [
        f"wrote {faces}/faces.yaml", "first prompt (f0)", "check it", "first run",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "remark"),
    [
        (["yes"] * 4 + ["Yes"] * 4, "two labels differ by case alone: Yes, yes"),
        (["1"] * 4 + ["1.0"] * 4, "two labels differ by how a number is written alone: 1, 1.0"),
        (["no smile"] * 4 + ["no_smile"] * 4, "two labels differ by spaces, lines or how letters"),
        (["caf\u00e9"] * 4 + ["cafe\u0301"] * 4, "differ by spaces, lines or how letters"),
        (["neutral"] * 60 + ["nuetral"] * 2 + ["other"] * 60, "2 rows have the label 'nuetral'"),
        (["sad", "happy", "happy; sad"] * 4, "the label 'happy; sad' may be several"),
        (["0", "1", "2"] * 4, "labels are the numbers 0 to 2, and a model is asked for them"),
        (["NaN", "sad"] * 4, "4 rows have the label 'NaN', which may stand for none"),
        (["?", "sad", "happy"] * 4, "4 rows have the label '?', which may stand for none"),
        (["a", "apple"] * 4, ""),
        (["1", "2", "3"] * 4, ""),
        (["3-9"] * 4 + ["39"] * 4, ""),
        (["male"] * 60 + ["female"] * 2, ""),
    ],
)
def test_labels_that_may_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: list[str], remark: str
) -> None:
    rows = [f"{number},{label}" for number, label in enumerate(labels)]
    (tmp_path / "words.csv").write_text("\n".join(["id,label", *rows]), encoding="utf-8")
    assert invoke(main, ["new", "task", str(tmp_path), "--yes", "--id", "words"]) == 0
    assert remark in capsys.readouterr().out
    spec = (tmp_path / "words.yaml").read_text(encoding="utf-8")
    assert bool(remark) == ("Seen in the data" in spec)


def test_labels_that_are_numbers_stand_in_their_order(tmp_path: Path) -> None:
    rows = [f"{number},{number % 10 + 1}" for number in range(40)]
    (tmp_path / "scale.csv").write_text("\n".join(["id,label", *rows]))
    assert invoke(main, ["new", "task", str(tmp_path), "--yes", "--id", "scale"]) == 0
    labels = [str(number + 1) for number in range(10)]
    assert written(tmp_path / "scale.yaml")["ask"] == {"choose": {"labels": labels}}


def test_images_of_the_train_split_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = faces_in(tmp_path, "", "notes.md")
    for split, numbers in (("test", range(5)), ("train", range(3, 8))):
        rows = [f"{split}{n},img/{n}.png,{'ab'[n % 2]},0,0" for n in numbers]
        (folder / f"{split}.csv").write_text("\n".join(["id,path,label,x1,y1", *rows]))
    assert invoke(main, ["new", "task", str(folder / "test.csv"), "--yes", "--id", "both"]) == 0
    out = capsys.readouterr().out
    assert "in the train split too: 2 of 5 images, such as 'img/3.png'" in out
    assert "boxes left out: x1, y1" in out


def test_many_values_of_one_row_each_are_one_remark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"n{n},img/{n}.png,{'ab'[n % 2]},{n} y" for n in range(8)]
    folder = faces_in(tmp_path, "\n".join(["id,path,label,age", *rows]))
    command = ["new", "task", str(folder), "--yes", "--id", "ages", "--group", "age=age:human"]
    assert invoke(main, command) == 0
    out = capsys.readouterr().out
    assert "8 values of age have one row each, such as '0 y'" in out
    assert out.count("'1 y'") == 0


def test_rows_that_a_quote_joins_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"n{n}\timg/{n}.png\tq\t{'ab'[n % 2]}" for n in range(8)]
    rows[3], rows[6] = 'n3\timg/3.png\t"q\tb', 'n6\timg/6.png\tq"\ta'
    text = "\n".join(["id\tpath\tquestion\tlabel", *rows])
    folder = faces_in(tmp_path, text, "labels.tsv")
    assert invoke(main, ["new", "task", str(folder), "--yes", "--id", "quoted"]) == 0
    printed = capsys.readouterr()
    assert "labels.tsv: 5 rows" in printed.err
    assert "1 row of labels.tsv may be several" in printed.out
    assert "the first is line 5" in printed.out


def test_a_table_without_a_header_is_told_by_its_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = faces_in(tmp_path, "\n".join(f"img/{n}.png,{'ab'[n % 2]}" for n in range(8)))
    assert invoke(main, ["new", "task", str(folder), "--yes", "--target", "a"]) == 2
    assert "the first line is a row and no header: it names the image" in capsys.readouterr().err


def test_numbers_are_no_written_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": str(n), "path": f"img/{n}.png", "age": 20 + n} for n in range(8)]
    folder = faces_in(tmp_path, json.dumps(rows), "ages.json")
    command = ["new", "task", str(folder), "--yes", "--target", "age"]
    assert invoke(main, command) == 2
    assert "holds numbers, and a written answer is a text" in capsys.readouterr().err
    labels = ",".join(str(20 + n) for n in range(8))
    assert invoke(main, [*command, "--labels", labels]) == 0


@pytest.mark.parametrize("form", [repr, json.dumps], ids=["python", "json"])
@pytest.mark.parametrize("actual", ["paths", "base64"])
def test_lists_of_images_in_a_cell_are_all_of_a_row_s_images(
    tmp_path: Path, form: Callable[[object], str], actual: str
) -> None:
    contents = [drawn(number) for number in range(4)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.png").write_bytes(content)
    encoded = [base64.b64encode(content).decode() for content in contents]
    images = encoded if actual == "base64" else [f"{number}.png" for number in range(4)]
    lines = ["index\tquestion\tA\tB\tanswer\timage"]
    for row in range(2):
        cell = form(images[row : row + 2 + row]).replace('"', '""')
        lines.append(f'{row}\tWhich {row}?\thappy\tsad\t{"AB"[row]}\t"{cell}"')
    (tmp_path / "V.tsv").write_text("\n".join(lines) + "\n")
    assert invoke(main, ["new", "task", str(tmp_path), "--yes", "--id", f"vlm_{actual}"]) == 0
    [spec] = tmp_path.glob("*.yaml")
    assert options_of(spec)["image"] == "image"
    task = harness.load_task(spec)
    displayed = [
        [open_image(image).pixels.tobytes() for image in sample.images] for sample in task.samples()
    ]
    want = [Image.open(io.BytesIO(content)).tobytes() for content in contents]
    assert displayed == [want[0:2], want[1:4]]
