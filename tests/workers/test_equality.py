"""Models, forms of questions and ways to ask: the bytes of one process at any number of workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from tests.workers.inline import Inline
from tests.workers.test_coordinator import sealed

Faces = Callable[[int], Path]
DEMO = {"preset": "demo"}
WAYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "variants": ("random", "visogender,raf_db", {"variants": "paraphrases"}),
    "shots": ("random", "raf_db", {"shots": 2}),
    "predictions": ("predictions", "raf_db", {"options": {"path": "answers.jsonl"}}),
    "errors": ("socialfusion", "raf_db", {"data": {"raf_db": "raf"}}),
    "writing": ("socialfusion", "gazefollow,raf_db", {"method": "vdd"}),
    "choosing": ("llava", "raf_db,cmsc", {"options": DEMO, "method": "posthoc"}),
    "open": ("llava", "vqav2", {"options": DEMO}),
    "vectors": ("open_clip", "scounter_retrieval,raf_db", {"options": DEMO}),
}
TORCH = {"errors", "writing", "choosing", "open", "vectors"}
HARD = [
    pytest.param(name, marks=[pytest.mark.slow, *([pytest.mark.torch] if name in TORCH else [])])
    for name in WAYS
]


@pytest.fixture
def asked(faces: Faces) -> Callable[..., tuple[str, str, dict[str, Any]]]:
    """Return the arguments of a run; faces with broken images and a file of answers lie there."""
    raf = faces(140)
    for broken in (3, 70, 71):
        path = raf / "basic/Image/aligned" / f"test_{broken:04d}_aligned.jpg"
        path.write_bytes(path.read_bytes()[:100])
    lines = [{"id": f"test_{at:04d}", "answer": "sad"} for at in range(1, 400, 3)]
    Path("answers.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    def of(name: str, results: str) -> tuple[str, str, dict[str, Any]]:
        model, tasks, options = WAYS[name]
        common = {"deterministic": True, "limit": 130, "results": results, "max_errors": 1.0}
        return model, tasks, {**common, **options}

    return of


@pytest.mark.parametrize("name", HARD)
def test_any_number_of_workers(
    asked: Callable[..., tuple[str, str, dict[str, Any]]], name: str
) -> None:
    model, tasks, options = asked(name, "one")
    harness.plan(model, tasks.split(","), **options).run()
    expected = sealed("one")
    for number in (1, 2, 3, 5):
        model, tasks, options = asked(name, f"many{number}")
        plan = harness.plan(model, tasks.split(","), on="processes", **options)
        object.__setattr__(plan.workers, "executor", Inline(number))
        plan.run()
        assert sealed(f"many{number}") == expected, number


@pytest.mark.parametrize("name", HARD)
def test_processes(asked: Callable[..., tuple[str, str, dict[str, Any]]], name: str) -> None:
    model, tasks, options = asked(name, "one")
    harness.run(model, tasks.split(","), **options)
    model, tasks, options = asked(name, "many")
    harness.run(model, tasks.split(","), on="processes", executor_options={"workers": 2}, **options)
    assert sealed("many") == sealed("one")
