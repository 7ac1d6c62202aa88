"""Images that are exchanged between two equal commands: what is recorded is not handed out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.evaluation.test_run import look

Faces = Callable[[int], Path]


def exchange(root: Path) -> None:
    for path in (root / "basic" / "Image" / "aligned").iterdir():
        Image.new("RGB", (10, 12), (1, 2, 3)).save(path)


def test_an_evaluation_of_other_images_is_refused_until_asked_again(
    faces: Faces, tmp_path: Path
) -> None:
    root = faces(20)
    assert look(tmp_path / "r").returncode == 0
    assert look(tmp_path / "r").returncode == 0  # the same images
    exchange(root)
    refused = look(tmp_path / "r")
    assert refused.returncode == 2
    assert "differs from the one recorded by task 'raf_db'" in refused.stderr
    assert "--again" in refused.stderr
    assert look(tmp_path / "r", "--again").returncode == 0
    assert look(tmp_path / "r").returncode == 0


@pytest.mark.slow
def test_a_stopped_evaluation_is_not_continued_on_other_images(
    faces: Faces, tmp_path: Path
) -> None:
    root = faces(150)
    assert look(tmp_path / "r", LOOKER_DIES_AT="1", LOOKER_SIGNAL="9").returncode == -9
    exchange(root)
    refused = look(tmp_path / "r")
    assert refused.returncode == 2
    assert "differs from the one recorded" in refused.stderr
    assert look(tmp_path / "r", "--again").returncode == 0


def test_results_outlive_their_images(faces: Faces, tmp_path: Path) -> None:
    root = faces(20)
    assert look(tmp_path / "r").returncode == 0
    shutil.rmtree(root / "basic" / "Image")
    assert look(tmp_path / "r").returncode == 0
