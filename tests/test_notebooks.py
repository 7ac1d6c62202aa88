"""The notebooks of the pages run from top to bottom, without a display."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import UserError

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    for name in ("DISPLAY", "MPLBACKEND", "HARNESS_RESULTS", "HARNESS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # it is shipped unrun
    client.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [item for cell in notebook.cells for item in cell.get("outputs", ())]
    html = "".join(item.get("data", {}).get("text/html", "") for item in outputs)
    assert "majority" in html
    assert html.count("data:image/jpeg;base64,") >= 4
    assert any("image/svg+xml" in item.get("data", {}) for item in outputs)


def test_a_gallery_shows_what_is_asked_for_and_withholds_images_of_people(tmp_path: Path) -> None:
    result = harness.run("random", "raf_db", results=tmp_path, profile="demo", limit=6)
    wrong = sum(sample.answer != sample.target for sample in result.samples())
    displayed = result.gallery(3, which="wrong")._repr_html_()
    assert displayed.count("<img") == min(3, wrong)
    assert not result.gallery(which="errors")._repr_html_().count("<img")
    door: Any = result
    for arguments in ({"which": "wrongs"}, {"limit": 0}, {"limit": "3"}):
        with pytest.raises(UserError):
            door.gallery(**arguments)


def test_a_gallery_escapes_what_data_and_models_say(tmp_path: Path) -> None:
    class Odd:
        identity = {"a": 1}
        id = "odd"

        def answer(self, requests: Any) -> list[str]:
            return ["<script>alert(1)</script>"] * len(requests)

    result = harness.run(Odd(), "textvqa", results=tmp_path, profile="demo", limit=2)
    displayed = result.gallery()._repr_html_()
    assert "<script" not in displayed
    assert "&lt;script&gt;" in displayed


def test_a_figure_of_a_result_is_svg(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = harness.run("null", "raf_db", results=tmp_path, profile="demo", limit=4)
    drawing = result.plot()
    assert "<svg" in drawing._repr_svg_()
    assert drawing.save(tmp_path / "a.svg").read_text("utf-8") == drawing.svg
