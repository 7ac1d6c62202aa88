"""CPU time of building a site, and the size of its first pages, on evaluations made for it.

Wanted: 20 runs of 10,000 samples in at most 60 seconds; the first page, and the first page of the
sample browser, with all they load under 300 KB, also with 100,000 samples. Prompts and images
are left out: they cost what the task's reader costs, once a task. With ``--browser``, headless
Chromium opens the sample browser, filters, shows the gallery, and opens a sample; seconds are
wall clock.

Examples:
    python benchmarks/site.py --runs 20 --samples 10000
    python benchmarks/site.py --runs 2 --samples 100000 --no-figures --browser
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from harness_site.build import build_site
from harness_site.questions import Sources

from harness.config.settings import Settings
from harness.evaluation.summarise import Summary, summarise
from harness.plugins import plugins
from harness.resources import data_folder
from harness.runs.read import survey
from harness.runs.sample_record import SampleRecord
from harness.runs.seal import seal
from harness.specs.catalog import load_catalog
from harness.specs.loader import load_task
from harness.specs.resolve import parts, resolved
from harness.tables.build import TableOptions

WANTED_SECONDS, WANTED_BYTES = 60.0, 300_000
SPEC = load_task(data_folder("task_specs") / "social" / "raf_db.yaml")
GENDERS, AGES = ("female", "male"), ("0-3", "4-19", "20-39", "40-69", "70+")


def sample(number: int, labels: tuple[str, ...], drawn: random.Random) -> dict[str, Any]:
    scores = [round(drawn.random(), 6) for _ in labels]
    return {
        "id": f"test_{number:06}",
        "cluster": str(number),
        "stratum": "",
        "target": labels[number % len(labels)],
        "answer": labels[scores.index(max(scores))],
        "problem": "",
        "error": None,
        "fields": {},
        "groups": {"gender": [GENDERS[number % 2], "human"], "age": [AGES[number % 5], "human"]},
        "images": [],
        "prompt": "0" * 16,
        "score_kind": "logprob",
        "scores": scores,
    }


@cache
def summary_of(samples: int) -> Summary:
    """Summarise once: what a site costs does not depend on the numbers."""
    return summarise(SPEC, [list(map(SampleRecord.from_json, samples_of(0, samples)))])


def samples_of(run: int, samples: int) -> list[dict[str, Any]]:
    drawn = random.Random(run)
    return [sample(number, SPEC.labels, drawn) for number in range(samples)]


def write(folder: Path, run: int, samples: int) -> None:
    """Write one sealed evaluation of RAF-DB with random answers."""
    spec, scored, summary = SPEC, samples_of(run, samples), summary_of(samples)
    evaluation = {
        "format": 1,
        "fingerprint": f"{run:064x}",
        "model": {"id": f"model_{run}", "fingerprint": f"{run:064x}", "options": {}},
        "task": {
            "id": spec.id,
            "title": spec.title,
            "version": spec.version,
            "fingerprint": "0" * 64,
            "parts": {**parts(spec), "sample ids": str(samples)},
            "options": {},
        },
        "settings": {"seed": 0},
        "marks": ["demo"],
        "images": None,
        "counts": {
            name: getattr(summary.counts, name)
            for name in (
                "samples", "scored", "errors", "unparsed", "refusals", "clusters", "unlabelled"
            )
        },
        "versions": {"social-harness": "0.1.0"},
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    (folder / "metrics.json").write_text(json.dumps(summary.as_json()))
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in scored))
    (folder / "spec.yaml").write_text(json.dumps(resolved(spec)))
    (folder / "timings.json").write_text(json.dumps({"finished": "2026-01-01T00:00:00+00:00"}))
    seal(folder)


def looked_at(page: Path, home: Path) -> dict[str, float]:
    """Return the seconds that a reader waits for each thing in the sample browser."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.plugins.site.chromium import browser

    status = "document.getElementById('status').textContent"
    change = (
        "document.getElementById('{0}').value = '{1}';"
        "document.getElementById('controls').dispatchEvent(new Event('change'))"
    )
    steps = {
        "open": ("0", "!!document.querySelector('#list button')"),
        "only wrong ones": (change.format("outcome", "w"), f"!{status}.includes('Reading')"),
        "of a slice": (change.format("slice", "0:0"), f"!{status}.includes('Reading')"),
        "two models differ": (
            "document.getElementById('differ').checked = true;" + change.format("b", "1"),
            "!document.getElementById('head-b').hidden",
        ),
        "gallery": (
            change.format("view", "gallery"),
            "!!document.querySelector('#gallery button')",
        ),
        "open a sample": (
            "document.querySelector('#gallery button').click()",
            "document.activeElement.id === 'sample'",
        ),
    }
    seconds = {}
    with browser(home / "profile") as open_page:
        for step, (do, until) in steps.items():
            clock = time.perf_counter()
            if step == "open":
                open_page.open(page)
            open_page.run(do)
            open_page.until(until)
            seconds[step] = time.perf_counter() - clock
        assert open_page.complaints == []
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--no-figures", action="store_true")
    parser.add_argument("--browser", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for run in range(chosen.runs):
            write(folder / "results" / f"{run:03}", run, chosen.samples)
        began, clock = time.process_time(), time.perf_counter()
        records, _ = survey(folder / "results")
        sources = Sources(
            catalog=load_catalog(plugins().spec_folders()),
            settings=Settings(profile="full", results=folder, cache=folder),
            images=0,
            figures=not chosen.no_figures,
            say=lambda _: None,
        )
        build_site(folder / "site", records, TableOptions(), sources)
        busy, wall = time.process_time() - began, time.perf_counter() - clock
        first = ("index.html", "assets/site.css", "assets/board.js")
        size = sum((folder / "site" / page).stat().st_size for page in first)
        page = next((folder / "site" / "samples").glob("*.html"))
        read = [page, *(page.with_suffix("") / f"{name}.js" for name in ("index", "ask-0", "0-0"))]
        read += [folder / "site" / "assets" / name for name in ("site.css", "samples.js")]
        opened = sum(path.stat().st_size for path in read)
        seconds = looked_at(page, folder) if chosen.browser else {}
        files = [path for path in (folder / "site").rglob("*") if path.is_file()]
        total_bytes = sum(path.stat().st_size for path in files)
    print(f"runs {chosen.runs}, samples each {chosen.samples}")
    print(f"CPU seconds {busy:.1f} (wall {wall:.1f}; wanted {WANTED_SECONDS:.0f})")
    print(f"first page {size / 1000:.0f} KB (wanted under {WANTED_BYTES / 1000:.0f})")
    print(f"first page of samples {opened / 1000:.0f} KB (wanted under {WANTED_BYTES / 1000:.0f})")
    for step, took in seconds.items():
        print(f"{step}: {took:.2f} s")
    print(f"site {total_bytes / 1e6:.0f} MB in {len(files)} files")


if __name__ == "__main__":
    main()
