"""The prompts of VQAv2, TextVQA and MMBench, letter by letter, and their splits."""

from __future__ import annotations

import pytest

from harness.descriptors import Json
from harness.resources import data_folder
from harness.samples import Sample
from harness.specs import TaskSpec
from harness.specs.loader import load_task
from harness.specs.prompt import prompt_text, render_answer

FOLDER = data_folder("task_specs") / "general"
ROW: dict[str, Json] = {"question": "What is it?", "hint": "", "A": "cat", "B": "dog", "C": "",
                        "D": "", "E": ""}  # fmt: skip


def spec(task: str, **chosen: Json) -> TaskSpec:
    return load_task(FOLDER / f"{task}.yaml", chosen)


def asked_of(task: TaskSpec, fields: dict[str, Json]) -> str:
    return prompt_text(task, Sample("1", (), None, "1", fields))


def test_the_prompt_of_vqav2() -> None:
    requested = asked_of(spec("vqav2"), {"question": "What is it?"})
    assert requested == "What is it?\nAnswer the question using a single word or phrase."
    assert render_answer(spec("vqav2"), ["kite", "a kite", "kite"]) == "kite"


@pytest.mark.parametrize(
    ("chosen", "first"),
    [
        ({}, "is NYC there?\n"),
        ({"question": "capitalised"}, "Is nyc there?\n"),
        ({"ocr": "rosetta"}, "is NYC there?\nReference OCR token: STOP, 12\n"),
    ],
)
def test_the_prompts_of_textvqa(chosen: dict[str, Json], first: str) -> None:
    fields: dict[str, Json] = {"question": "is NYC there?"}
    if "ocr" in chosen:
        fields["ocr_tokens"] = "STOP, 12"
    requested = asked_of(spec("textvqa", **chosen), fields)
    assert requested == first + "Answer the question using a single word or phrase."


OFFICIAL = (
    "Question: What is it?\nOptions:\nA. cat\nB. dog\n"
    "Please select the correct answer from the options above. \n"
)
LMMS_EVAL = """\
What is it? There are several options:
A. cat
B. dog

"""


@pytest.mark.parametrize(
    ("chosen", "hint", "asked"),
    [
        ({}, "Look.", f"Hint: Look.\n{OFFICIAL}"),
        ({}, "", OFFICIAL),
        (
            {"prompt": "lmms_eval"},
            "Look.",
            f"Look. {LMMS_EVAL}Answer with the option's letter from the given choices directly.",
        ),
        (
            {"prompt": "lmms_eval", "language": "cn"},
            "",
            f"{LMMS_EVAL}请直接使用所提供的选项字母作为答案回答。",
        ),
    ],
)
def test_the_prompts_of_mmbench(chosen: dict[str, Json], hint: str, asked: str) -> None:
    assert asked_of(spec("mmbench", **chosen), {**ROW, "hint": hint}) == asked


@pytest.mark.parametrize(
    ("task", "splits"),
    [
        ("vqav2", ("val", "test-dev", "test")),
        ("textvqa", ("val", "test")),
        ("mmbench", ("dev", "test")),
    ],
)
def test_splits_are_named_options(task: str, splits: tuple[str, ...]) -> None:
    assert spec(task).data.split == splits[0]
    assert tuple(spec(task, split=split).data.split for split in splits) == splits
