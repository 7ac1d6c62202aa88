"""Questions in BBQ's form about images: context, question, three answers, one of them unknown.

SB-Bench in parquet shards (hub ``ucf-crcv/SB-Bench``; columns as in UCF-CRCV/SB-Bench, Evaluation);
VLBiasBench's closed part in JSON lists (Xiangkui-Cao/VLBiasBench, its dataset/close_ended.py).
Which answer follows the stereotype is taken from BBQ's own fields (nyu-mll/BBQ: ``answer_info``,
``additional_metadata.stereotyped_groups``, ``question_polarity``) where rows have them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.json_stream import elements
from harness.readers.shards import Copies, content_hash, need_pyarrow
from harness.samples import DataRoot, Group, ImageRef, Sample
from harness_benchmarks.readers.passed_over import Repeats

ANSWERS = ("ans0", "ans1", "ans2")
AMBIGUOUS = "ambiguous"
CONTEXTS = {
    "ambig": AMBIGUOUS, "ambiguous": AMBIGUOUS,
    "disambig": "disambiguated", "disambiguated": "disambiguated",
}  # fmt: skip
_UNKNOWN = (
    "unknown", "cannot be determined", "can't be determined", "not answerable", "not known",
    "not enough info", "not enough information", "cannot answer", "can't answer", "undetermined",
    "can not be determined",
)  # fmt: skip
_LAST = "ans2"  # names nobody in VLBiasBench
_POLARITIES = ("neg", "nonneg")
_COLUMNS = ("id", "category", "additional_metadata", "question_polarity", "context", "question",
            *ANSWERS, "label")  # fmt: skip
_EXTRA = ("answer_info", "context_condition")


class SbBench:
    """Reader of SB-Bench: every context is ambiguous, the right answer names nobody.

    Args:
        options: ``unit`` (``question``, whose images belong together, or ``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._copies = Copies({}, ())
        self._unit = records.choice(options, "unit", ("question", "image"))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's shards."""
        records.known_split(split, ("real", "synthetic"))
        shards = self._copies.shards(root, split)
        return shards or [f"data/{split}-00000-of-00001.parquet"]

    def hub_patterns(self, split: str) -> Sequence[str]:
        """Return what a split needs of the dataset on the hub."""
        return self._copies.patterns(split)

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the hash of what is read but the images."""
        return content_hash(root, name, list(_COLUMNS))

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield rows in the order of the shards."""
        paths = self.annotations(root, split)
        need_pyarrow(paths[0])
        from harness.readers import parquet

        parquet.need_images(root, paths, "file_name")
        for path in paths:
            extra = [name for name in _EXTRA if parquet.has(root, path, name)]
            names = {name: parquet.class_names(root, path, name) for name in _COLUMNS}
            columns = [*_COLUMNS, *extra]
            for row, cells in enumerate(parquet.rows(root, path, columns)):
                where = f"{root.where(path)}: row {row}"
                values = {
                    name: _named(cell, names.get(name), where)
                    for name, cell in zip(columns, cells, strict=True)
                }
                load = parquet.EmbeddedImage(root, path, row, "file_name")
                image = ImageRef(f"{path}:{row}", load=load)
                # Images of one question differ in the last three characters of the id
                # (UCF-CRCV/SB-Bench, run_inference_batch_basellm.py).
                ident = records.as_text(values["id"], "the id", where)
                question = ident[:-3] if self._unit == "question" else ident
                yield _sample(values, (ident, question), image, where)


class VlBiasBench:
    """Reader of VLBiasBench's close-ended part: ``close-ended/json/TYPE/*.json``.

    Args:
        options: ``right`` (key of the right answer's number in disambiguated contexts), ``order``
            of the answers in the fields ``first``, ``second`` and ``third`` (``authors``: as
            :func:`authors_order` has it; ``listed``), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._right = str(options["right"])
        self._turns = records.choice(options, "order", ("authors", "listed")) == "authors"
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return every list of questions, by type and name."""
        records.known_split(split, ("test",))
        folder = _closed(root)
        files = [
            f"{folder}json/{path}"
            for path in sorted(root.sub(f"{folder}json").walk(), key=lambda path: path.split("/"))
            if path.endswith(".json") and path.count("/") == 1
        ] if root.is_dir(f"{folder}json") else []  # fmt: skip
        return files or [f"{folder}json/age/base.json"]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield questions by list; images are named within ``close-ended/images``."""
        folder, number, ambiguous = _closed(root), 0, 0
        for path in self.annotations(root, split):
            repeats = Repeats()
            kind, stem = path.removeprefix(f"{folder}json/").removesuffix(".json").split("/")
            for index, entry in elements(root, path):
                where = f"{root.where(path)}[{index}]"
                values = dict(records.as_mapping(entry, "a question", where))
                values["category"] = kind
                values["label"] = values.get(self._right)
                name = records.as_text(
                    records.member(entry, "image_path", where), "image_path", where
                )
                image = ImageRef(f"{folder}images/{name}", root)
                sample = _sample(values, (f"{kind}/{stem}#{index}", name), image, where)
                again = repeats.notes(name, *map(str, sample.fields.values()))
                order = authors_order(number, ambiguous) if self._turns else ANSWERS
                number, ambiguous = number + 1, ambiguous + (sample.fields["context"] == AMBIGUOUS)
                shown = {
                    place: sample.fields[answer]
                    for place, answer in zip(("first", "second", "third"), order, strict=True)
                }
                yield replace(
                    sample, fields={**sample.fields, **shown}, notes={**sample.notes, **again}
                )


def authors_order(number: int, ambiguous: int) -> tuple[str, ...]:
    """Return the order in which VLBiasBench's ``close_ended.py`` shows the answers.

    The one that names nobody moves on with each question whose context is ambiguous, and the other
    two change places with every question.

    Args:
        number: Number of the question, counted from 0 over all lists.
        ambiguous: Questions before it whose context is ambiguous.
    """
    people = ["ans0", "ans1"] if number % 2 else ["ans1", "ans0"]
    people.insert(ambiguous % 3, _LAST)
    return tuple(people)


def _closed(root: DataRoot) -> str:
    return "" if root.is_dir("json") else "close-ended/"


def _named(value: Any, names: Sequence[str] | None, where: str) -> Any:
    """Return a class given as its number by its name."""
    if type(value) is int and names is not None:
        if not 0 <= value < len(names):
            raise DataError(f"{value} is not one of the {len(names)} classes", where=where)
        return names[value]
    return value


def _sample(values: Mapping[str, Any], ids: tuple[str, str], image: ImageRef, where: str) -> Sample:
    answers = {
        name: records.as_text(records.member(values, name, where), name, where) for name in ANSWERS
    }
    context = _context(values, where)
    worded = _worded_unknown(answers)
    right = _right(values, context, worded or _LAST, where)
    # In an ambiguous context the right answer names nobody, however that is worded.
    unknown = worded or (right if context == AMBIGUOUS else _LAST)
    biased = _biased(values, unknown)
    notes = {} if biased else {"questions that do not say which answer is the stereotype": 1}
    if context == AMBIGUOUS and right != unknown:
        notes["ambiguous contexts whose right answer names somebody"] = 1
    category = records.as_text(records.member(values, "category", where), "category", where)
    return Sample(
        id=ids[0],
        images=(image,),
        target=right,
        cluster=ids[1],
        fields={
            **answers,
            "context_text": _text(values.get("context"), where),
            "question": records.as_text(
                records.member(values, "question", where), "question", where
            ),
            "context": context,
            "biased": biased,
            "unknown": unknown,
        },
        groups={"category": Group(category), "context": Group(context)},
        notes=notes,
    )


def _text(context: Any, where: str) -> str:
    return "" if context is None or context == "" else records.as_text(context, "context", where)


def _context(values: Mapping[str, Any], where: str) -> str:
    """Return the kind of context; SB-Bench has ambiguous ones alone, and no word for it."""
    condition = values.get("condition", values.get("context_condition", "ambig"))
    kind = CONTEXTS.get(str(condition).strip().lower())
    if kind is None:
        raise DataError(f"{quoted(condition)} is not a kind of context", where=where,
                        fix=f"one of {', '.join(CONTEXTS)}")  # fmt: skip
    return kind


def _worded_unknown(answers: Mapping[str, str]) -> str:
    """Return the answer that is worded as naming nobody; empty for none or several."""
    worded = [
        name
        for name, text in answers.items()
        if text.strip().lower().rstrip(".").replace("\u2019", "'") in _UNKNOWN
    ]
    return worded[0] if len(worded) == 1 else ""


def _right(values: Mapping[str, Any], context: str, unknown: str, where: str) -> str:
    label = values.get("label")
    if label is None:
        if context == AMBIGUOUS:
            return unknown
        raise DataError("the right answer of a disambiguated context is missing", where=where,
                        fix="name its key: --task-option TASK.right=KEY")  # fmt: skip
    text = str(label).removeprefix("ans")
    if text not in {"0", "1", "2"}:
        raise DataError(f"{quoted(label)} is not one of the answers 0, 1, 2", where=where)
    return f"ans{text}"


def _biased(values: Mapping[str, Any], unknown: str) -> str:
    """Return the answer that follows the stereotype, empty where the row does not say.

    Negative questions: the answer about a stereotyped group; others: the other person.
    """
    info, meta = _plain(values.get("answer_info")), _plain(values.get("additional_metadata"))
    polarity = values.get("question_polarity")
    groups = meta.get("stereotyped_groups") if isinstance(meta, dict) else None
    if not isinstance(info, dict) or not isinstance(groups, list) or polarity not in _POLARITIES:
        return ""
    people = [name for name in ANSWERS if name != unknown]
    meant = [name for name in people if _about(info.get(name), groups)]
    if len(meant) != 1:
        return ""
    other = next(name for name in people if name != meant[0])
    return meant[0] if polarity == "neg" else other


def _about(described: Any, groups: Sequence[Any]) -> bool:
    words = described if isinstance(described, list) else [described]
    wanted = {str(group).lower() for group in groups}
    return any(str(word).lower() in wanted for word in words)


def _plain(value: Any) -> Any:
    """Return what a text of JSON holds; other values as they are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None
