"""Small sites of made-up evaluations, hostile where that can hurt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness_site.build import build_site
from harness_site.questions import Sources

from harness.config.settings import Settings
from harness.plugins import plugins
from harness.runs.read import survey
from harness.specs.catalog import load_catalog
from harness.tables.build import TableOptions
from tests.runs.sealed import FACES, answers, sample, write

HOSTILE = '</script><img src=x onerror="document.title=1">$x_1$ & \u202egnp'
SURROGATE = "\ud800"


def hostile_samples() -> list[dict[str, Any]]:
    answered = answers({0: HOSTILE, 1: None})
    answered[0] |= {"id": HOSTILE, "text": HOSTILE, "groups": {HOSTILE: [HOSTILE, HOSTILE]}}
    answered[2] |= {"fields": {"__proto__": HOSTILE, "constructor": SURROGATE}}
    answered.append(sample("7", "fear", "fear", error=HOSTILE))
    return answered


def evaluations(folder: Path) -> Path:
    write(folder / "one", answers({1: "fear"}), model="plain", marks=["demo"])
    write(folder / "two", answers({1: "anger", 2: None, 3: "sadness"}), model="other")
    write(folder / "three", hostile_samples(), model=HOSTILE, marks=["limited"])
    return folder


def many(folder: Path, number: int) -> Path:
    for model in ("plain", "other"):
        entries = [
            sample(f"{index:05}", FACES[index % 6], FACES[(index + index // 7) % 6])
            for index in range(number)
        ]
        if model == "other":
            entries[3] |= sample("00003", FACES[3], "disgust")
        write(folder / model, entries, model=model)
    return folder


def built(out: Path, places: Sequence[Path], **changes: Any) -> Path:
    messages: list[str] = []
    records = [record for position in places for record in survey(position)[0]]
    sources = Sources(
        catalog=load_catalog(plugins().spec_folders()),
        settings=Settings(profile="full", results=out, cache=out),
        images=changes.pop("images", 0),
        figures=changes.pop("figures", False),
        say=messages.append,
        layouts=changes.pop("layouts", ()),
    )
    build_site(out, records, TableOptions(), sources)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def data(path: Path) -> Any:
    """Return what a data file hands over."""
    text = path.read_text(encoding="ascii")
    head, _, remainder = text.partition(",")
    assert head.startswith('siteData("')
    assert remainder.endswith(");\n")
    return json.loads(remainder[:-3])
