"""Settings: which layer wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.settings import load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS", "HARNESS_CACHE"):
        monkeypatch.delenv(name, raising=False)


def test_an_empty_folder_has_the_demo_profile() -> None:
    settings = load_settings()
    assert settings.profile == "demo"
    assert settings.source == "demo_world"
    assert settings.models == {
        name: {"preset": "demo"} for name in ("socialfusion", "llava", "open_clip")
    }
    assert settings.results == Path("results")


def test_flags_win_over_environment_over_file_over_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "harness.toml").write_text(
        "results = 'from_file'\n[data]\nraf_db = 'faces'\n[models.socialfusion]\npath = 'mine'\n"
    )
    settings = load_settings()
    assert settings.results == Path("from_file")
    assert settings.data == {"raf_db": tmp_path / "faces"}
    assert settings.models["socialfusion"] == {"preset": "demo", "path": "mine"}
    monkeypatch.setenv("HARNESS_RESULTS", "from_environment")
    assert load_settings().results == Path("from_environment")
    assert load_settings(results=Path("from_flag")).results == Path("from_flag")
    assert load_settings(data={"raf_db": Path("x")}).data == {"raf_db": Path("x")}


def test_the_full_profile_has_no_source_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(profile="full").source is None
    monkeypatch.setenv("HARNESS_PROFILE", "full")
    assert load_settings().source is None
    assert load_settings(profile="demo").source == "demo_world"
