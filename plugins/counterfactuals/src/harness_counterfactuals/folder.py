"""A finished folder of counterfactual sets, opened: its rows, images, scores and manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from io import BytesIO
from itertools import groupby, islice
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, SampleError, UserError
from harness.jsonfiles import as_object, open_file, parse_json
from harness.resources import file_hash
from harness.runs.seal import check_files, open_whole, write_whole

from harness_counterfactuals.contract import Score
from harness_counterfactuals.manifest import (
    ABOUT,
    IMAGES,
    KEPT,
    MADE,
    MANIFEST,
    PARQUET,
    SCORES,
    SEALED,
    SPEC,
    About,
    Drop,
    Row,
)

if TYPE_CHECKING:
    from harness.descriptors import Json
    from PIL import Image

_BATCH = 2_000  # rows that become columns of Parquet at once


@dataclass(frozen=True, slots=True)
class SetFolder:
    """A finished folder of counterfactual sets.

    Attributes:
        directory: Where it lies.
        about: What it says of itself.
    """

    directory: Path
    about: About

    @classmethod
    def open(cls, directory: Path) -> SetFolder:
        """Open a folder and check its seal; images are checked as they are opened.

        Raises:
            UserError: not finished, changed since, or no folder of sets.
        """
        if not (directory / MADE.file).exists() and not (directory / SPEC).exists():
            raise UserError(
                "is not a folder of counterfactual sets",
                where=directory,
                fix="the folder that harness make counterfactuals wrote with --out",
            )
        contents = check_files(directory, SEALED, MADE)
        data = as_object(parse_json(contents[ABOUT], directory / ABOUT), directory / ABOUT)
        try:
            return cls(directory, About(**data))
        except TypeError:
            raise DataError("does not have the expected keys", where=directory / ABOUT) from None

    def rows(self) -> list[Row]:
        """Return the rows as they were made, in the order of the plan; without scores."""
        return list(self._rows(IMAGES))

    def sets(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield each set with its rows, in the order of the plan."""
        for name, rows in groupby(self._rows(IMAGES), key=lambda row: row.set):
            yield name, list(rows)

    def manifest(self) -> list[Row]:
        """Return the rows with scores and reasons, as they were joined last."""
        return list(self._rows(MANIFEST))

    def image(self, row: Row) -> Image.Image:
        """Open an image (RGB).

        Raises:
            DataError: it is missing, was changed since it was made, or cannot be read.
        """
        from harness.samples.images import open_image
        from harness.samples.roots import data_root
        from harness.samples.sample import ImageRef

        try:
            opened = open_image(ImageRef(row.file, data_root(self.directory)))
        except SampleError as error:
            raise DataError(str(error), where=self.directory, fix=MADE.anew) from None
        if opened.sha256 != row.sha256:
            where = self.directory / row.file
            raise DataError("changed since it was made", where=where, fix=MADE.anew)
        return opened.pixels

    @contextmanager
    def open_scores(
        self, filter_name: str, version: str, settings: Mapping[str, Json]
    ) -> Iterator[Callable[[Row, Score], None]]:
        """Open the scores of a filter; an older file of it is replaced at the end.

        Args:
            filter_name: Its id; ``human`` for what reviewers decided.
            version: The filter's.
            settings: Options and needs, recorded in the header.

        Returns:
            What takes an image's row and its score, and writes them.

        Raises:
            UserError: it cannot be written.
        """
        (self.directory / SCORES).mkdir(exist_ok=True)
        header = {
            "filter": filter_name,
            "version": version,
            **settings,
            "images": file_hash(self.directory / IMAGES),
        }
        with open_whole(self.directory / SCORES / f"{filter_name}.jsonl") as handle:
            handle.write(_line(header))

            def write(row: Row, score: Score) -> None:
                line = {"file": row.file, "values": dict(score.values), "drops": score.drops}
                handle.write(_line(line))

            yield write

    def write_scores(
        self,
        filter_name: str,
        version: str,
        settings: Mapping[str, Json],
        scores: Iterable[tuple[Row, Score]],
    ) -> None:
        """Write what a filter found of every image, as :meth:`open_scores` does."""
        with self.open_scores(filter_name, version, settings) as write:
            for row, score in scores:
                write(row, score)

    def scores(self) -> Mapping[str, Mapping[str, Score]]:
        """Return what stands in ``scores``: filter to file to score, each read when it is used.

        Raises:
            UserError: when it is read: a damaged file, or these scores belong to other images.
        """
        return _Scores(self.directory)

    def write_manifest(self, drop: Drop | None = None) -> list[Row]:
        """Join rows and scores; write ``manifest`` (JSON lines and Parquet) and ``kept``.

        Args:
            drop: What goes when one image is not fit; as the spec says by default.

        Returns:
            The rows of the manifest.

        Raises:
            UserError: as :meth:`scores`; or a file cannot be written.
        """
        rows = joined(self.rows(), self.scores(), drop or self.about.drop)
        write_whole(self.directory / MANIFEST, (_line(row.to_json()) for row in rows))
        write_whole(
            self.directory / KEPT, (_line(row.to_json()) for row in rows if not row.dropped)
        )
        flat = rows[0].to_json() if rows else {}
        _write_parquet(self.directory / PARQUET, self.directory / MANIFEST, flat)
        return rows

    def _rows(self, name: str) -> Iterator[Row]:
        path = self.directory / name
        with path.open("rb") as handle:
            for number, line in enumerate(handle, 1):
                where = f"{path}:{number}"
                yield Row.from_json(
                    as_object(parse_json(line, where), where), self.about.attributes, where
                )


def joined(rows: Sequence[Row], scores: Mapping[str, Mapping[str, Score]], drop: Drop) -> list[Row]:
    """Return rows with scores and with the reasons of all that drop them.

    Args:
        rows: As they were made.
        scores: Filter to file to score; a filter need not have scored every image.
        drop: What goes with an image that is not fit: its set, its base, or itself.
    """

    def whole(row: Row) -> str:
        return {"set": row.set, "base": row.base, "image": row.file}[drop]

    values: list[dict[str, float | None]] = [{} for _ in rows]
    reasons: dict[str, dict[str, None]] = {}
    for name, by_file in scores.items():
        keys = dict.fromkeys(key for score in by_file.values() for key in score.values)
        columns = {key: intern(f"{name}.{key}") for key in keys}
        for row, row_values in zip(rows, values, strict=True):
            score = by_file.get(row.file)
            # Every row has every key: readers of tables refuse rows that lack one.
            for key, column in columns.items():
                row_values[column] = None if score is None else score.values.get(key)
            if score is not None and score.drops:
                reasons.setdefault(whole(row), {})[f"{name}: {score.drops}"] = None
    return [
        replace(row, scores=row_values, dropped="; ".join(reasons.get(whole(row), ())))
        for row, row_values in zip(rows, values, strict=True)
    ]


class _Scores(Mapping[str, Mapping[str, Score]]):
    """The scores of a folder; those of one filter are in memory only while they are used."""

    def __init__(self, directory: Path) -> None:
        self._images = file_hash(directory / IMAGES)
        self._files = {path.stem: path for path in sorted((directory / SCORES).glob("*.jsonl"))}

    def __getitem__(self, name: str) -> Mapping[str, Score]:
        return _scores_of(self._files[name], self._images)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _scores_of(path: Path, images: str) -> dict[str, Score]:
    """Return the scores of one filter's file; its images must be these."""
    scores: dict[str, Score] = {}
    with open_file(path) as handle:
        header = as_object(parse_json(handle.readline(), path), path)
        if header.get("images") != images:
            raise UserError(
                "these scores belong to other images",
                where=path,
                fix="harness make counterfactuals ... --filter-only scores them anew",
            )
        for number, line in enumerate(handle, 2):
            where = f"{path}:{number}"
            entry = as_object(parse_json(line, where), where)
            values, drops = entry.get("values"), entry.get("drops")
            if not isinstance(values, dict) or not isinstance(drops, str):
                raise DataError("this line is not a score written by the harness", where=where)
            named = {intern(key): value for key, value in values.items()}
            scores[intern(str(entry.get("file")))] = Score(named, intern(drops))
    return scores


def _write_parquet(path: Path, rows: Path, flat: Mapping[str, Any]) -> None:
    """Write rows of JSON lines as Parquet, a column for each key in the order of the first row.

    Arrow reads the lines: from objects it would load pandas, which takes 45 MB. Without pyarrow
    there is no such file, nor an older one that says something else.
    """
    if find_spec("pyarrow") is None:
        path.unlink(missing_ok=True)
        return
    import pyarrow as pa
    from pyarrow import json as arrow_json
    from pyarrow import parquet

    kinds = {bool: pa.bool_(), int: pa.int64(), str: pa.string()}
    # Scores are numbers even where the first rows have none.
    schema = pa.schema([(name, kinds.get(type(flat[name]), pa.float64())
                         if "." not in name else pa.float64()) for name in flat])  # fmt: skip
    parsing = arrow_json.ParseOptions(schema, unexpected_field_behavior="error")
    with (
        rows.open("rb") as lines,
        open_whole(path) as handle,
        parquet.ParquetWriter(handle, schema) as writer,
    ):
        while text := b"".join(islice(lines, _BATCH)):
            reading = arrow_json.ReadOptions(use_threads=False, block_size=len(text))
            writer.write_table(arrow_json.read_json(BytesIO(text), reading, parsing))
