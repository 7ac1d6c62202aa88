"""Datasets of the hub out of its cache; tests never reach the network."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.config import hub
from harness.config.settings import load_settings
from harness.errors import PluginError, UserError
from tests.plugins.benchmarks.people import counterfactuals, embedded, parquet, shard

NAME = Path("hf:Intel/SocialCounterfactuals")


def cached(cache: Path) -> Path:
    """Write the hub's cache of one dataset, as its library lays it out."""
    content = cache / "datasets--Intel--SocialCounterfactuals"
    (content / "refs").mkdir(parents=True)
    (content / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    folder = content / "snapshots" / ("0" * 40)
    shard(folder, counterfactuals("chef", 0))
    return folder


def test_a_dataset_of_the_cache_is_read_like_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = cached(tmp_path)
    assert hub.hub_folder(NAME) == folder
    task = harness.load_task("scounter", data=NAME, options={"shares": "0/0/100"})
    assert len(list(task.samples())) == 12
    assert task.located.origin == str(NAME)


def test_of_a_dataset_only_what_a_split_needs_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = pytest.importorskip("huggingface_hub")
    requested: list[list[str] | None] = []

    def fetch(name: str, *, allow_patterns: list[str] | None, **_: object) -> str:
        assert name == "HuggingFaceM4/FairFace"
        requested.append(allow_patterns)
        for split in ("train", "validation"):
            path = tmp_path / "1.25" / f"{split}-00000-of-00001.parquet"
            relative = path.relative_to(tmp_path)
            if allow_patterns is None or any(
                relative.match(allow_pattern) for allow_pattern in allow_patterns
            ):
                face = {"age": 3, "gender": 1, "race": 5, "image": embedded()}
                parquet(path, [face])
        return str(tmp_path)

    monkeypatch.setattr(library, "snapshot_download", fetch)
    task = harness.load_task("fairface", data="hf:HuggingFaceM4/FairFace")
    assert {sample.id.partition("#")[0] for sample in task.samples()} == {"val"}
    assert not list(tmp_path.rglob("train-*"))
    assert len(list(task.train_samples())) == 18
    assert len(requested) == 2
    assert None not in requested


def test_a_dataset_of_another_layout_is_fetched_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = pytest.importorskip("huggingface_hub")
    requested: list[object] = []

    def fetch(*_: object, allow_patterns: object, **__: object) -> str:
        requested.append(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(library, "snapshot_download", fetch)
    assert hub.hub_folder(NAME, ["data/validation-*.parquet"]) == tmp_path
    assert requested == [["data/validation-*.parquet"], None]


def test_offline_without_a_copy_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="is not on this machine") as caught:
        hub.hub_folder(NAME)
    assert "give a folder" in caught.value.fix


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "is_installed", lambda _: False)
    with pytest.raises(PluginError) as caught:
        hub.hub_folder(NAME)
    assert "social-harness[datasets]" in caught.value.fix


@pytest.mark.parametrize("name", ["hf:", "hf:Intel", "hf:a/b/c", "hf:/b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="is not hf:OWNER/NAME"):
        hub.hub_folder(Path(name))


def test_settings_keep_a_hub_s_name_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(f'[data]\nscounter = "{NAME}"\n', encoding="utf-8")
    assert load_settings(folder=tmp_path).data["scounter"] == NAME
