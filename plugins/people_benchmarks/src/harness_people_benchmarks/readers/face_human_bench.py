"""Face-Human-Bench: questions with up to five options about faces and people, one list an ability.

Lists as in Face-Human-Bench/face-human-bench: ``data/Face-Human-Bench/SPLIT/json/LANGUAGE/*.json``,
each ``{"data": [{"type", "QA": {question, options, answer}, "image": {"image_paths": {...}}}]}``;
images as its prepare_data.py writes them, below ``eval_data``. A split has 1,500 entries, of which
300 have two versions of their image: 1,800 questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.json_stream import elements
from harness.samples import DataRoot, Group, ImageRef, Sample
from harness.samples.hashes import id_number
from harness_benchmarks.readers.passed_over import Repeats, beside

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
_LEVELS = {
    name: f"{name.split('_')[0]}/{below}"
    for below, names in {
        "attribute/compound": (
            "face_attribute_compound", "human_attribute_compound",
            "human_attribute_compound_cropped",
        ),
        "age/5-year interval": ("face_age_basic_5",),
        "age/10-year interval": ("face_age_basic_10",),
        "age/15-year interval": ("face_age_basic_15",),
        "expression/basic": ("face_expression_basic",),
        "expression/compound": ("face_expression_compound",),
        "attack/digital": (
            "face_attack_digital_expression_swap", "face_attack_digital_identity_swap",
        ),
        "attack/physical": ("face_attack_physical_paper", "face_attack_physical_replay"),
        "recognition/basic": ("face_recognition_basic",),
        "recognition/cross age": ("face_recognition_cross_age",),
        "recognition/cross pose": ("face_recognition_cross_pose",),
        "recognition/mask": ("face_recognition_mask",),
        "recognition/similar looking": ("face_recognition_similar_looking",),
        "action/basic": ("human_action_basic",),
        "spatial relation/count": (
            "human_spatial_relation_count_10", "human_spatial_relation_count_100",
            "human_spatial_relation_count_100plus",
        ),
        "spatial relation/location": ("human_spatial_relation_location",),
        "social relation/occupation": ("human_social_relation_occupation",),
        "social relation/relationship": ("human_social_relation_relationship",),
        "reid/basic": ("human_reid_basic",),
    }.items()
    for name in names
}  # fmt: skip
"""Levels above each list, as the authors' ``score.py`` averages them."""
_FOLDER = "data/Face-Human-Bench/"
_VERSIONS = ("original", "cropped", "boxed")


class FaceHumanBench:
    """Reader of Face-Human-Bench: one sample per question and version of its image.

    In many lists the right answer is always the first option (721 of the 950 questions with four
    options), so the authors' ``eval.py`` rotates the options by a random number for each question.

    Args:
        options: ``language`` (``en`` or ``zh``), ``identity`` (``leave_out`` or ``keep`` the
            questions whether two images show one person), ``rotation`` (``by_id``: options are
            rotated by a number that the sample's id decides; ``listed``: they stand as in the
            list), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._language = records.choice(options, "language", ("en", "zh"))
        self._keep = records.choice(options, "identity", ("leave_out", "keep")) == "keep"
        self._rotates = records.choice(options, "rotation", ("by_id", "listed")) == "by_id"
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the lists of a split and language."""
        records.known_split(split, SPLITS)
        return [
            name
            for ability, name in zip(ABILITIES, self._lists(root, split), strict=True)
            if self._keep or not _is_identity(ability)
        ]

    def _lists(self, root: DataRoot, split: str) -> list[str]:
        folder = _FOLDER if root.is_dir(_FOLDER.rstrip("/")) else ""
        ending = "" if self._language == "en" else f"_{self._language}"
        return [
            f"{folder}{split}/json/{self._language}/{ability}{ending}.json" for ability in ABILITIES
        ]

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many lists are there that the release does not have."""
        return beside(root, self._lists(root, split))

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield questions by list.

        Raises:
            DataError: an entry that is no question with two to five options.
        """
        for path in self.annotations(root, split):
            ability = path.rpartition("/")[2].removesuffix(".json").removesuffix("_zh")
            repeats = Repeats()
            for index, entry in elements(root, path, "data"):
                where = f"{root.where(path)}[{index}]"
                versions = _versions(records.member(entry, "image", where), where)
                question, options, answer = _asked(entry, where)
                for version in versions:
                    name = f"{ability}#{index}" + (f"/{version}" if len(versions) > 1 else "")
                    first = id_number(name) % len(options) if self._rotates else 0
                    rotated = [*options[first:], *options[:first]]
                    image = ImageRef(versions[version], root)
                    yield Sample(
                        id=name,
                        images=(image,),
                        target=LETTERS[(answer - first) % len(options)],
                        cluster=next(iter(versions.values())),
                        fields={
                            "question": question,
                            **dict(zip_longest(LETTERS, rotated, fillvalue="")),
                            "levels": f"{_LEVELS[ability]}/{ability}/{version}",
                        },
                        groups=_groups(ability, version),
                        notes=repeats.notes(image.name, question, *options, LETTERS[answer]),
                    )


def _is_identity(ability: str) -> bool:
    return ability.startswith(("face_recognition", "human_reid"))


def _groups(ability: str, version: str) -> dict[str, Group]:
    top, first, *_ = ability.split("_")
    return {
        "about": Group(top),
        "ability": Group(f"{top} {first}"),
        "list": Group(ability),
        "version": Group(version),
    }


def _asked(entry: Any, where: str) -> tuple[str, list[str], int]:
    """Return a question, its options as the list has them, and the place of the right one."""
    qa = records.as_mapping(records.member(entry, "QA", where), "QA", where)
    listed = records.as_list(records.member(qa, "options", where), "options", where)
    number = len(listed)
    if not 2 <= number <= len(LETTERS):
        raise DataError(f"the question has {number} options, not 2 to {len(LETTERS)}", where=where)
    answer = records.as_whole(records.member(qa, "answer", where), "answer", where)
    if not 0 <= answer < number:
        raise DataError(f"the answer {answer} is not one of {number} options", where=where)
    question = records.as_text(records.member(qa, "question", where), "question", where)
    return question, [_option(option, where) for option in listed], answer


def _option(option: Any, where: str) -> str:
    """Return an option as text; lists of ages and counts have numbers."""
    number = isinstance(option, int | float) and not isinstance(option, bool)
    return records.as_text(str(option) if number else option, "an option", where)


def _versions(image: Any, where: str) -> dict[str, str]:
    """Return the image's paths by version; of the three that there are, in one order."""
    paths = records.as_mapping(records.member(image, "image_paths", where), "image_paths", where)
    if unknown := sorted(paths.keys() - {*_VERSIONS}):
        raise DataError(
            f"unknown version of an image {quoted(unknown[0])}",
            where=f"{where}.image_paths",
            fix=f"known: {', '.join(_VERSIONS)}",
        )
    versions = {
        name: records.as_text(paths[name], f"image_paths.{name}", where)
        for name in _VERSIONS
        if name in paths
    }
    if not versions:
        raise DataError("the row names no image", where=f"{where}.image_paths")
    return versions
