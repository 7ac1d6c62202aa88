"""``harness new plugin``: packages that work as they are written, names that are refused."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from harness_authoring.new.write import _KINDS, SHORT, rendered

from harness.cli.main import invoke, main
from harness.plugins import Plugins

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", [SHORT.get(kind, kind) for kind in _KINDS])
def test_a_package_loads_as_it_is_written(
    kind: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"loaded_{kind}_thing"  # imported here, so another name than those below
    assert invoke(main, ["new", "plugin", name.replace("_", "-"), "--kind", kind]) == 0
    assert "pip install -e" in capsys.readouterr().out
    folder = tmp_path / name.replace("_", "-")
    for path in folder.rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
    assert not any(word in text for text in texts for word in ("my_plugin_name", "MY_KIND"))
    monkeypatch.syspath_prepend(str(folder / "src"))
    loaded = Plugins(points=[importlib.metadata.EntryPoint(name, name, "harness")])
    assert [info.problem for info in loaded.infos] == ["", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["../evil", "--kind", "metric"], "is not a name of a package"),
        (["/etc/x", "--kind", "metric"], "is not a name of a package"),
        (["Kappa", "--kind", "metric"], "is not a name of a package"),
        (["k" * 51, "--kind", "metric"], "is not a name of a package"),
        (["class", "--kind", "metric"], "is a keyword of Python"),
        (["json", "--kind", "metric"], "a module 'json' exists already"),
        (["numpy", "--kind", "metric"], "a distribution 'numpy' is installed already"),
        (["accuracy", "--kind", "metric"], "there is a metric 'accuracy' already"),
        (["recipes", "--kind", "metric"], "there is a plugin 'recipes' already"),
        (["kappa", "--kind", "metrik"], "did you mean 'metric'"),
        (["kappa", "--kind", "figure"], "there is no template of the kind 'figure'"),
        (["kappa", "--kind", "metric", "--out", "there"], "there: exists already"),
    ],
)
def test_what_cannot_be_written_is_refused(
    arguments: list[str], message: str, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    assert invoke(main, ["new", "plugin", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("kind", [SHORT.get(kind, kind) for kind in _KINDS])
def test_a_package_is_green_at_once(kind: str, tmp_path: Path) -> None:
    """Installed into an environment of its own, its tests and the kit pass."""
    name = f"tried_{kind}_thing"
    assert invoke(main, ["new", "plugin", name, "--kind", kind]) == 0
    folder, site = tmp_path / name.replace("_", "-"), tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", site], check=True)
    python = site / "bin" / "python"
    # The packages of this environment are those of the one that runs the tests.
    (version,) = (site / "lib").iterdir()
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (version / "site-packages" / "tests.pth").write_text("\n".join(paths) + "\n")
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        folder,
    ]
    commands: list[list[str | Path]] = [
        install,
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder],
        [python, "-m", "harness", "plugin", "check", name, "--kind", kind],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_kind_has_its_files() -> None:
    for kind in _KINDS:
        assert {"pyproject.toml", "README.md", ".github/workflows/test.yml"} <= {
            *rendered("kappa", kind)
        }
