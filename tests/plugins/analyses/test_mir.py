"""The modality integration rate against a direct computation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm

from harness.analysis.results import read_analysis
from harness.cli.main import entry
from tests.engine.conftest import images, make_model

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
__all__ = ["images", "make_model"]


def direct(vision: Any, text: Any) -> float:
    """Compute one layer's distance in numpy, with scipy's matrix root."""

    def without_outliers(states: Any) -> Any:
        norms = np.linalg.norm(states, axis=1)
        middle = np.sort(norms)[(len(norms) - 1) // 2]  # torch's median is the lower one
        away = np.abs(norms - middle) > 3 * norms.std(ddof=1)
        copied = states.copy()
        copied[away] = np.sort(states, axis=0)[(len(states) - 1) // 2]
        return copied

    scale = np.linalg.norm(text, axis=1).mean()
    first, other = without_outliers(vision / scale), without_outliers(text / scale)
    spreads = np.cov(first, rowvar=False), np.cov(other, rowvar=False)
    root = np.real(sqrtm(spreads[0] @ spreads[1]))
    away = first.mean(axis=0) - other.mean(axis=0)
    return float(away @ away + np.trace(spreads[0]) + np.trace(spreads[1]) - 2 * np.trace(root))


@pytest.mark.parametrize(("pictures_", "texts"), [(60, 40), (9, 50), (50, 5)])
def test_a_layer_s_distance_is_that_of_a_direct_computation(pictures_: int, texts: int) -> None:
    from harness_analyses.hidden import distance

    random = np.random.default_rng(0)
    vision = random.normal(size=(pictures_, 12)) + 0.3
    text = 2 * random.normal(size=(texts, 12))
    vision[3] *= 50
    result = distance(torch.tensor(vision), torch.tensor(text))
    assert result == pytest.approx(direct(vision, text), rel=1e-4)


def test_clouds_that_are_alike_have_no_distance() -> None:
    from harness_analyses.hidden import distance

    states = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    assert distance(states, states.clone()) == pytest.approx(0, abs=1e-9)


def test_states_are_transformers_own(make_model: Any, images: Any) -> None:
    from harness_analyses.hidden import hidden_states, pair_ids

    from harness.requests import Turn

    model = make_model()
    ids = pair_ids(model, (Turn("user", "ab", (images[0],)),), "cd")
    with torch.inference_mode():
        states, first, last = hidden_states(model, ids, images[0])
        (displayed,) = model.connect(model.encode([images[0]]))
        embeds = model.inputs(ids, [displayed]).embeds[None]
        wanted = model.language_model(inputs_embeds=embeds, output_hidden_states=True).hidden_states
    assert (first, last) == (1, 1 + len(displayed))
    assert len(states) == len(wanted) - 1
    for state, expected in zip(states, wanted[1:], strict=True):
        torch.testing.assert_close(state, expected[0], atol=1e-5, rtol=1e-4)


def test_layers_at_once_change_nothing(make_model: Any, images: Any) -> None:
    from harness_analyses.hidden import layer_distances, pair_ids

    from harness.requests import Turn

    model = make_model()

    def pairs() -> Any:
        for picture in images:
            turns = (Turn("user", f"q{picture.key}", (picture,)),)
            yield pair_ids(model, turns, "answer"), picture

    full = layer_distances(model, pairs, lambda _: None)
    assert layer_distances(model, pairs, lambda _: None, at_once=1) == pytest.approx(full)
    assert len(full) == 2


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(list(arguments))
    return int(str(ended.value.code or 0))


def test_the_rate_is_the_logarithm_of_the_sum(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = [
        "mir", "--model", "socialfusion", "-o", f"path={built / 'saved'}", "--tasks", "raf_db",
        "--data", f"raf_db={faces}", "--results", "r",
    ]  # fmt: skip
    assert run(*questions) == 0
    analysis = read_analysis(next((tmp_path / "r").rglob("analysis.json")).parent)
    layers = [float(str(row["distance"])) for row in analysis.table("layers").records()]
    (row,) = analysis.table("mir").records()
    assert row["mir"] == pytest.approx(math.log10(sum(layers)))
    assert row["pairs"] == 6
    capsys.readouterr()
    assert run(*questions, "--texts", "nowhere.txt") == 2
    assert "the texts cannot be read" in capsys.readouterr().err
    (tmp_path / "texts.txt").write_text("what is this? a cat.\na dog, a fish!\n\nyes no maybe\n")
    assert run(*questions, "--texts", "texts.txt") == 0
    assert len(list((tmp_path / "r").rglob("analysis.json"))) == 2


def test_a_model_without_hidden_states_is_refused(
    faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("mir", "--model", "null", "--tasks", "raf_db", "--data", f"raf_db={faces}") == 2
    assert "shows no hidden states" in capsys.readouterr().err
