"""Descriptors of the reader `table` and of the model `predictions`."""

from __future__ import annotations

from harness.descriptors import ModelDescriptor, Option, ReaderDescriptor

OPTIONS = (
    Option(
        name="file",
        type="data",
        help="The table: one file or pattern (data/*.parquet), a folder of images, or one for each "
        "split ({train: a.csv, test: b.csv}).",
    ),
    Option(
        name="format",
        default="auto",
        choices=("auto", "csv", "tsv", "json", "jsonl", "parquet", "arrow", "images"),
        help="The table's format; by default as the file's name says.",
    ),
    Option(name="id", type="data", help="Column of the id; the row's number by default."),
    Option(
        name="image",
        type="data",
        help="Column of the image, several in a list, or a pattern such as {folder}/{name}.jpg; "
        "paths are relative to the data folder.",
    ),
    Option(
        name="image_as",
        default="auto",
        choices=("auto", "path", "base64", "bytes"),
        help="Content of an image cell; found from the first rows by default.",
    ),
    Option(name="target", type="data", help="Column of the right answer; none without it."),
    Option(
        name="fields",
        type="data",
        help="Columns that prompts can use: a list, or field: column.",
    ),
    Option(
        name="groups",
        type="data",
        help="Groups of people, each as NAME: {column: C, labelled_by: human | machine}.",
    ),
    Option(
        name="cluster",
        type="data",
        help="Column of what statistics resample (unit), such as the subject; the image by "
        "default.",
    ),
    Option(
        name="boxes",
        type="data",
        help="Boxes, each as NAME: its four columns, or one that lists four numbers; with form "
        "(xyxy, xywh, cxcywh) and unit (pixels, shares).",
    ),
    Option(
        name="split_column",
        type="data",
        help="Column that says each row's split, where one file holds them all.",
    ),
    Option(
        name="delimiter",
        help="Character between the columns of a CSV; found from the first lines by default.",
    ),
    Option(name="encoding", help="Encoding of a text file; found from its bytes by default."),
    Option(
        name="unit",
        default="image",
        help="What the spec resamples: statistics resample whole clusters.",
    ),
    Option(name="choose_labels", type="data", help="Labels of the spec's choice."),
)

READERS = (
    ReaderDescriptor(
        id="table",
        target="harness_own_data.table.reader:TableReader",
        summary="Your own table or folder of images; columns are mapped in the task's YAML.",
        options=OPTIONS,
        splits=(),
    ),
)

MODELS = (
    ModelDescriptor(
        id="predictions",
        target="harness_own_data.predictions:Predictions",
        summary="Answers from a JSON Lines file, matched by sample id.",
        capabilities=frozenset({"choose", "generate"}),
        sees_images=False,
        is_asked=False,
        needs_task=True,
        options=(
            Option(
                name="path",
                type="path",
                help="File of answers; its hash, not its name, is part of the model's identity.",
                changes_numbers=False,
            ),
        ),
    ),
)
