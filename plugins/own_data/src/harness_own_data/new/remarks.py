"""What `harness new task` says of data that may be amiss, and of what the task leaves out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import combinations, islice

from harness.errors import near, quoted
from harness.evaluation.task import Task
from harness.samples import ImageRef

from harness_own_data.new.look import CLUSTERS, ROWS, Look
from harness_own_data.new.write import Answers, group_name
from harness_own_data.table.missing import BY_PATH, elsewhere

_BOXES = {"bbox", "box", "x", "y", "w", "h", "x1", "y1", "x2", "y2", "xmin", "ymin", "xmax", "ymax",
          "left", "top", "width", "height", "bbox_x", "bbox_y", "bbox_w", "bbox_h"}  # fmt: skip
_RARE = 20  # times as many rows have the other label of which one may be a slip
_ALIKE = 0.85  # similarity from which on a label of several rows may be a slip
_SINGLES = 5  # values of one row each that are named one by one
_NO_VALUE = {"nan", "n/a", "#n/a", "na", "null", "nil", "none", "?", "-", "--", "missing"}
"""How tables write that a cell has no value; in a CSV they are texts like others."""
_JOINED = re.compile(r"\s*[;|,+]\s*")
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])")


def of_columns(data_look: Look, answers: Answers) -> Iterator[str]:
    """Yield what may be amiss with the columns that the task reads: ids, labels, groups."""
    column = data_look.columns.get(data_look.unfit_id())
    if column is not None and column.again:
        reason = f"in which {quoted(column.again)} occurs twice"
        yield f"not used as id: {column.name}, {reason}; ids are line numbers"
    elif column is not None:
        yield f"not used as id: {column.name}, which is empty in some rows; ids are line numbers"
    target = data_look.columns[answers.target]
    if target.empty:
        yield f"without a right answer: {target.empty:,} of {target.rows:,} rows"
    if answers.labels:
        yield from _slips("label", "labels", target.counts)
        yield from _labels(answers.labels)
    for name, (group, _) in answers.groups.items():
        yield from _slips(name, f"values of {name}", data_look.columns[group].counts)
    subject = data_look.first(CLUSTERS)
    if subject and data_look.columns[subject].empty and answers.cluster != subject:
        yield f"not used as subject: {subject}, which is empty in some rows"


def of_images(task: Task, data_look: Look) -> Iterator[str]:
    """Yield how many images of the evaluated split are not there, or are in the train split too.

    Raises:
        DataError: a row that the task cannot read.
    """
    if data_look.is_folder:  # its rows are the images that lie there
        for what, files in task.left_out(task.spec.data.split).items():
            yield f"{what}: {files:,}"
        return
    images: dict[str, bool] = {}
    folders: dict[str, set[str]] = {}
    unnamed = rows = 0
    for sample in islice(task.samples(), ROWS):
        rows += 1
        unnamed += sample.fault is not None and sample.fault.kind == "image_missing"
        for image in sample.images:
            if image.load is None and image.data is None and image.name not in images:
                images[image.name] = _lies_there(image, folders)
    missing = [name for name, is_there in images.items() if not is_there]
    if missing:
        hint = elsewhere(data_look.root, missing[0])
        hint = "" if hint == BY_PATH else f" ({hint})"
        count = f"{len(missing):,} of {len(images):,} images"
        yield f"not there: {count}, such as {quoted(missing[0])}{hint}; such rows are not asked"
    if unnamed:
        yield f"without an image: {unnamed:,} of {rows:,} rows; they are not asked"
    if images and task.spec.data.train_split:
        train = islice(task.samples(task.spec.data.train_split), ROWS)
        shared = images.keys() & {image.name for sample in train for image in sample.images}
        if shared:
            count = f"{len(shared):,} of {len(images):,} images"
            yield f"in the train split too: {count}, such as {quoted(min(shared))}"


def _lies_there(image: ImageRef, folders: dict[str, set[str]]) -> bool:
    """Whether an image is there; each folder is listed once, as a look for each file is slow."""
    root, folder = image.root, image.name.rpartition("/")[0]
    if root is None:
        return False
    if folder not in folders:
        folders[folder] = set(root.list(folder)) if root.is_dir(folder) else set()
    return image.name in folders[folder] or root.is_file(image.name)


def left_out(data_look: Look, answers: Answers) -> Iterator[str]:
    """Yield what the data hold and the task leaves out, and the flag that takes it in."""
    reported = {column for column, _ in answers.groups.values()}
    for name in data_look.groups():
        if name not in reported:
            yield f"not reported apart: {name} (--group {group_name(name)}={name}:human)"
    read = {answers.target, answers.cluster, *answers.fields, *reported}
    for name in data_look.targets():
        if name not in read and name not in answers.question:
            yield f"not read, and may be a right answer too: {name} (--target {name})"
    for name in data_look.all_images()[0]:
        if name not in answers.images and answers.images:
            yield f"images left out: {name} (--image {','.join([*answers.images, name])})"
    boxes = [name for name in data_look.columns if name.lower() in _BOXES]
    if boxes:
        yield f"boxes left out: {', '.join(boxes)} (data.options.boxes in the spec)"


def _slips(kind: str, kinds: str, counts: Mapping[str, int]) -> Iterator[str]:
    """Yield values that may be another one written amiss, and those that a single row has."""
    same: set[str] = set()
    for first, second in combinations(counts, 2):
        if how := _written_alike(first, second):
            same |= {first, second}
            yield f"two {kinds} differ by {how} alone: {first}, {second}"
        elif kind != "label" and _is_initial(first, second):
            yield f"two {kinds} may be one: {first}, {second}"
    for value, count in counts.items():
        if value.strip().casefold() in _NO_VALUE:
            yield f"{count:,} rows have the {kind} {quoted(value)}, which may stand for none"
    singles = [value for value, count in counts.items() if count == 1 and value not in same]
    if len(singles) > _SINGLES:
        yield f"{len(singles):,} {kinds} have one row each, such as {quoted(singles[0])}"
        singles = []
    for value, count in counts.items():
        others = [other for other in counts if counts[other] >= max(2, count)]
        others = [] if value in same or _is_number(value) else others
        if value in singles:
            likely = near(value, others)
            yield f"one row has the {kind} {quoted(value)}" + (f": {likely}" if likely else "")
        elif count > 1:
            for other in others:
                alike = SequenceMatcher(None, value, other).ratio() >= _ALIKE
                if alike and counts[other] >= _RARE * count:
                    yield f"{count:,} rows have the {kind} {quoted(value)}; {quoted(other)} is near"


def _labels(labels: Sequence[str]) -> Iterator[str]:
    """Yield what labels may stand for: several at once, or the numbers of classes."""
    for label in labels:
        parts = _JOINED.split(label)
        if len(parts) > 1 and not set(labels).isdisjoint(parts):
            yield f"the label {quoted(label)} may be several; it is one of its own here"
    if sorted(labels) == sorted(map(str, range(len(labels)))):
        yield (
            f"labels are the numbers 0 to {len(labels) - 1}, and a model is asked for them: name "
            "the classes by a column of names, or by ask.choose.text"
        )


def _written_alike(first: str, second: str) -> str:
    """Return in what alone two values differ; nothing if they are two."""
    if first.casefold() == second.casefold():
        return "case"
    if _is_number(first) and _is_number(second) and float(first) == float(second):
        return "how a number is written"
    one, other = (
        _BETWEEN_LETTERS.sub("", unicodedata.normalize("NFKC", text).casefold().strip())
        for text in (first, second)
    )
    return "spaces, lines or how letters are encoded" if one == other else ""


def _is_initial(first: str, second: str) -> bool:
    """Whether one of two words is the other's first letter."""
    shorter, longer = sorted((first.strip().casefold(), second.strip().casefold()), key=len)
    return len(shorter) == 1 < len(longer) and shorter.isalpha() and longer.startswith(shorter)


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text)
    except ValueError:
        return False
