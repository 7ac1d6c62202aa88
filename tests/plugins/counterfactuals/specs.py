"""A spec of counterfactual sets that tests change."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from harness_counterfactuals.spec import Spec, load_spec

PLAIN: dict[str, Any] = {
    "id": "trial",
    "title": "A trial",
    "purpose": "tests",
    "licence": "CC0-1.0",
    "attributes": {
        "gender": {"woman": "woman", "man": "man"},
        "race": {"asian": "Asian", "black": "Black", "middle_eastern": "Middle Eastern"},
    },
    "edited": "race",
    "concepts": {
        "chef": {
            "group": "responsibility",
            "prompts": ["a photo of {a race} {gender}, a chef"],
        }
    },
    "sets": 2,
    "image": {"width": 32, "height": 32},
    "generator": {"model": "someone/sdxl", "steps": 4},
}


def spec_file(folder: Path, **changes: Any) -> Path:
    """Write the spec with other keys; ``None`` removes one."""
    data = copy.deepcopy(PLAIN) | changes
    path = folder / "trial.yaml"
    remaining = {key: value for key, value in data.items() if value is not None}
    path.write_text(yaml.safe_dump(remaining, sort_keys=False), "utf-8")
    return path


def spec_with(folder: Path, **changes: Any) -> Spec:
    """Return the spec with other keys."""
    return load_spec(str(spec_file(folder, **changes)))
