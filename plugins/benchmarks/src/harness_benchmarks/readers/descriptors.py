"""Descriptors of the readers."""

from __future__ import annotations

from harness.descriptors import Option, ReaderDescriptor


def unit(*choices: str) -> Option:
    """Return the option that says what a cluster is, of these choices; the first by default."""
    return Option(
        name="unit",
        default=choices[0],
        choices=choices,
        help="What a cluster is: statistics resample whole clusters.",
    )


def _sequences(split: str, source: str) -> Option:
    return Option(
        name=f"{split}_sequences",
        help=f"Sequences of the split {split}, separated by commas; unset: {source}.",
    )


# Of a parquet copy.
_COLUMNS = Option(
    name="columns",
    help="Columns with other names in a parquet copy, such as image=file,question=text.",
)
_DEALT = (
    Option(
        name="split_by",
        default="set",
        choices=("set", "concept"),
        help="Keep all images of a set, or of a concept, in one of train, val and test (by a "
        "hash).",
    ),
    Option(name="shares", default="70/10/20", help="Percent in train, val and test."),
)

READERS: tuple[ReaderDescriptor, ...] = (
    ReaderDescriptor(
        id="vqav2",
        target="harness_benchmarks.readers.vqav2:VqaV2",
        summary="VQAv2: open questions about COCO images; question and annotation JSON.",
        options=(_COLUMNS, unit("image")),
        splits=("train", "val", "test-dev", "test"),
    ),
    ReaderDescriptor(
        id="textvqa",
        target="harness_benchmarks.readers.textvqa:TextVqa",
        summary="TextVQA 0.5.1: questions that need the text in an image.",
        options=(
            Option(
                name="ocr",
                default="none",
                choices=("none", "rosetta"),
                help="Whether samples carry the words that the release's OCR read.",
            ),
            _COLUMNS,
            unit("image"),
        ),
    ),
    ReaderDescriptor(
        id="mmbench",
        version=2,
        target="harness_benchmarks.readers.mmbench:MmBench",
        summary="MMBench: multiple choice in TSV with base64 images, one row for each round.",
        options=(
            Option(
                name="language", default="en", choices=("en", "cn"), help="Language of the release."
            ),
            Option(
                name="edition",
                default="1.0",
                choices=("1.0", "1.1"),
                help="Edition of the release.",
            ),
            _COLUMNS,
            unit("question"),
        ),
        splits=("dev", "test"),
    ),
    ReaderDescriptor(
        id="hagrid",
        target="harness_benchmarks.readers.hagrid:Hagrid",
        summary="HaGRIDv2: one gesture for each image; one JSON file for each split and class.",
        options=(
            Option(
                name="no_gesture",
                default="exclude",
                choices=("exclude", "include"),
                help="Whether the folder no_gesture takes part as a class.",
            ),
            unit("subject", "image"),
        ),
    ),
    ReaderDescriptor(
        id="pisc",
        version=2,
        target="harness_benchmarks.readers.pisc:Pisc",
        summary="PISC: the relation of two people; fine (6) or coarse (3) labels.",
        options=(
            Option(
                name="level",
                default="fine",
                choices=("fine", "coarse"),
                help="Ask for six relations (relationship.json) or three (domain.json).",
            ),
            unit("image"),
        ),
    ),
    ReaderDescriptor(
        id="gazefollow",
        version=4,
        target="harness_benchmarks.readers.gazefollow:GazeFollow",
        summary="GazeFollow, extended release: where a person looks, one point for each annotator.",
        options=(unit("image"),),
        splits=("train", "test"),
    ),
    ReaderDescriptor(
        id="raf_db",
        target="harness_benchmarks.readers.raf_db:RafDb",
        summary="RAF-DB, basic set: seven expressions of one face.",
        options=(
            Option(
                name="images",
                default="aligned",
                choices=("aligned", "original"),
                help="Use the aligned faces, or the original images.",
            ),
            unit("image"),
        ),
        splits=("train", "test"),
    ),
    ReaderDescriptor(
        id="jrdb_social",
        target="harness_benchmarks.readers.jrdb_social:JrdbSocial",
        summary="JRDB-Social: how two people interact in a frame.",
        options=(
            Option(
                name="multi",
                default="first",
                choices=("first", "drop"),
                help="Take the first interaction of a pair that has several, or drop the pair.",
            ),
            _sequences("train", "the toolkit's 20"),
            _sequences("valid", "the toolkit's 7"),
            _sequences("test", "none, since their labels are not public"),
            Option(
                name="size",
                default="3760x480",
                help="Size of the images that boxes were marked on; any where it is not known.",
            ),
            unit("sequence", "image"),
        ),
        splits=("train", "valid", "test"),
        version=2,
    ),
    ReaderDescriptor(
        id="social_counterfactuals",
        target="harness_benchmarks.readers.social_counterfactuals:SocialCounterfactuals",
        summary="SocialCounterfactuals: parquet shards of people who differ in two traits.",
        requires=("pyarrow",),
        install="pip install 'social-harness[data]'",
        options=(*_DEALT, unit("set", "image")),
        splits=("train", "val", "test", "all"),
    ),
    ReaderDescriptor(
        id="fairface",
        target="harness_benchmarks.readers.fairface:FairFace",
        summary="FairFace: faces with race, gender and age; one CSV for each split.",
        options=(
            Option(
                name="padding",
                default="1.25",
                choices=("1.25", "0.25"),
                help="Margin around the face at which images are cut.",
            ),
            Option(
                name="target",
                default="none",
                choices=("none", "race", "gender", "age"),
                help="Trait that is the right answer; with one, the samples also have the group "
                "race_gender.",
            ),
            _COLUMNS,
            unit("image"),
        ),
        splits=("train", "val"),
    ),
    ReaderDescriptor(
        id="cmsc",
        target="harness_benchmarks.readers.cmsc:Cmsc",
        summary="CMSC: counterfactual sets labelled by file names, or by a table of your own.",
        options=(
            Option(
                name="labels",
                default="filename",
                choices=("filename", "table"),
                help="Read concept, race, gender, age and set from file names or from a table.",
            ),
            Option(
                name="pattern",
                default="{concept}_{race}_{gender}_{age}_{set}",
                help="Pattern of the file names: named parts with text between them.",
            ),
            Option(
                name="table",
                default="metadata.csv",
                help="Name of the table, a .csv or .jsonl file.",
            ),
            Option(
                name="max_unmatched",
                type="float",
                default=0.0,
                help="Share of images whose names may not fit the pattern.",
            ),
            Option(
                name="concepts",
                default="all",
                choices=("all", "personality", "responsibility", "education"),
                help="All 18 concepts, or one of their groups.",
            ),
            *_DEALT,
            unit("set", "image"),
        ),
        splits=("train", "val", "test", "all"),
    ),
    ReaderDescriptor(
        id="visogender",
        target="harness_benchmarks.readers.visogender:VisoGender",
        summary="VisoGender: people at work and their pronouns; tables, and images users fetch.",
        options=(
            Option(
                name="context",
                default="both",
                choices=("both", "single", "two"),
                help="One person with an object (OO), two people (OP), or both.",
            ),
            Option(
                name="missing",
                default="error",
                choices=("error", "leave_out"),
                help="Refuse rows without an image, or leave them out.",
            ),
            unit("image"),
        ),
        splits=("test",),
    ),
)
