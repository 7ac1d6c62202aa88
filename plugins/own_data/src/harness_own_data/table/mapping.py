"""The options of the reader `table` as checked data: which column is what of a sample."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from harness.descriptors import Json
from harness.errors import UserError, quoted, unknown

_BRACES = re.compile(r"\{([^{}]*)\}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FORMS = ("xyxy", "xywh", "cxcywh")
_UNITS = {"pixels": "pixel", "shares": "relative", "pixel": "pixel", "relative": "relative"}
Labelled = Literal["human", "machine"]


@dataclass(frozen=True, slots=True)
class ImageColumn:
    """Where one image of a row stands.

    Attributes:
        columns: Those that it reads: one, or those that a pattern names.
        pattern: Text with ``{}`` for each column; empty for a plain column.
    """

    columns: tuple[str, ...]
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class GroupColumn:
    """A group's column, and who said who is in it."""

    column: str
    labelled_by: Labelled


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """A box: four columns, or one that lists four numbers."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column is what.

    Attributes:
        fields: Field to column.
        groups: Group to column.
        form: How boxes are written: ``xyxy``, ``xywh``, ``cxcywh``.
        unit: Of boxes.
    """

    id: str | None
    images: tuple[ImageColumn, ...]
    target: str | None
    fields: Mapping[str, str]
    groups: Mapping[str, GroupColumn]
    cluster: str | None
    boxes: tuple[BoxColumns, ...]
    form: str
    unit: Literal["pixel", "relative"]
    split: str | None

    def named(self) -> list[tuple[str, str]]:
        """Return every column with the option that names it, each column once."""
        pairs: list[tuple[str, str]] = []
        for option in ("id", "target", "cluster"):
            column = getattr(self, option)
            pairs += [(column, option)] if column else []
        pairs += [(self.split, "split_column")] if self.split else []
        pairs += [(column, "image") for image in self.images for column in image.columns]
        pairs += [(column, "fields") for column in self.fields.values()]
        pairs += [(group.column, "groups") for group in self.groups.values()]
        pairs += [(column, "boxes") for box in self.boxes for column in box.columns]
        return list({column: (column, option) for column, option in reversed(pairs)}.values())[::-1]


def column_map(options: Mapping[str, Json]) -> ColumnMap:
    """Return the mapping that options write.

    Raises:
        UserError: an option of another shape; it says which, and what it should be.
    """
    boxes, form, unit = _boxes(options.get("boxes"))
    return ColumnMap(
        id=_column(options, "id"),
        images=_images(options.get("image")),
        target=_column(options, "target"),
        fields=_fields(options.get("fields")),
        groups=_groups(options.get("groups")),
        cluster=_column(options, "cluster"),
        boxes=boxes,
        form=form,
        unit=unit,
        split=_column(options, "split_column"),
    )


def _wrong(option: str, value: object, wanted: str) -> UserError:
    return UserError(f"{quoted(value)} is not {wanted}", where=f"data.options.{option}")


def _column(options: Mapping[str, Json], option: str) -> str | None:
    value = options.get(option)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise _wrong(option, value, "the name of a column")
    return value


def _texts(option: str, value: object, wanted: str) -> list[str]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
        raise _wrong(option, value, wanted)
    return cast("list[str]", items)


def _images(value: Json) -> tuple[ImageColumn, ...]:
    if value is None:
        return ()
    texts = _texts("image", value, "a column, a list of columns, or a pattern with {column}")
    return tuple(map(_image, texts))


def _image(text: str) -> ImageColumn:
    names = _BRACES.findall(text)
    if not names:
        return ImageColumn((text,))
    if not all(names):
        raise _wrong("image", text, "a pattern: {} names no column")
    return ImageColumn(tuple(names), _BRACES.sub("{}", text))


def _fields(value: Json) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        pairs = dict(value)
    else:
        names = _texts("fields", value, "a list of columns, or field to column")
        pairs = {name: name for name in names}
    for field, column in pairs.items():
        if not isinstance(column, str) or not column:
            raise _wrong("fields", column, "the name of a column")
        if not _FIELD.fullmatch(field):
            raise UserError(
                f"a prompt cannot use the field {quoted(field)}",
                where="data.options.fields",
                fix=f"fields: {{my_name: {field!r}}} gives it a name of letters, digits and _",
            )
    return cast("dict[str, str]", pairs)


def _groups(value: Json) -> dict[str, GroupColumn]:
    if value is None:
        return {}
    wanted = "{NAME: {column: COLUMN, labelled_by: human or machine}}"
    if not isinstance(value, Mapping):
        raise _wrong("groups", value, wanted)
    groups: dict[str, GroupColumn] = {}
    for name, entry in value.items():
        if not isinstance(entry, Mapping):
            raise UserError(
                f"the group {name!r} does not say who labelled it",
                where="data.options.groups",
                fix=f"{name}: {{column: {entry}, labelled_by: human}}, or machine",
            )
        for key in entry:
            if key not in {"column", "labelled_by"}:
                raise unknown("key", str(key), ("column", "labelled_by"),
                              where=f"data.options.groups.{name}")  # fmt: skip
        column, by = entry.get("column", name), entry.get("labelled_by")
        if by not in {"human", "machine"} or not isinstance(column, str):
            raise _wrong(f"groups.{name}", entry, wanted)
        groups[name] = GroupColumn(column, cast("Labelled", by))
    return groups


def _boxes(
    value: Json,
) -> tuple[tuple[BoxColumns, ...], str, Literal["pixel", "relative"]]:
    if value is None:
        return (), "xyxy", "pixel"
    wanted = "{NAME: [x1, y1, x2, y2], form: xyxy, unit: pixels}"
    if not isinstance(value, Mapping):
        raise _wrong("boxes", value, wanted)
    entries = dict(value)
    form, unit = entries.pop("form", None), entries.pop("unit", None)
    for key, choices in (("form", _FORMS), ("unit", ("pixels", "shares"))):
        if key not in value:
            raise UserError(f"the key {key!r} is missing", where="data.options.boxes",
                            fix=f"{key}: {' or '.join(choices)}")  # fmt: skip
    if form not in _FORMS:
        raise unknown("form", str(form), _FORMS, where="data.options.boxes.form")
    if unit not in _UNITS:
        raise unknown("unit", str(unit), ("pixels", "shares"), where="data.options.boxes.unit")
    boxes = []
    for name, columns in entries.items():
        texts = _texts(f"boxes.{name}", columns, "four columns, or one that lists four numbers")
        if len(texts) not in {1, 4}:
            raise _wrong(f"boxes.{name}", columns, "four columns, or one that lists four numbers")
        boxes.append(BoxColumns(name, tuple(texts)))
    return tuple(boxes), str(form), cast("Literal['pixel', 'relative']", _UNITS[str(unit)])


def corners(numbers: Sequence[float], form: str) -> tuple[float, float, float, float]:
    """Return a box as ``x1, y1, x2, y2``."""
    a, b, c, d = numbers
    forms: dict[str, Callable[[], tuple[float, float, float, float]]] = {
        "xyxy": lambda: (a, b, c, d),
        "xywh": lambda: (a, b, a + c, b + d),
        "cxcywh": lambda: (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
    }
    return forms[form]()
