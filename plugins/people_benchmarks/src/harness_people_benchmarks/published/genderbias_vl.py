"""GenderBias-VL's summary figures, out of the authors' per-pair files.

``python -m harness_people_benchmarks.published.genderbias_vl FOLDER`` prints them as JSON, FOLDER
being ``bias_metric/bias_merge_swap_test`` of the repository GenderBiasVL/GenderBias-VL, or it.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from harness.errors import DataError
from harness.jsonfiles import refuse_missing

KINDS = ("VLbias", "Vbias", "Lbias")
_COLUMNS = {"B_ovl": "bias", "Accuracy": "acc", "IPSS": "ipss"}


def overall(folder: Path, measure: str = "probability") -> dict[str, dict[str, float]]:
    """Return each model's figures in percent, by model and ``VLbias B_ovl`` and the like.

    Args:
        folder: ``bias_merge_swap_test``, or a folder above it.
        measure: ``probability`` or ``outcome``.

    Raises:
        DataError: no such files, one without a column, or a value that is not a number.
    """
    refuse_missing(folder)
    pattern = f"merge_bias_{measure}/*/*.csv"
    files = sorted({*folder.glob(pattern), *folder.glob(f"**/{pattern}")})
    if not files:
        raise DataError(f"the folder has no per-pair file: looked for {pattern}", where=folder,
                        fix="clone GenderBiasVL/GenderBias-VL and name its folder")  # fmt: skip
    models: dict[str, dict[str, float]] = {}
    for path in files:
        model, _, kind = path.stem.rpartition("_")
        for name, value in _of_file(path).items():
            models.setdefault(model, {})[f"{kind} {name}"] = value
    return models


def _of_file(path: Path) -> dict[str, float]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise DataError("the file holds no pair", where=path)
    means = {}
    for name, column in _COLUMNS.items():
        if column not in rows[0]:
            raise DataError(f"the column {column!r} is missing", where=path)
        try:
            values = [abs(float(row[column])) for row in rows]
        except (TypeError, ValueError):
            raise DataError(f"the column {column!r} holds no numbers", where=path) from None
        means[name] = sum(values) / len(values)
    return means


if __name__ == "__main__":
    print(json.dumps(overall(Path(sys.argv[1])), indent=1))
