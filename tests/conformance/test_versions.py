"""A number that moves on the conformance cases asks for a new version of what moved it.

Metrics and extractors of the core are known in fingerprints by their versions alone; those of
plugins also by their code, yet a version tells people what moved.
``python -m tests.conformance.test_versions`` writes the file anew, once versions are raised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.descriptors import ExtractorDescriptor, MetricDescriptor
from harness.metrics import ScoredSample
from harness.plugins import Plugins
from harness.targets import make
from tests.conformance.test_mmbench import GROUPS
from tests.conformance.test_mmbench import rows as circular_rows

HERE = Path(__file__).parent
FILE = HERE / "versions.json"
OURS = Plugins()
LABELS = ("anger", "fear", "not a face")


def cases(name: str) -> Any:
    return json.loads((HERE / f"{name}_cases.json").read_text(encoding="utf-8"))


def texts() -> list[tuple[str, dict[str, Any]]]:
    """Return answers of the cases, each with the choices it was asked with."""
    letters = [(item["prediction"], item["choices"]) for item in cases("mmbench")["extraction"]]
    return [*letters, *((item["prediction"], {}) for item in cases("vqa")["cases"])]


def extracted(name: str) -> Iterator[Any]:
    extract = make("extractor", name, OURS.extractors(), {}, LABELS)[0]
    for text, choices in texts():
        try:
            result = extract(text, choices)
        except Exception as error:  # noqa: BLE001  what it raises is what it gives
            yield type(error).__name__
        else:
            yield [result.answer, result.problem]


def measured(name: str) -> Iterator[Any]:
    """Yield a metric's numbers on the cases of its kind; nothing where there is no such case."""
    if name in {"vqa_accuracy", "textvqa_accuracy"}:
        metric = make("metric", name, OURS.metrics(), {}, ())[0]
        for case in cases("vqa")["cases"]:
            yield metric.score(ScoredSample("s", "c", case["answers"], case["prediction"]))
    elif name == "map":
        for case in cases("pisc_map")["cases"]:
            labels = tuple(f"class {k}" for k in range(case["num_classes"]))
            rows = [
                ScoredSample("s", "c", labels[truth], None, tuple(scores))
                for truth, scores in zip(case["labels"], case["scores"], strict=True)
            ]
            metric = make("metric", name, OURS.metrics(), {}, labels)[0]
            yield float(metric.value(metric.prepare(rows), np.ones((1, len(rows))))[0])
    elif name == "circular_accuracy":
        metric = make("metric", name, OURS.metrics(), {}, ())[0]
        for group in GROUPS:
            rows = circular_rows(group, "vlmevalkit_bounded")
            yield float(metric.value(metric.prepare(rows), np.ones((1, len(rows))))[0])
    elif name in {"bias_at_k", "ndkl", "retrieval_max_skew", "retrieval_min_skew"}:
        options = {} if name == "ndkl" else {"k": 5}
        metric = make("metric", name, OURS.metrics(), options, ())[0]
        for case in cases("skew")["cases"]:
            pairs = zip(case["groups"], case["scores"], strict=True)
            rows = [
                ScoredSample(
                    f"{index}", "c", None, None, (score,), groups={"gender": group},
                    fields={"concept": "nurse"}, score_kind="similarity",
                )
                for index, (group, score) in enumerate(pairs)
            ]  # fmt: skip
            yield float(metric.value(metric.prepare(rows), np.ones((1, len(rows))))[0])


def digest(values: Iterator[Any]) -> str | None:
    entries = [f"{value:.9f}" if isinstance(value, float) else value for value in values]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:16] if entries else None


def now() -> dict[str, dict[str, Any]]:
    """Return version and digest of everything that has numbers on the cases."""
    listed: list[tuple[str, MetricDescriptor | ExtractorDescriptor, str | None]] = [
        *(("metric", item, digest(measured(name))) for name, item in OURS.metrics().items()),
        *(("extractor", item, digest(extracted(name))) for name, item in OURS.extractors().items()),
    ]
    return {
        f"{kind} {item.id}": {"version": item.version, "numbers": result}
        for kind, item, result in listed
        if result is not None
    }


HELD = json.loads(FILE.read_text()) if FILE.is_file() else {}
NOW = now()


@pytest.mark.parametrize("name", sorted({*HELD, *NOW}))
def test_a_number_that_moves_has_a_new_version(name: str) -> None:
    was, is_now = HELD.get(name), NOW.get(name)
    assert was is not None, "new here: write the file anew"
    assert is_now is not None, "gone: write the file anew"
    if is_now["numbers"] != was["numbers"]:
        assert is_now["version"] > was["version"], f"raise the version of {name}"
    assert is_now == was, "the version was raised: write the file anew"


if __name__ == "__main__":
    FILE.write_text(json.dumps(NOW, indent=1, sort_keys=True) + "\n")
