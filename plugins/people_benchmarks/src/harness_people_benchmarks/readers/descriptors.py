"""Descriptors of the readers."""

from __future__ import annotations

from harness.descriptors import Option, ReaderDescriptor
from harness_benchmarks.readers.descriptors import unit

READERS: tuple[ReaderDescriptor, ...] = (
    ReaderDescriptor(
        id="pairs",
        target="harness_people_benchmarks.readers.pairs:Pairs",
        summary="PAIRS: scenes drawn four times, with people who differ only in race and gender.",
        options=(unit("scene", "image"),),
        splits=("test",),
    ),
    ReaderDescriptor(
        id="genderbias_vl",
        target="harness_people_benchmarks.readers.genderbias_vl:GenderBiasVl",
        summary="GenderBias-VL: occupations of generated people, and of the same people with the "
        "other gender.",
        options=(
            Option(
                name="bias",
                default="VL",
                choices=("VL", "V", "L"),
                help="Counterfactual to ask about: it changes image and text, the image, or the "
                "text.",
            ),
            Option(
                name="swap",
                default="both",
                choices=("both", "listed"),
                help="Ask with the two options in both orders, or as listed.",
            ),
            Option(name="images", default="", help="Folder of the images within the data folder."),
            unit("pair", "question"),
        ),
        splits=("test",),
    ),
    ReaderDescriptor(
        id="sb_bench",
        target="harness_people_benchmarks.readers.bbq:SbBench",
        summary="SB-Bench: ambiguous contexts about people in parquet shards, images inside.",
        options=(unit("question", "image"),),
        splits=("real", "synthetic"),
    ),
    ReaderDescriptor(
        id="vlbiasbench",
        target="harness_people_benchmarks.readers.bbq:VlBiasBench",
        summary="VLBiasBench, close-ended part: JSON lists by kind of bias.",
        options=(
            Option(
                name="right",
                default="label",
                help="Key of the right answer's number in disambiguated contexts.",
            ),
            Option(
                name="order",
                default="authors",
                choices=("authors", "listed"),
                help="Order in which the prompt shows the answers: as the authors' code turns "
                "them, or as listed.",
            ),
            unit("image"),
        ),
        splits=("test",),
    ),
    ReaderDescriptor(
        id="fer_plus",
        target="harness_people_benchmarks.readers.fer_plus:FerPlus",
        summary="FER+: faces of FER2013 with ten people's votes.",
        options=(unit("image"),),
        splits=("train", "val", "test"),
    ),
    ReaderDescriptor(
        id="vl_checklist",
        target="harness_people_benchmarks.readers.vl_checklist:VlCheckList",
        summary="VL-CheckList: a text that fits an image and one that does not.",
        options=(unit("image"),),
        splits=("people", "object", "attribute", "relation"),
    ),
    ReaderDescriptor(
        id="face_human_bench",
        target="harness_people_benchmarks.readers.face_human_bench:FaceHumanBench",
        summary="Face-Human-Bench: questions with up to five options about faces and people.",
        options=(
            Option(
                name="language",
                default="en",
                choices=("en", "zh"),
                help="Language of the questions.",
            ),
            Option(
                name="identity",
                default="leave_out",
                choices=("leave_out", "keep"),
                help="Keep or leave out questions whether two images show the same person.",
            ),
            Option(
                name="rotation",
                default="by_id",
                choices=("by_id", "listed"),
                help="Rotate the options of each question, or keep them as the list has them.",
            ),
            unit("image"),
        ),
        splits=("dev", "test"),
    ),
    ReaderDescriptor(
        id="karpathy",
        target="harness_people_benchmarks.readers.karpathy:Karpathy",
        summary="COCO or Flickr30k with captions and splits of Karpathy and Fei-Fei.",
        options=(
            Option(
                name="dataset",
                default="coco",
                choices=("coco", "flickr30k"),
                help="Data set that the images and captions belong to.",
            ),
            Option(
                name="restval",
                default="train",
                choices=("train", "leave_out"),
                help="Whether COCO's restval images are training images.",
            ),
            unit("image"),
        ),
        splits=("train", "val", "test"),
    ),
    ReaderDescriptor(
        id="emotic",
        target="harness_people_benchmarks.readers.emotic:Emotic",
        summary="EMOTIC: people in scenes with some of 26 categories, from Annotations.mat.",
        options=(unit("image"),),
        splits=("train", "val", "test"),
    ),
    ReaderDescriptor(
        id="miap",
        target="harness_people_benchmarks.readers.miap:Miap",
        summary="MIAP: people in Open Images with boxes, perceived gender and age.",
        options=(
            Option(
                name="people",
                default="all",
                choices=("all", "adults"),
                help="Whether people who look young are left out.",
            ),
            unit("image"),
        ),
        splits=("test", "val", "train"),
    ),
    ReaderDescriptor(
        id="phase",
        target="harness_people_benchmarks.readers.phase:Phase",
        summary="PHASE: people in Conceptual Captions' images, with annotators' majorities.",
        options=(
            Option(
                name="people",
                default="authors",
                choices=("authors", "all"),
                help="Whether people are left out as the authors of the questions do.",
            ),
            unit("image"),
        ),
        splits=("val", "train"),
    ),
    ReaderDescriptor(
        id="pata",
        target="harness_people_benchmarks.readers.pata:Pata",
        summary="PATA: web images of people, labelled by ethnicity, gender and age.",
        options=(
            Option(
                name="missing",
                default="leave_out",
                choices=("leave_out", "error"),
                help="What becomes of images whose links rotted.",
            ),
            unit("image"),
        ),
        splits=("test",),
    ),
    ReaderDescriptor(
        id="imagenet",
        target="harness_people_benchmarks.readers.imagenet:ImageNet",
        summary="ImageNet: validation images in a folder for each WordNet id.",
        options=(unit("image"),),
        splits=("val", "train"),
    ),
)
