"""Trainings and evaluations in name only: what a study asks of the API, and files it looks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.runs.record import EvaluationRecord
from harness.specs import fingerprint
from tests.tables.records import metric, record

STUDY = """\
study: small
title: A small study
note: What it is about.
models:
  - {model: majority, label: Model, training: {rate: 0.5}}
data:
  - {label: Faces, tasks: [raf_db]}
  - {label: Both, tasks: [raf_db, pisc_fine]}
recipes:
  - {label: Base}
  - {label: Post-hoc, method: posthoc}
  - {label: Single, recipe: single, data: [Faces], tasks: trained}
  - {label: Joint, recipe: joint, data: [Both], options: {mixing: uniform}}
seeds: [0, 1]
tasks:
  - {task: raf_db}
  - {task: pisc_fine}
training: {epochs: 2, batch: 4, micro_batch: 2, limit: 8}
evaluation: {limit: 5}
"""
SAMPLES = 8
"""Of each task in a training."""


def values_of(task: str, seed: int | None, recipe: str) -> float:
    """Return the accuracy that a trial comes to."""
    if seed is None:
        return 0.5
    return {"single": 0.4, "joint": 0.6}[recipe] + 0.1 * seed + (task == "pisc_fine") * 0.05


class World:
    """Stands in for training and evaluation; keeps what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[tuple[str, tuple[str, ...], int, int]] = []
        self.asked: list[Mapping[str, Any]] = []
        self.sealed: set[str] = set()
        self.records: dict[str, EvaluationRecord] = {}
        self.breaks: set[tuple[str, int]] = set()
        self.crash: type[BaseException] = RuntimeError
        for name in ("plan_training", "train", "plan", "run"):
            monkeypatch.setattr(f"harness.{name}", getattr(self, name))

    def plan_training(self, model: str, recipe: str, tasks: Iterable[str], **keywords: Any) -> Any:
        settings = keywords["settings"]
        names = tuple(tasks)
        steps = settings.epochs * SAMPLES * len(names) // settings.batch_size
        message = f"{model} {recipe} {names} {settings} {keywords['recipe_options']}"
        examples = [SimpleNamespace(task=name) for name in names for _ in range(SAMPLES)]
        return SimpleNamespace(
            fingerprint=fingerprint(message),
            settings=settings,
            steps=steps,
            pool=SimpleNamespace(examples=examples),
        )

    def train(
        self,
        model: str,
        recipe: str,
        tasks: Iterable[str],
        out: Path,
        *,
        reporter: Any,
        **keywords: Any,
    ) -> Path:
        settings = keywords["settings"]
        if (recipe, settings.seed) in self.breaks:
            out.mkdir()
            raise self.crash("the recipe broke")
        names = tuple(tasks)
        steps = self.plan_training(model, recipe, names, **keywords).steps
        reporter.epoch(0, {"loss": 0.5, "steps": steps})
        out.mkdir(exist_ok=True)
        shares = dict.fromkeys(names, SAMPLES * settings.epochs)
        entries = {
            "seconds": 3.0 * steps,
            "epochs": [{"steps": steps, "samples": sum(shares.values()), "samples_of": shares}],
            "recipe": recipe,
            "seed": settings.seed,
        }
        (out / "train.json").write_text(json.dumps(entries))
        self.trained.append((recipe, names, settings.seed, settings.epochs))
        return out

    def plan(self, model: str, tasks: Iterable[str], **keywords: Any) -> Any:
        collected = []
        for task in tasks:
            name = self._name(model, task, keywords)
            done = name in self.sealed
            plan = SimpleNamespace(samples=10, task=SimpleNamespace(id=task))
            job = SimpleNamespace(
                plan=plan,
                directory=Path("nowhere") / name,
                fingerprint=name,
                versions={"python": "3"},
            )
            collected.append(
                SimpleNamespace(
                    state="done" if done else "to do",
                    seconds=0.0 if done else 2.0,
                    speed=5.0,
                    job=job,
                )
            )
        return SimpleNamespace(evaluations=collected)

    def run(self, model: str, tasks: Iterable[str], **keywords: Any) -> Any:
        assert keywords.pop("reporter")
        self.asked.append(keywords)
        records = []
        for task in tasks:
            name = self._name(model, task, keywords)
            self.sealed.add(name)
            (Path("nowhere") / name).mkdir(parents=True, exist_ok=True)
            (Path("nowhere") / name / "timings.json").write_text('{"samples_per_second": 5.0}')
            records.append(self._record(model, task, keywords, name))
            self.records[name] = records[-1]
        return SimpleNamespace(records=records, failed=[])

    @staticmethod
    def _name(model: str, task: str, asked: Mapping[str, Any]) -> str:
        folder = asked.get("checkpoint")
        return f"{model} {task} {asked.get('method')} {folder and folder.name}"

    @staticmethod
    def _record(model: str, task: str, asked: Mapping[str, Any], name: str) -> EvaluationRecord:
        folder = asked.get("checkpoint")
        content = None if folder is None else json.loads((folder / "train.json").read_text())
        seed = None if content is None else content["seed"]
        value = values_of(task, seed, "" if content is None else content["recipe"])
        return record(
            model,
            task,
            metric(value),
            settings={"seed": 0},
            directory=Path("nowhere") / name,
            model_fingerprint=fingerprint(name.replace(task, "")),
            fingerprint=name,
            training=None if seed is None else {"seed": seed},
        )


class Heard:
    """A reporter that keeps what it hears."""

    def __init__(self) -> None:
        self.trials: list[str] = []
        self.problems: list[str] = []

    def trial(self, number: int, total: int, plan: Any) -> None:
        assert 1 <= number <= total
        self.trials.append(plan.trial.name)

    def ended(self, plan: Any, problem: str) -> None:
        assert plan.trial.name == self.trials[-1]
        if problem:
            self.problems.append(problem)

    def step(self, figures: Any) -> None:
        pass

    def epoch(self, number: int, figures: Any) -> None:
        pass

    def planned(self, jobs: Any) -> None:
        pass

    def task(self, job: Any) -> None:
        pass

    def progress(self, samples: int) -> None:
        pass

    def say(self, note: str) -> None:
        pass
