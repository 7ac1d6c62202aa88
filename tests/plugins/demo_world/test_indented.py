"""JSON with an indent is what the standard library writes."""

from __future__ import annotations

import json

import pytest
from harness_demo_world.layouts.indented import indented


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"a": {}, "b": [], "c": [[]], "d": [{}], "e": None},
        {"true": True, "one": 1, "float": 1.0, "again": [1, True, 1.0, False, 0, 0.0, -0.0]},
        {"small": [1e-07, 0.1, 123456.789, 1e22], "text": 'quo"te\n\u00e9\u2028', "\u00e9": "x"},
        [{"labels": {"000000.jpg": [{"box": [1.5, 2], "sure": {"waving": 1}}]}}, "end"],
    ],
)
def test_the_text_is_that_of_json_dumps(value: object) -> None:
    assert indented(value) == json.dumps(value, indent=1)
