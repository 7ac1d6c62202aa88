"""A plugin's code as a hash: the same wherever it lies, another whenever a file of it changes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

from harness.plugin_code import code_hash, modules_of
from harness.plugins import Plugins


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "") or "").startswith(str(tmp_path)):
            del sys.modules[name]


def package(folder: Path, name: str = "lab_code") -> Path:
    root = folder / name
    (root / "inner").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "inner" / "reader.py").write_text("VALUE = 1\n")
    (root / "inner" / "map.yaml").write_text("a: 1\n")
    (root / "weights.safetensors").write_bytes(b"0" * 1000)
    return root


@pytest.mark.parametrize("name", ["inner/reader.py", "inner/map.yaml", "inner/more.py"])
def test_a_file_that_changes_makes_another_code(folder: Path, name: str) -> None:
    root = package(folder)
    before = code_hash(["lab_code.inner"])
    assert before == code_hash(["lab_code", "lab_code.inner.reader"])
    (root / name).write_text("VALUE = 2\n")
    assert code_hash(["lab_code"]) != before


def test_what_is_no_code_and_what_is_compiled_change_nothing(folder: Path) -> None:
    root = package(folder)
    before = code_hash(["lab_code"])
    (root / "weights.safetensors").write_bytes(b"1" * 1000)
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "x.py").write_text("")
    (root / ".hidden.py").write_text("")
    assert code_hash(["lab_code"]) == before


def test_the_same_files_elsewhere_are_the_same_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = package(folder)
    before = code_hash(["lab_code"])
    (folder / "elsewhere").mkdir()
    shutil.move(root, folder / "elsewhere" / "lab_code")
    monkeypatch.syspath_prepend(str(folder / "elsewhere"))
    assert code_hash(["lab_code"]) == before


def test_a_package_in_a_shared_one_is_known_by_itself(folder: Path) -> None:
    package(folder / "shared", "mine")
    other = package(folder / "shared", "other")
    before = code_hash(["shared.mine.inner"])
    (other / "inner" / "reader.py").write_text("VALUE = 2\n")
    assert code_hash(["shared.mine.inner"]) == before
    assert code_hash(["shared.other"]) != before


def test_every_module_that_a_distribution_installs_is_its_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lab_point", "lab_help"):
        (folder / f"{name}.py").write_text("VALUE = 1\n")
    package(folder, "lab_other")
    package(folder / "lab_shared", "mine")
    info = folder / "lab-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1\n")
    names = (
        "lab_point.py", "lab_help.py", "lab_other/__init__.py", "lab_other/inner/reader.py",
        "lab_shared/mine/__init__.py", "../../bin/lab", "lab-1.dist-info/METADATA",
    )  # fmt: skip
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in names))
    installed = Distribution.at(info)
    assert modules_of(installed) == {"lab_point", "lab_help", "lab_other", "lab_shared.mine"}
    assert modules_of(None) == set()
    before = code_hash(modules_of(installed))
    (folder / "lab_help.py").write_text("VALUE = 2\n")
    assert code_hash(modules_of(installed)) != before


def test_the_harness_is_known_by_its_versions() -> None:
    assert code_hash(["harness.models.majority", "harness"]) == ""
    core = Plugins(blocked="*")
    assert core.code_of(core.models()["majority"]) is None
    assert core.code_of(core.metrics()["accuracy"]) is None


CODE = """
from harness.descriptors import ModelDescriptor
from harness.plugins import hookimpl

@hookimpl
def harness_models():
    return [ModelDescriptor(id="lab", target="{target}:make", summary="says yes")]
"""


def test_a_plugin_without_a_distribution_is_known_by_its_file_and_its_targets(
    folder: Path,
) -> None:
    (folder / "lab_point.py").write_text(CODE.format(target="lab_code.inner.reader"))
    root = package(folder)
    point = EntryPoint("lab", "lab_point", "harness")

    def now() -> str:
        loaded = Plugins(points=[point])
        code = loaded.code_of(loaded.models()["lab"])
        assert code is not None
        assert (code.plugin, code.distribution) == ("lab", "?")
        return code.sha256

    before = now()
    assert now() == before
    (root / "inner" / "reader.py").write_text("VALUE = 2\n")
    mended = now()
    assert mended != before
    (folder / "lab_point.py").write_text(CODE.format(target="lab_code.inner.reader") + "\n")
    assert now() not in {before, mended}
