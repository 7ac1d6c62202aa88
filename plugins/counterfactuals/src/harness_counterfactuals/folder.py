"""A finished folder of counterfactual sets, opened: its rows, images, scores and manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, SampleError, UserError
from harness.jsonfiles import as_object, parse_json, read_file
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
            raise UserError("is no folder of counterfactual sets", where=directory)
        contents = check_files(directory, SEALED, MADE)
        data = as_object(parse_json(contents[ABOUT], directory / ABOUT), directory / ABOUT)
        try:
            return cls(directory, About(**data))
        except TypeError:
            raise DataError("holds other keys than it should", where=directory / ABOUT) from None

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

    def write_scores(
        self,
        filter_name: str,
        version: str,
        told: Mapping[str, Json],
        scores: Iterable[tuple[Row, Score]],
    ) -> None:
        """Write what a filter found of every image; an older file of it is replaced.

        Args:
            filter_name: Its id; ``human`` for what reviewers decided.
            version: The filter's.
            told: Options and needs, recorded in the header.
            scores: A score for each image; written as they come.

        Raises:
            UserError: it cannot be written.
        """
        (self.directory / SCORES).mkdir(exist_ok=True)
        header = {
            "filter": filter_name,
            "version": version,
            **told,
            "images": file_hash(self.directory / IMAGES),
        }
        lines = (
            _line({"file": row.file, "values": dict(score.values), "drops": score.drops})
            for row, score in scores
        )
        path = self.directory / SCORES / f"{filter_name}.jsonl"
        write_whole(path, chain([_line(header)], lines))

    def scores(self) -> dict[str, dict[str, Score]]:
        """Return what stands in ``scores``: filter to file to score.

        Raises:
            UserError: a damaged file, or scores of other images than these.
        """
        images = file_hash(self.directory / IMAGES)
        return {
            path.stem: _scores_of(path, images)
            for path in sorted((self.directory / SCORES).glob("*.jsonl"))
        }

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
        _write_parquet(self.directory / PARQUET, [row.to_json() for row in rows])
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

    keys = {
        name: dict.fromkeys(key for score in by_file.values() for key in score.values)
        for name, by_file in scores.items()
    }
    reasons: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, by_file in scores.items():
            if (score := by_file.get(row.file)) is not None and score.drops:
                reasons.setdefault(whole(row), {})[f"{name}: {score.drops}"] = None
    return [
        replace(
            row,
            # Every row has every key: readers of tables refuse rows that lack one.
            scores={
                f"{name}.{key}": by_file[row.file].values.get(key) if row.file in by_file else None
                for name, by_file in scores.items()
                for key in keys[name]
            },
            dropped="; ".join(reasons.get(whole(row), ())),
        )
        for row in rows
    ]


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _scores_of(path: Path, images: str) -> dict[str, Score]:
    """Return the scores of one filter's file; its images must be these."""
    lines = read_file(path).splitlines()
    header = as_object(parse_json(lines[0] if lines else b"", path), path)
    if header.get("images") != images:
        raise UserError(
            "scores of other images than these",
            where=path,
            fix="harness make counterfactuals ... --filter-only scores them anew",
        )
    scores: dict[str, Score] = {}
    for number, line in enumerate(lines[1:], 2):
        where = f"{path}:{number}"
        entry = as_object(parse_json(line, where), where)
        values, drops = entry.get("values"), entry.get("drops")
        if not isinstance(values, dict) or not isinstance(drops, str):
            raise DataError("no score that this harness wrote", where=where)
        scores[str(entry.get("file"))] = Score(values, drops)
    return scores


def _write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as Parquet, a column for each key in the order in which they first come.

    Without pyarrow there is no such file, nor an older one that says something else.
    """
    if find_spec("pyarrow") is None:
        path.unlink(missing_ok=True)
        return
    import pyarrow as pa
    from pyarrow import parquet

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    with open_whole(path) as handle:
        parquet.write_table(pa.table(columns), handle)
