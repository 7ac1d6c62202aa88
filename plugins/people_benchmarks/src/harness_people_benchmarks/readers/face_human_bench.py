"""Face-Human-Bench: questions with up to five options about faces and people, one list an ability.

Lists as in Face-Human-Bench/face-human-bench: ``data/Face-Human-Bench/SPLIT/json/LANGUAGE/*.json``,
each ``{"data": [{"type", "QA": {question, options, answer}, "image": {"image_paths": {...}}}]}``;
images as its prepare_data.py writes them, below ``eval_data``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.json_stream import elements
from harness.samples import DataRoot, Group, ImageRef, Sample
from harness_benchmarks.readers.passed_over import Repeats

SPLITS = ("dev", "test")
LETTERS = "ABCDE"
ABILITIES = (
    "face_age_basic_10", "face_age_basic_15", "face_age_basic_5",
    "face_attack_digital_expression_swap", "face_attack_digital_identity_swap",
    "face_attack_physical_paper", "face_attack_physical_replay", "face_attribute_compound",
    "face_expression_basic", "face_expression_compound", "face_recognition_basic",
    "face_recognition_cross_age", "face_recognition_cross_pose", "face_recognition_mask",
    "face_recognition_similar_looking", "human_action_basic", "human_attribute_compound",
    "human_attribute_compound_cropped", "human_reid_basic", "human_social_relation_occupation",
    "human_social_relation_relationship", "human_spatial_relation_count_10",
    "human_spatial_relation_count_100", "human_spatial_relation_count_100plus",
    "human_spatial_relation_location",
)  # fmt: skip
_FOLDER = "data/Face-Human-Bench/"
# A question about marked people needs the image on which they are marked.
_PREFERRED = ("boxed", "cropped", "original")


class FaceHumanBench:
    """Reader of Face-Human-Bench: one sample per question.

    Args:
        options: ``language`` (``en`` or ``zh``), ``identity`` (``leave_out`` or ``keep`` the
            questions whether two images show one person), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._language = records.choice(options, "language", ("en", "zh"))
        self._keep = records.choice(options, "identity", ("leave_out", "keep")) == "keep"
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the lists of a split and language."""
        records.known_split(split, SPLITS)
        folder = _FOLDER if root.is_dir(_FOLDER.rstrip("/")) else ""
        ending = "" if self._language == "en" else f"_{self._language}"
        return [
            f"{folder}{split}/json/{self._language}/{ability}{ending}.json"
            for ability in ABILITIES
            if self._keep or not _is_identity(ability)
        ]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield questions by list.

        Raises:
            DataError: an entry that is no question with two to five options.
        """
        for path in self.annotations(root, split):
            ability = path.rpartition("/")[2].removesuffix(".json").removesuffix("_zh")
            repeats = Repeats()
            for index, entry in elements(root, path, "data"):
                sample = _sample(root, ability, index, entry, f"{root.where(path)}[{index}]")
                again = repeats.notes(sample.cluster, *sample.fields.values())
                yield replace(sample, notes=again) if again else sample


def _is_identity(ability: str) -> bool:
    return ability.startswith(("face_recognition", "human_reid"))


def _sample(root: DataRoot, ability: str, index: int, entry: Any, where: str) -> Sample:
    qa = records.as_mapping(records.member(entry, "QA", where), "QA", where)
    options = records.as_list(records.member(qa, "options", where), "options", where)
    if not 2 <= len(options) <= len(LETTERS):
        raise DataError(
            f"the question has {len(options)} options, not 2 to {len(LETTERS)}", where=where
        )
    answer = records.as_whole(records.member(qa, "answer", where), "answer", where)
    if not 0 <= answer < len(options):
        raise DataError(f"the answer {answer} is not one of {len(options)} options", where=where)
    question = records.as_text(records.member(qa, "question", where), "question", where)
    image = _image(records.member(entry, "image", where), where)
    texts = dict.fromkeys(LETTERS, "")
    texts |= {
        letter: _option(option, where) for letter, option in zip(LETTERS, options, strict=False)
    }
    top, *words = ability.split("_")
    return Sample(
        id=f"{ability}#{index}",
        images=(ImageRef(image, root),),
        target=LETTERS[answer],
        cluster=image,
        fields={
            "question": question,
            **texts,
        },
        groups={"about": Group(top), "ability": Group(f"{top} {words[0]}"), "list": Group(ability)},
    )


def _option(option: Any, where: str) -> str:
    """Return an option as text; lists of ages and counts have numbers."""
    number = isinstance(option, int | float) and not isinstance(option, bool)
    return records.as_text(str(option) if number else option, "an option", where)


def _image(image: Any, where: str) -> str:
    paths = records.as_mapping(records.member(image, "image_paths", where), "image_paths", where)
    for name in (*_PREFERRED, *paths):
        if name in paths:
            return records.as_text(paths[name], f"image_paths.{name}", where)
    raise DataError(f"the row names no image; it has {quoted(sorted(paths))}", where=where)
