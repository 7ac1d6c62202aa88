"""Cosines are autograd's own; sketches keep them; conflict is read off minibatches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_analyses.gradients import GradientSettings, cosine, minibatches, tables_of

from harness.analysis.results import RECORD, read_analysis
from harness.cli.main import entry
from harness.errors import UserError
from harness.evaluation.task import Task
from tests.made import last_of
from tests.plugins.analyses.conftest import written
from tests.workers.inline import Inline

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


@pytest.fixture
def layers() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 40), torch.nn.Tanh(), torch.nn.Linear(40, 3))


def losses(layers: Any) -> list[Any]:
    chance = torch.Generator().manual_seed(1)
    signs = (1, -1, -1, 1)  # some pull together, some apart
    return [sign * layers(torch.randn(5, 6, generator=chance)).square().mean() for sign in signs]


def by_autograd(layers: Any) -> list[Any]:
    collected = []
    for loss in losses(layers):
        content = torch.autograd.grad(loss, list(layers.parameters()))
        collected.append(torch.cat([item.reshape(-1) for item in content]).numpy())
    return collected


def by_sketch(layers: Any, size: int) -> tuple[list[Any], Any]:
    from harness_analyses.sketching import Sketcher

    sketcher = Sketcher(list(layers.named_parameters()), size, 0)
    collected = []
    for loss in losses(layers):
        loss.backward()
        collected.append(sketcher.take())
    sketcher.close()
    return collected, sketcher


@pytest.mark.parametrize("size", [0, 403, 10**6])
def test_a_small_model_s_gradients_are_exact(layers: Any, size: int) -> None:
    result, sketcher = by_sketch(layers, size)
    assert sketcher.exact
    assert sketcher.reached == {name for name, _ in layers.named_parameters()}
    assert all(weight.grad is None for weight in layers.parameters())
    np.testing.assert_allclose(result, by_autograd(layers), rtol=1e-6, atol=1e-9)


def test_cosines_are_autograd_s(layers: Any) -> None:
    wanted = [
        float(torch.nn.functional.cosine_similarity(*map(torch.tensor, pair), dim=0))
        for pair in pairwise(by_autograd(layers))
    ]
    assert min(wanted) < -0.1 < 0.1 < max(wanted)
    stacked = np.stack(by_sketch(layers, 0)[0])
    np.testing.assert_allclose(cosine(stacked[:-1], stacked[1:]), wanted, atol=1e-6)


def test_sketches_keep_cosines_within_their_error() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(200_000))
    first = torch.randn(200_000)
    second = 0.3 * first + torch.randn(200_000)
    from harness_analyses.sketching import Sketcher

    sketcher = Sketcher([("w", weight)], 4096, 3)
    collected = []
    for gradient in (first, second, first):
        (weight * gradient).sum().backward()
        collected.append(sketcher.take())
    assert len(collected[0]) == 4096
    np.testing.assert_array_equal(collected[0], collected[2])
    exact = float(cosine(first.numpy(), second.numpy()))
    assert float(cosine(collected[0], collected[1])) == pytest.approx(exact, abs=4 / 4096**0.5)


def test_tasks_that_pull_apart_are_told_from_their_own_noise() -> None:
    random = np.random.default_rng(0)
    way = random.normal(size=50)

    def rows(sign: float) -> Any:
        return (sign * way + 0.5 * random.normal(size=(12, 50))).astype(np.float32)

    entries = {"a": rows(1), "b": rows(-1), "c": random.normal(size=(12, 50)).astype(np.float32)}
    tables = {table.name: table.records() for table in tables_of(entries)}
    apart, unrelated = tables["pairs"][0], tables["pairs"][1]
    assert apart["negative"] == 1
    assert float(str(apart["high"])) < 0
    assert float(str(unrelated["low"])) < 0 < float(str(unrelated["high"]))
    direct = cosine(entries["a"], entries["b"]).mean()
    assert apart["mean"] == pytest.approx(float(direct))
    assert tables["matrix"][0]["b"] == tables["matrix"][1]["a"] == apart["mean"]
    assert float(str(tables["tasks"][0]["split_half"])) > 0.9
    assert abs(float(str(tables["tasks"][2]["split_half"]))) < 0.5


def test_minibatches_share_no_sample(faces: Path) -> None:
    from harness_training.pool import make_pool

    import harness

    pool = make_pool([harness.load_task("raf_db", data=faces)], form=None, limit=None, seed=0)
    content = minibatches(pool, "raf_db", GradientSettings(batches=9, batch=3))
    assert len(content) == 4
    assert len({position for item in content for position in item}) == 12
    with pytest.raises(UserError, match="has 13 samples to train on, 4 minibatches of 4"):
        minibatches(pool, "raf_db", GradientSettings(batch=4))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(last_of(arguments, "--model", "--batches", "--batch-size", "--micro-batch"))
    return int(str(ended.value.code or 0))


def flags(built: Path, *more: str) -> list[str]:
    return [
        "gradients", "--model", "socialfusion", "-o", f"path={built / 'saved'}", "--batches", "4",
        "--batch-size", "3", "--micro-batch", "2", "--results", "r", *more,
    ]  # fmt: skip


@pytest.fixture
def twice(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a task's name stand for two tasks that ask the same."""
    from harness_analyses import api as analyses

    settled = analyses.prepared

    def settled_twice(tasks: Any, arguments: Any) -> Any:
        content, result, runtime = settled(tasks, arguments)
        again = replace(result[0].spec, id="again")
        return content, [*result, Task(again, content.with_data({"again": faces}))], runtime

    monkeypatch.setattr(analyses, "prepared", settled_twice)


def test_one_task_has_no_conflict(
    built: Path, faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*flags(built, "--tasks", "raf_db", "--data", f"raf_db={faces}")) == 2
    assert "name at least two" in capsys.readouterr().err


@pytest.mark.usefixtures("twice")
def test_a_task_agrees_with_itself_under_another_name(
    built: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "harness_analyses.gradients.minibatches",
        lambda pool, _, settings: minibatches(pool, "raf_db", settings),
    )
    requested = flags(built, "--tasks", "raf_db", "--data", f"raf_db={faces}")
    assert run(*requested, "--parts", "connector,lora", "--sketch", "0") == 0
    analysis = read_analysis(next((tmp_path / "r").rglob("analysis.json")).parent)
    row = analysis.table("pairs").records()[0]
    assert row["mean"] == pytest.approx(1, abs=1e-5)
    assert row["negative"] == 0
    assert run(*requested, "--parts", "connector,lora", "--sketch", "0", "--micro-batch", "3") == 0
    assert len(list((tmp_path / "r").rglob("analysis.json"))) == 1
    assert analysis.about["marks"] == []
    assert run(*requested, "--limit", "12") == 0
    marks = [read_analysis(path.parent).about["marks"] for path in (tmp_path / "r").rglob(RECORD)]
    assert sorted(marks, key=str) == [["limited"], []]
    assert run(*requested, "--limit", "100000") == 0  # which leaves nothing out
    marks = [read_analysis(path.parent).about["marks"] for path in (tmp_path / "r").rglob(RECORD)]
    assert marks.count(["limited"]) == 1


@pytest.mark.usefixtures("twice")
def test_the_gradients_of_workers_are_those_of_one_process(
    built: Path, faces: Path, by_workers: Callable[..., Inline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "harness_analyses.gradients.minibatches",
        lambda pool, _, settings: minibatches(pool, "raf_db", settings),
    )
    requested = flags(built, "--tasks", "raf_db", "--data", f"raf_db={faces}", "--limit", "12")
    assert run(*requested) == 0
    Path("r").rename("one")
    executor = by_workers(2, lambda name, _: name == "1")
    assert run(*requested, "--on", "processes") == 0
    assert sorted(set(executor.blocks())) == [(0, block) for block in range(8)]
    assert written("r") == written("one")


@pytest.mark.usefixtures("twice")
def test_a_training_s_weights_are_what_is_differentiated(
    built: Path, faces: Path, tmp_path: Path, trained: Callable[..., Path]
) -> None:
    requested = flags(
        built, "--tasks", "raf_db", "--data", f"raf_db={faces}", "--parts", "connector"
    )
    folder = trained("connector")
    norms = []
    for more in ([], ["--checkpoint", str(folder)]):
        assert run(*requested, *more) == 0
        content = list((tmp_path / "r").rglob("analysis.json"))
        analysis = read_analysis(max(content, key=lambda path: path.stat().st_mtime_ns).parent)
        norms.append(analysis.table("tasks").records()[0]["norm"])
    assert norms[0] != norms[1]
    assert "checkpoint" in str(analysis.about["model"])


@pytest.mark.usefixtures("twice")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--parts", "conector"], "the model has no part 'conector'"),
        (["--batch-size", "9"], "4 minibatches of 9 are the least"),
        (["--model", "majority"], "unknown option of model 'majority'"),
        (["--parts", "connector", "--lora-rank", "4"], "no adapter is made: the parts are conn"),
    ],
)
def test_a_wrong_wish_is_one_message(
    built: Path, faces: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--tasks", "raf_db", "--data", f"raf_db={faces}"]
    assert run(*flags(built, *data, *more)) == 2
    assert message in capsys.readouterr().err
