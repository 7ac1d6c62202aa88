"""Settings: which layer wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness
from harness.api.runs import NullReporter
from harness.config.settings import load_settings
from harness.errors import UserError


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


@pytest.mark.parametrize("name", ["rafdb", "raf_db ", "source", "", "x" * 100_000])
def test_a_data_path_for_what_is_no_task_or_benchmark_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--data: unknown task or benchmark") as caught:
        load_settings(data={name: Path("x")})
    assert len(str(caught.value)) < 700
    if name == "source":  # the name of a data source, in the file alone
        return
    (tmp_path / "harness.toml").write_text(f"[data]\n{json.dumps(name)} = 'faces'\n")
    with pytest.raises(UserError, match=r"harness.toml: \[data\]: unknown task or benchmark"):
        load_settings()


def test_a_data_path_for_a_group_is_said_to_be_one_for_each_task(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("[data]\nsocial_all = 'faces'\n")
    for flags in ({"social_all": Path("x")}, {}):
        with pytest.raises(
            UserError, match=r"(?s)'social_all' is a group; .*such as --data hagridv2="
        ):
            load_settings(data=flags)


def test_the_nearest_task_or_benchmark_is_named() -> None:
    with pytest.raises(UserError, match="did you mean 'raf_db'"):
        load_settings(data={"rafdb": Path("x")})
    assert set(load_settings(data={"pisc": Path("x"), "pisc_fine": Path("y")}).data) == {
        "pisc", "pisc_fine",
    }  # fmt: skip


def test_a_data_path_that_the_run_does_not_use_is_told_and_may_stand_in_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "harness.toml").write_text("[data]\npisc = 'relations'\n")
    messages: list[str] = []

    class Watching(NullReporter):
        def say(self, note: str) -> None:
            messages.append(note)

    for data in ({"raf_db": tmp_path}, {}):
        harness.run("null", "hagridv2", data=data, limit=1, results=tmp_path, reporter=Watching())
    assert messages == [
        "a data path is given for 'raf_db', which no task here asks about: it is not read"
    ]
