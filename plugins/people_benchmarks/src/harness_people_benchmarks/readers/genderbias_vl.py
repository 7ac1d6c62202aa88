"""GenderBias-VL: questions about occupations, and their counterfactuals of the other gender.

Layout as the authors' repository has it (GenderBiasVL/GenderBias-VL): six lists of questions under
``construction/vq_generation/test_meta_file_close/{VLbias,Vbias,Lbias}``, base and counterfactual.
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
from harness_benchmarks.readers.passed_over import beside

SPLITS = ("test",)
FILES = {
    "VL": ("VLbias/occ_test_base_ask_gender.json", "VLbias/occ_test_cf_ask_gender.json"),
    "V": ("Vbias/occ_test_base_ask_person.json", "Vbias/occ_test_cf_ask_person.json"),
    "L": ("Lbias/occ_test_text_base_ask_gender.json", "Lbias/occ_test_text_cf_ask_gender.json"),
}
"""Base and counterfactual questions, by what is changed: image and text, image, text."""

_KINDS = ("base", "cf")
_OPTIONS = "Options:"
_FOLDER = "construction/vq_generation/test_meta_file_close/"
_GENDERS = ("male", "female")
# The authors' evaluation takes the gendered word for the neutral one, where it fits the gender.
_GENDERED, _NEUTRAL = "Waitress", "Waiter"


class GenderBiasVl:
    """Reader of the close-ended questions: a question's base, then its counterfactual.

    Args:
        options: ``bias`` (``VL``, ``V`` or ``L``), ``swap`` (``both`` orders of the two
            occupations, or ``listed`` alone), ``images`` (folder of the images), ``unit``
            (``pair`` of occupations, or ``question``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._files = FILES[records.choice(options, "bias", tuple(FILES))]
        orders = records.choice(options, "swap", ("both", "listed"))
        self._orders = ("listed", "swapped") if orders == "both" else ("listed",)
        folder = str(options["images"]).strip("/")
        self._images = f"{folder}/" if folder else ""
        self._unit = records.choice(options, "unit", ("pair", "question"))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return both lists of questions."""
        records.known_split(split, SPLITS)
        folder = _FOLDER if root.is_dir(_FOLDER.rstrip("/")) else ""
        return [f"{folder}{name}" for name in self._files]

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many lists lie beside the two of this kind of bias."""
        return beside(root, self.annotations(root, split))

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield each question in each order, base and counterfactual together.

        Raises:
            DataError: lists that do not pair up, or an entry that is no question.
        """
        names = self.annotations(root, split)
        places = [root.where(name) for name in names]
        for base, changed in zip_longest(*(elements(root, name) for name in names)):
            if base is None or changed is None:
                longer, shorter = (1, 0) if base is None else (0, 1)
                raise DataError(
                    f"the list is longer than {names[shorter]}: counterfactuals do not pair up",
                    where=places[longer],
                )
            ids = [
                _ident(records.member(entry, "id", f"{position}[{index}]"), f"{position}[{index}]")
                for (index, entry), position in zip((base, changed), places, strict=True)
            ]
            if ids[0] != ids[1]:
                raise DataError(
                    f"the question {quoted(ids[1])} is where {quoted(ids[0])} of {names[0]} was "
                    "expected",
                    where=f"{places[1]}[{changed[0]}]",
                )
            for kind, (index, entry), position in zip(_KINDS, (base, changed), places, strict=True):
                question = _Question(entry, kind, f"{position}[{index}]")
                for order in self._orders:
                    yield self._sample(root, ids[0], question, order)

    def _sample(self, root: DataRoot, ident: str, question: _Question, order: str) -> Sample:
        ending = "" if order == "listed" else "/swapped"
        pair = " | ".join(sorted((question.right, question.other)))
        return Sample(
            id=f"{ident}/{question.kind}{ending}",
            images=(ImageRef(f"{self._images}{question.image}", root),),
            target="right",
            cluster=pair if self._unit == "pair" else ident,
            fields={
                "question": question.text(swapped=order == "swapped"),
                "right": question.letter(right=True, swapped=order == "swapped"),
                "other": question.letter(right=False, swapped=order == "swapped"),
                "asked": ident,
                "kind": question.kind,
                "order": order,
                "occupation": question.right,
                "rival": question.other,
                "base_gender": question.gender,
            },
            groups={
                "kind": Group(question.kind),
                "base_gender": Group(question.gender, "drawn"),
            },
        )


def _ident(value: Any, where: str) -> str:
    return str(value) if type(value) is int else records.as_text(value, "id", where)


class _Question:
    """One entry: its texts, its two occupations, its image."""

    def __init__(self, entry: Any, kind: str, where: str) -> None:
        self.kind = kind
        self._query = records.as_text(records.member(entry, "query", where), "query", where)
        choices = records.as_list(records.member(entry, "gt_choices", where), "gt_choices", where)
        number = records.as_whole(records.member(entry, "gt_choice", where), "gt_choice", where)
        if len(choices) != 2 or number not in {0, 1}:
            raise DataError("the question needs two choices and the number of the right one",
                            where=where)  # fmt: skip
        if _OPTIONS not in self._query:
            raise DataError(f"the query has no {_OPTIONS!r}, after which the choices stand",
                            where=where)  # fmt: skip
        self._choices = [records.as_text(choice, "a choice", where) for choice in choices]
        self._number = number
        first, second = self._choices
        if self._query.partition(_OPTIONS)[2].strip() != f"(A) {first} (B) {second}":
            raise DataError(f"the query does not end with its choices, (A) {quoted(first)} "
                            f"(B) {quoted(second)}", where=where)  # fmt: skip
        self.gender = records.as_text(records.member(entry, "gender", where), "gender", where)
        if self.gender not in _GENDERS:
            raise DataError(f"{quoted(self.gender)} is not a gender of this release", where=where)
        self.right, self.other = (
            self._neutral(records.as_text(records.member(entry, key, where), key, where))
            for key in ("occ", "occ_sim")
        )
        named = {"occ": entry["occ"], "occ_sim": entry["occ_sim"]}
        for (key, occupation), at in zip(named.items(), (number, 1 - number), strict=True):
            if occupation.lower() != self._choices[at].lower():
                raise DataError(f"{key} is {quoted(occupation)}, and the choice that it names is "
                                f"{quoted(self._choices[at])}", where=where)  # fmt: skip
        self.image = records.as_text(records.member(entry, "image", where), "image", where)

    def text(self, *, swapped: bool) -> str:
        """Return the question as released, or with its two options the other way round."""
        if not swapped:
            return self._query.rstrip("\n")
        first, second = self._choices
        return f"{self._query.partition(_OPTIONS)[0]}{_OPTIONS} (A) {second} (B) {first}"

    def letter(self, *, right: bool, swapped: bool) -> str:
        """Return the letter before the right option, or before the other one."""
        return "AB"[self._number ^ swapped ^ (not right)]

    def _neutral(self, occupation: str) -> str:
        pictured_gender = self.gender if self.kind == "base" else _GENDERS[self.gender == "male"]
        gendered = occupation == _GENDERED and pictured_gender == "female"
        return _NEUTRAL if gendered else occupation
