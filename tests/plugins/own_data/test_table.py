"""The reader `table`: every format, every mapping, and each way in which a file can be wrong."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from harness_own_data.descriptors import OPTIONS
from harness_own_data.table.reader import TableReader
from PIL import Image

from harness.descriptors import parse_options
from harness.errors import DataError, HarnessError, SampleError, UserError
from harness.readers.guard import make_reader
from harness.samples import Sample
from harness.samples.images import open_image
from harness.samples.roots import data_root

HEADER = "name,path,label,sex,subject,context"
FULL: dict[str, Any] = {
    "file": "labels.csv",
    "id": "name",
    "image": "path",
    "target": "label",
    "fields": ["context"],
    "groups": {"gender": {"column": "sex", "labelled_by": "human"}},
    "cluster": "subject",
}


def picture(colour: int = 0) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 6), (colour, 0, 0)).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for number in range(3):
        (tmp_path / "images" / f"{number}.png").write_bytes(picture(number))
    return tmp_path


def write(folder: Path, *rows: str, name: str = "labels.csv", header: str = HEADER) -> None:
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def rows(count: int = 3) -> list[str]:
    return [f"f{n},images/{n}.png,{'happy' if n % 2 else 'sad'},F,s{n},NA" for n in range(count)]


def read(place: Path, split: str = "test", unit: str = "image", **options: Any) -> list[Sample]:
    reader = make_reader("table", options, unit)
    return list(reader.samples(data_root(place), split))


def notes(place: Path, **options: Any) -> list[str]:
    reader = TableReader(parse_options(OPTIONS, options, owner="table"))
    return reader.notes(data_root(place), "test")


def refused(place: Path, split: str = "test", labels: Any = (), **options: Any) -> str:
    def all_of_it() -> None:
        reader = make_reader("table", options, "image", labels)
        list(reader.samples(data_root(place), split))

    with pytest.raises(HarnessError) as error:
        all_of_it()
    assert isinstance(error.value, UserError)
    return str(error.value)


# --- what is read ---------------------------------------------------------------------------------


def test_a_csv_becomes_samples_with_all_that_is_mapped(folder: Path) -> None:
    write(folder, *rows())
    first, *_ = read(folder, unit="subject", **FULL)
    assert first.id == "f0"
    assert first.images[0].name == "images/0.png"
    assert first.target == "sad"
    assert first.cluster == "s0"
    assert first.fields == {"context": "NA"}
    assert first.groups["gender"].value == "F"
    assert open_image(first.images[0]).pixels.size == (8, 6)


def test_without_an_id_rows_are_numbered_and_the_record_says_so(folder: Path) -> None:
    write(folder, *rows())
    options: dict[str, Any] = {"file": "labels.csv", "image": "path", "target": "label"}
    assert [sample.id for sample in read(folder, **options)] == [
        "labels.csv#2", "labels.csv#3", "labels.csv#4",
    ]  # fmt: skip
    assert any("line numbers" in note for note in notes(folder, **options))


def test_empty_cells_and_na_stay_text(folder: Path) -> None:
    write(folder, "f0,images/0.png,NA,,s0,")
    [sample] = read(folder, **FULL)
    assert sample.target == "NA"
    assert sample.fields == {"context": ""}
    assert "gender" not in sample.groups
    assert sample.notes == {"no value of gender": 1}


@pytest.mark.parametrize("sign", [";", "\t", "|", ","])
def test_delimiters_are_told_by_the_file(folder: Path, sign: str) -> None:
    text = "\n".join([HEADER, *rows()]).replace(",", sign)
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    assert [sample.target for sample in read(folder, **FULL)] == ["sad", "happy", "sad"]
    assert any("delimiter" in note for note in notes(folder, **FULL)) == (sign != ",")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_by_the_bytes(folder: Path, encoding: str) -> None:
    text = "\n".join([HEADER, "f0,images/0.png,café,F,s0,x"])
    (folder / "labels.csv").write_bytes(text.encode(encoding))
    assert read(folder, **FULL)[0].target == "café"
    assert any("encoding" in note for note in notes(folder, **FULL)) == ("utf-8" not in encoding)


def test_a_quoted_cell_may_hold_delimiters_and_line_ends(folder: Path) -> None:
    write(folder, 'f0,images/0.png,sad,F,s0,"one, two\nthree ""four"""', rows()[1])
    first, second = read(folder, **FULL)
    assert first.fields["context"] == 'one, two\nthree "four"'
    assert second.id == "f1"


def test_json_and_json_lines(folder: Path) -> None:
    objects = [
        {"name": "a", "path": "images/0.png", "label": 3},
        {"name": "b", "path": "images/1.png", "label": None},
    ]
    (folder / "rows.json").write_text(json.dumps(objects))
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, objects)))
    for name in ("rows.json", "rows.jsonl"):
        samples = read(folder, file=name, id="name", image="path", target="label")
        assert [sample.target for sample in samples] == [3, None]


def test_a_folder_of_images_has_its_labels_in_folders(tmp_path: Path) -> None:
    for label in ("happy", "sad"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_bytes(picture())
    samples = read(tmp_path, file=".", target="label")
    assert [(sample.id, sample.target) for sample in samples] == [
        ("happy/a.png", "happy"), ("sad/a.png", "sad"),
    ]  # fmt: skip


def test_images_in_base64_are_read_when_they_are_opened(folder: Path) -> None:
    cell = base64.b64encode(picture(9) * 2).decode()
    text = f"index\timage\tquestion\tanswer\n0\t{cell}\tWho?\tA\n1\t0\tWhere?\tB\n"
    (folder / "mini.tsv").write_text(text)
    options: dict[str, Any] = {
        "file": "mini.tsv", "id": "index", "image": "image", "fields": ["question"],
        "target": "answer",
    }  # fmt: skip
    first, second = read(folder, **options)
    assert first.images[0].data is None
    assert first.cluster == second.cluster  # the second names the row that holds its image
    assert open_image(second.images[0]).pixels.size == (8, 6)
    assert any("base64" in note for note in notes(folder, **options))


def test_patterns_lists_and_several_images(folder: Path) -> None:
    write(folder, "0,1", header="one,two")
    [pattern] = read(folder, file="labels.csv", image=["images/{one}.png", "images/{two}.png"])
    assert [image.name for image in pattern.images] == ["images/0.png", "images/1.png"]
    (folder / "rows.jsonl").write_text(json.dumps({"all": ["images/0.png", "images/1.png"]}))
    [listed] = read(folder, file="rows.jsonl", image="all")
    assert listed.images == pattern.images


@pytest.mark.parametrize(
    ("form", "written"),
    [("xyxy", "1,2,5,8"), ("xywh", "1,2,4,6"), ("cxcywh", "3,5,4,6")],
)
def test_boxes_have_a_form_and_a_unit(folder: Path, form: str, written: str) -> None:
    write(folder, f"images/0.png,{written}", header="path,a,b,c,d")
    boxes: Any = {"person": ["a", "b", "c", "d"], "form": form, "unit": "pixels"}
    [sample] = read(folder, file="labels.csv", image="path", boxes=boxes)
    box = sample.boxes[0]
    assert (box.x1, box.y1, box.x2, box.y2, box.unit) == (1, 2, 5, 8, "pixel")


def test_a_file_for_each_split_or_a_column_that_says_it(folder: Path) -> None:
    write(folder, "images/0.png,sad", header="path,label", name="a.csv")
    write(folder, "images/1.png,happy", header="path,label", name="b.csv")
    files: Any = {"train": "a.csv", "test": "b.csv"}
    assert read(folder, file=files, image="path", target="label")[0].target == "happy"
    write(folder, "images/0.png,sad,train", "images/1.png,happy,test", header="path,label,part")
    options: dict[str, Any] = {
        "file": "labels.csv", "image": "path", "target": "label", "split_column": "part",
    }  # fmt: skip
    assert [sample.target for sample in read(folder, "train", **options)] == ["sad"]
    assert "fix: did you mean 'train'" in refused(folder, "tran", **options)


def test_an_archive_is_read_in_place(folder: Path, tmp_path: Path) -> None:
    write(folder, *rows())
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in [folder / "labels.csv", *(folder / "images").iterdir()]:
            archive.write(path, path.relative_to(folder).as_posix())
    samples = read(packed, **FULL)
    assert open_image(samples[2].images[0]).pixels.size == (8, 6)


def test_parquet_with_images_in_it(folder: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({
        "image": [{"bytes": picture(n), "path": None} for n in range(3)],
        "label": ["a", "b", "a"],
    })  # fmt: skip
    pq.write_table(table, folder / "rows.parquet")
    samples = read(folder, file="*.parquet", image="image", target="label")
    assert [sample.target for sample in samples] == ["a", "b", "a"]
    assert open_image(samples[1].images[0]).pixels.getpixel((0, 0)) == (1, 0, 0)


# --- what is refused ------------------------------------------------------------------------------


def test_a_column_that_is_not_there_has_its_nearest(folder: Path) -> None:
    write(folder, *rows())
    message = refused(folder, **{**FULL, "target": "lable"})
    assert "no column 'lable' (data.options.target)" in message
    assert "did you mean 'label'" in message


def test_two_rows_with_one_id_are_named_with_their_lines(folder: Path) -> None:
    write(folder, *rows(), rows()[1])
    message = refused(folder, **FULL)
    assert "labels.csv:5" in message
    assert "'f1' occurs twice; first in" in message
    assert "labels.csv:3" in message


@pytest.mark.parametrize("path", ["../x.png", "/etc/passwd", "C:\\x.png", "..\\x.png", "a/../../b"])
def test_an_image_path_out_of_the_folder(folder: Path, path: str) -> None:
    write(folder, rows()[0], f"f1,{path},sad,F,s1,x")
    message = refused(folder, **FULL)
    assert "labels.csv:3: the image path" in message
    assert "leads out of the data folder" in message


def test_an_address_is_not_fetched(folder: Path) -> None:
    write(folder, "f0,https://example.org/x.jpg,sad,F,s0,x")
    assert "the harness downloads no images" in refused(folder, **FULL)


def test_labels_outside_the_options_are_counted(folder: Path) -> None:
    write(folder, *(f"f{n},images/0.png,{'hapy' if n else 'happy'},F,s{n},x" for n in range(9)))
    message = refused(folder, labels=["happy", "sad"], **FULL)
    assert "8 rows have labels that are none of the task's" in message
    assert "line 3 'hapy', line 4 'hapy'" in message
    assert "line 8" not in message
    assert "did you mean 'happy'" in message


def test_mixed_types_are_named_with_both_lines(folder: Path) -> None:
    objects = [{"path": "images/0.png", "label": 1}, {"path": "images/1.png", "label": "1"}]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, objects)))
    message = refused(folder, file="rows.jsonl", image="path", target="label")
    assert "rows.jsonl:2: the column 'label' holds text ('1'), and a number in" in message
    assert "rows.jsonl:1" in message


def test_a_delimiter_that_does_not_fit(folder: Path) -> None:
    write(folder, *rows())
    message = refused(folder, **{**FULL, "delimiter": ";"})
    assert "the delimiter ';' does not fit" in message
    assert "fix: delimiter: ','" in message


def test_rows_of_another_width(folder: Path) -> None:
    write(folder, *rows(), "f3,images/0.png")
    assert "labels.csv:5: the row has 2 cells, the header 6" in refused(folder, **FULL)


def test_a_quote_that_never_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, *rows(), 'f3,"images/0.png,sad,F,s3,x')
    assert "labels.csv:5: not valid CSV" in refused(folder, **FULL)
    monkeypatch.setattr("harness_own_data.table.delimited.MAX_ROW", 2000)
    write(folder, 'f3,"images/0.png,sad,F,s3,x', *rows() * 100)
    message = refused(folder, **FULL)
    assert "labels.csv:2: a row of over" in message
    assert "is a quote never closed?" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04rest", "an Excel sheet"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is a JPEG image, no table of the format csv"),
        (b"%PDF-1.4\n%\xe2\xe3\n", "is a PDF"),
        (b"PAR1\x15\x04", "is a Parquet file, no table of the format csv"),
        (b"version https://git-lfs.github.com/spec/v1\noid 1\n", "is a pointer of Git LFS"),
        (b"a\x00b,c\n", "holds null characters"),
        (b"a\x00,\x00b\x00\n\x00", "holds null characters"),
        (b"a,b\r1,2\r", "ends with a carriage return alone"),
        (b"sep=;\r\na;b\r\n1;2\r\n", "the first line is one of Excel's, sep=, and no header"),
        (b'a,b\n1,"Yes" or no?\n', "goes on after the quote that ends it"),
        (b"# of May\na,b\n1,2\n", "remove lines above the header"),
        (b"a,a\n1,2\n", "the column 'a' occurs twice"),
        (b"a,b\n\x81\x8d,2\n", "neither UTF-8 nor Windows-1252"),
    ],
)
def test_what_is_no_table(folder: Path, content: bytes, message: str) -> None:
    (folder / "labels.csv").write_bytes(content)
    assert message in refused(folder, file="labels.csv")


def test_missing_images_of_all_first_rows_stop_at_once(folder: Path) -> None:
    write(folder, "0.png,sad", header="path,label")
    message = refused(folder, file="labels.csv", image="path")
    assert "none of the images of its first rows is there, such as '0.png'" in message
    assert "it lies in images" in message
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    (folder / "linked").symlink_to(elsewhere)
    write(folder, "linked/0.png,sad", header="path,label")
    message = refused(folder, file="labels.csv", image="path")
    assert "linked/0.png: a link leads out of the data folder" in message


def test_a_split_that_is_not_there(folder: Path) -> None:
    write(folder, *rows())
    assert "one file for all is the split 'test'" in refused(folder, "train", **FULL)
    message = refused(folder, "tes", **{**FULL, "file": {"test": "labels.csv"}})
    assert "did you mean 'test'" in message


def test_an_extension_type_of_parquet(folder: Path) -> None:
    pa = pytest.importorskip("pyarrow", minversion="18")  # which has pa.uuid
    import pyarrow.parquet as pq

    column = pa.array([b"0123456789abcdef"], pa.uuid())
    pq.write_table(pa.table({"label": column}), folder / "rows.parquet")
    message = refused(folder, file="rows.parquet", target="label")
    assert "extension type" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": {"gender": "sex"}}, "does not say who labelled it"),
        ({"groups": {"g": {"column": "sex", "labeled_by": "human"}}}, "did you mean 'labelled_by'"),
        ({"fields": {"my field": "context"}}, "a prompt cannot use the field"),
        ({"image": "images/{}.png"}, "{} names no column"),
        ({"delimiter": ",,"}, "not one character"),
        ({"delimiter": "\\t"}, "a tab is"),
        ({"file": "../labels.csv"}, "no path within the data folder"),
        ({"file": "/labels.csv"}, "no path within the data folder"),
        ({"file": {"train": "labels.csv", "test": "labels.csv"}}, "are the same file"),
        ({"boxes": {"p": ["a"], "unit": "pixels"}}, "the key 'form' is missing"),
        ({"boxes": {"p": ["a"], "form": "xyxy"}}, "the key 'unit' is missing"),
        ({"file": 3}, "is not a file, list of files or split to file"),
        ({"target": ["a", "b"]}, "not the name of a column"),
    ],
)
def test_options_of_another_shape(folder: Path, options: dict[str, Any], message: str) -> None:
    write(folder, *rows())
    assert message in refused(folder, **{"file": "labels.csv", **options})


def test_a_unit_needs_the_column_that_tells_it(folder: Path) -> None:
    write(folder, *rows())
    with pytest.raises(DataError, match="the unit 'subject' needs a column"):
        read(folder, unit="subject", file="labels.csv")


# --- size -----------------------------------------------------------------------------------------


def test_rows_stream_within_300_bytes_each(folder: Path) -> None:
    import tracemalloc

    count = 10_000
    write(folder, *(f"f{n},images/{n % 3}.png,sad,F,s{n},x" for n in range(count)))
    reader = make_reader("table", FULL, "subject")
    root = data_root(folder)
    tracemalloc.start()
    assert sum(1 for _ in reader.samples(root, "test")) == count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300 * count


def test_a_split_that_a_saved_dataset_lacks_is_refused_with_those_it_has(folder: Path) -> None:
    for split in ("train", "validation"):
        (folder / "saved" / split).mkdir(parents=True)
        (folder / "saved" / split / "state.json").write_text("{}", encoding="utf-8")
    (folder / "saved" / "dataset_dict.json").write_text('{"splits": []}', encoding="utf-8")
    message = refused(folder / "saved", "valid")
    assert "has no split 'valid'" in message
    assert "'validation'" in message


@pytest.mark.parametrize(
    ("names", "split", "fix"),
    [
        (["data/train-00000-of-00001.parquet", "data/validation-00000-of-00001-a1.parquet"],
         "validaton", "did you mean 'validation'?"),
        (["data/train-00000-of-00001.parquet"], "test", "data.split: train"),
        (["default/train/0000.parquet", "default/dev/0000.parquet"], "test",
         "data.split: one of dev, train"),
        (["train.csv", "dev.csv"], "test", "data.options.file: one of dev.csv, train.csv"),
        (["trains/a.txt/x"], "train", "did you mean 'trains'?"),
    ],
)  # fmt: skip
def test_a_split_that_a_copy_from_the_hub_lacks(
    tmp_path: Path, names: list[str], split: str, fix: str
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    message = refused(tmp_path, split)
    assert fix in message
    assert repr(split) in message


@pytest.mark.parametrize(("state", "split"), [('{"_split": "train"}', "test"), ("{}", "dev")])
def test_the_split_of_a_dataset_saved_alone_is_its_own(
    tmp_path: Path, state: str, split: str
) -> None:
    (tmp_path / "state.json").write_text(state, encoding="utf-8")
    (tmp_path / "data-00000-of-00001.arrow").touch()
    assert f"the dataset has no split {split!r}, it has" in refused(tmp_path, split)


def test_spaces_after_delimiters_and_columns_without_a_name(folder: Path) -> None:
    rows = ['a, images/0.png, "happy, very"', "b, images/1.png, sad"]
    write(folder, *rows, header="name, path, label")
    options = {"file": "labels.csv", "image": "path", "target": "label"}
    samples = read(folder, **options)
    assert [sample.target for sample in samples] == ["happy, very", "sad"]
    assert any("the space after each delimiter" in note for note in notes(folder, **options))
    write(folder, "0,images/0.png,", header=",path,")
    assert read(folder, file="labels.csv", image="path")[0].images[0].name == "images/0.png"
    write(folder, "images/0.png,a,b", header="path,label,label")
    with pytest.raises(DataError, match="the column 'label' occurs twice"):
        read(folder, file="labels.csv", image="path")


def test_absolute_paths_within_the_folder_are_paths_from_it(folder: Path) -> None:
    write(folder, f"a,{folder}/images/0.png", f"b,{folder}/../x.png", header="name,path")
    with pytest.raises(DataError, match="leads out of the data folder"):
        read(folder, file="labels.csv", image="path")
    write(folder, f"a,{folder}/images/0.png", header="name,path")
    assert read(folder, file="labels.csv", image="path")[0].images[0].name == "images/0.png"


def test_a_row_without_a_right_answer_is_counted_or_refused(folder: Path) -> None:
    (folder / "rows.jsonl").write_text('{"label": "a"}\n{"label": null}\n{"label": ""}\n')
    samples = read(folder, file="rows.jsonl", target="label", unit="sample")
    assert [sample.notes for sample in samples] == [
        {}, {"no right answer": 1}, {"no right answer": 1},
    ]  # fmt: skip
    write(folder, "images/0.png,", header="path,label")
    message = refused(folder, labels=["a", "b"], file="labels.csv", target="label", image="path")
    assert "fill in, or remove, rows without a label" in message


def test_json_of_another_shape(folder: Path) -> None:
    (folder / "rows.json").write_text('{"label": "a"}\n{"label": "b"}\n')  # lines, as exports do
    assert len(read(folder, file="rows.json", target="label", unit="sample")) == 2
    (folder / "rows.json").write_text('{"data": [{"label": "a"}]}')
    with pytest.raises(DataError, match="first key is 'data', not a list of rows"):
        read(folder, file="rows.json", target="label", unit="sample")


def test_an_image_is_found_in_either_form_of_unicode(folder: Path) -> None:
    (folder / "images" / "mu\u0308ller.png").write_bytes(picture())
    write(folder, "a,images/m\u00fcller.png", header="name,path")
    (sample,) = read(folder, file="labels.csv", image="path")
    assert open_image(sample.images[0]).pixels.size == (8, 6)


def test_images_that_are_spelled_otherwise(folder: Path) -> None:
    for cell, fix in (
        ("images/0.PNG", "images/0.png is there"),
        ("images\\0.png", "write / in paths"),
    ):
        write(folder, f"a,{cell}", header="name,path")
        with pytest.raises(DataError) as error:
            read(folder, file="labels.csv", image="path")
        assert fix in str(error.value.fix)


class TestParquet:
    """What columns of Parquet can be, beside texts and images."""

    def write(self, folder: Path, **columns: Any) -> None:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        table = columns.pop("table", None)
        parquet.write_table(table or pa.table(columns), folder / "rows.parquet")

    def read(self, folder: Path, **options: Any) -> list[Sample]:
        return read(folder, file="rows.parquet", unit="sample", **options)

    def test_fields_within_columns(self, folder: Path) -> None:
        meta = [{"label": "a", "who": {"sex": "F"}}, None, {"label": "b", "who": None}]
        self.write(folder, meta=meta, **{"a.b": [1, 2, 3]})
        groups = {"gender": {"column": "meta.who.sex", "labelled_by": "human"}}
        samples = self.read(folder, target="meta.label", groups=groups, fields={"x": "a.b"})
        assert [sample.target for sample in samples] == ["a", None, "b"]
        assert [sample.fields["x"] for sample in samples] == [1, 2, 3]
        assert [len(sample.groups) for sample in samples] == [1, 0, 0]
        options = {"format": "parquet", "image_as": "auto", "unit": "sample"}
        reader = TableReader({"file": "rows.parquet", "target": "meta.label", **options})
        before = reader.content_hash(data_root(folder), "rows.parquet")
        self.write(folder, meta=[{**meta[0], "label": "c"}, *meta[1:]])  # type: ignore[dict-item]
        assert reader.content_hash(data_root(folder), "rows.parquet") != before

    def test_an_extension_that_nobody_registered_is_not_its_storage(self, folder: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        marked = pa.field("label", pa.string(), metadata={"ARROW:extension:name": "my.label"})
        self.write(folder, table=pa.table([["a"]], schema=pa.schema([marked])))
        with pytest.raises(DataError, match=r"is of the extension type my\.label"):
            self.read(folder, target="label")

    def test_nan_is_an_empty_cell_and_a_decimal_is_refused(self, folder: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        self.write(folder, label=[1.0, float("nan")], exact=pa.array([1, 2], pa.decimal128(22, 1)))
        assert [sample.target for sample in self.read(folder, target="label")] == [1.0, None]
        with pytest.raises(DataError, match="not plain data"):
            self.read(folder, target="exact")

    def test_a_column_that_comes_twice(self, folder: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        self.write(folder, table=pa.table([["a"], ["b"], ["c"]], names=["id", "label", "label"]))
        assert self.read(folder, id="id")[0].id == "a"
        with pytest.raises(DataError, match="the column 'label' occurs twice"):
            self.read(folder, target="label")

    def test_images_that_are_names_without_bytes(self, folder: Path) -> None:
        image = {"bytes": None, "path": "images/0.png"}
        self.write(folder, image=[image, {"bytes": picture(), "path": "x"}])
        with pytest.raises(DataError) as error:
            self.read(folder, image="image")
        assert error.value.fix == "image: image.path reads images by their names"
        assert self.read(folder, image="image.path")[0].images[0].name == "images/0.png"

    @pytest.mark.parametrize("kind", ["parquet", "arrow"])
    def test_lists_of_images(self, folder: Path, kind: str) -> None:
        pa = pytest.importorskip("pyarrow")
        images = [[{"bytes": picture(9 * row + item), "path": None} for item in range(row + 1)]
                  for row in range(3)]  # fmt: skip
        rows = [*images, None, [], [{"bytes": None, "path": "x"}]]
        meta = [{"label": "a"}] * len(rows)
        table = pa.table({"images": rows, "meta": meta})
        if kind == "parquet":
            self.write(folder, table=table)
            options: dict[str, Any] = {"file": "rows.parquet"}
        else:
            with pa.ipc.new_stream(folder / "data.arrow", table.schema) as file:
                file.write_table(table)
            options = {"file": "data.arrow"}
        options |= {"image": "images", "target": "meta.label"}
        samples = read(folder, unit="sample", **options)
        reds = [[open_image(image).pixels.getchannel(0).getpixel((0, 0)) for image in sample.images]
                for sample in samples[:3]]  # fmt: skip
        assert reds == [[0], [9, 10], [18, 19, 20]]
        assert len({image.name for sample in samples for image in sample.images}) == 7
        assert [sample.fault is None for sample in samples] == [True] * 3 + [False] * 2 + [True]
        assert "the column 'images' is empty" in str(samples[4].fault)
        with pytest.raises(SampleError, match=rf"{options['file']}:6 holds no image bytes"):
            open_image(samples[5].images[0])
        with pytest.raises(DataError, match="holds images, and data"):
            read(folder, unit="sample", fields={"x": "images"}, **options)
        with pytest.raises(DataError, match="'images' holds lists of images"):
            read(folder, unit="sample", **{**options, "target": "images", "image": None})

    def test_lists_of_images_are_hashed_by_their_lengths(self, folder: Path) -> None:
        options = {"format": "parquet", "image_as": "auto", "unit": "sample"}
        reader = TableReader({"file": "rows.parquet", "image": "images", **options})
        hashes = []
        for count in (1, 1, 2):
            self.write(folder, images=[[{"bytes": picture(count), "path": None}] * count])
            hashes.append(reader.content_hash(data_root(folder), "rows.parquet"))
        assert hashes[0] == hashes[1] != hashes[2]
