"""Plugins in isolation: whatever one does, it costs its own features and a line."""

import os
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from harness.errors import PluginError, UserError
from harness.plugin_info import PluginInfo
from harness.plugins import Plugins, find, plugins, thread_pool, using

GOOD = """
from harness.descriptors import ModelDescriptor
from harness.plugins import hookimpl

@hookimpl
def harness_models():
    return [ModelDescriptor(id="{id}", target="{module}:make", summary="says yes")]
"""


class Installed:
    """Writes tiny installed packages: a module and its metadata."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, code: str, *, distribution: str = "", point: str = "") -> None:
        distribution = distribution or f"dist-{name}"
        (self.folder / f"{name}.py").write_text(code)
        info = self.folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        (info / "entry_points.txt").write_text(f"[harness]\n{point or name} = {name}\n")

    def good(self, name: str, model: str, **more: str) -> None:
        self.add(name, GOOD.format(id=model, module=name), **more)

    def points(self) -> list[EntryPoint]:
        return [
            point
            for distribution in distributions(path=[str(self.folder)])
            for point in distribution.entry_points
        ]

    def load(self, *blocked: str) -> Plugins:
        return Plugins(blocked, self.points())


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Installed(tmp_path)
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        if str(getattr(module, "__file__", "") or "").startswith(str(tmp_path)):
            del sys.modules[name]


def info(loaded: Plugins, name: str) -> PluginInfo:
    return next(content for content in loaded.infos if content.name == name)


def test_a_plugin_adds_what_it_says(installed: Installed) -> None:
    installed.good("yes", "yes_model")
    loaded = installed.load()
    content = info(loaded, "yes")
    assert (content.distribution, content.version, content.status) == ("dist-yes", "1.2", "loaded")
    assert content.adds == {"models": ["yes_model"]}
    assert loaded.distribution_of(loaded.models()["yes_model"]) == "dist-yes 1.2"
    assert loaded.infos[0].name == "core"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("def broken(:", "SyntaxError: "),
        ("from harness.plugins import hookimpl\n@hookimpl\ndef harness_modles():\n    return []",
         "there is no hook 'harness_modles'; did you mean 'harness_models'"),
        ("from harness.plugins import hookimpl\n@hookimpl\ndef harness_models():\n    return None",
         "harness_models returns None, not a list of ModelDescriptor"),
        ("from harness.plugins import hookimpl\n@hookimpl\ndef harness_models():\n    return [{}]",
         "harness_models returns dict, not ModelDescriptor"),
        ("from harness.plugins import hookimpl\n@hookimpl\ndef harness_models(nonsense):\n    pass",
         "PluginValidationError: "),
    ],
)  # fmt: skip
def test_a_broken_plugin_costs_itself_only(installed: Installed, code: str, problem: str) -> None:
    installed.add("bad", code)
    installed.good("good", "still_there")
    loaded = installed.load()
    content = info(loaded, "bad")
    assert content.status == "failed"
    assert content.problem.startswith(problem)
    assert "\n" not in content.problem
    assert content.adds == {}
    assert "still_there" in loaded.models()
    assert loaded.notify("harness_run_started", object()) is None


def test_a_repeated_id_names_both_distributions(installed: Installed) -> None:
    installed.good("a_first", "twin")
    installed.good("b_second", "twin")
    loaded = installed.load()
    assert info(loaded, "a_first").status == "loaded"
    assert info(loaded, "b_second").problem == (
        "models id 'twin' is taken: added by dist-a_first and by dist-b_second"
    )
    assert loaded.distribution_of(loaded.models()["twin"]) == "dist-a_first 1.2"


def test_an_id_added_twice_by_one_plugin(installed: Installed) -> None:
    installed.add("twice", GOOD.format(id="x", module="twice").replace(")]", ")] * 2"))
    assert info(installed.load(), "twice").problem == "models id 'x' is added twice"


def test_a_repeated_plugin_name_leaves_the_first_working(installed: Installed) -> None:
    heard = "\n@hookimpl\ndef harness_run_started(event):\n    event.append('heard')\n"
    installed.add("one", GOOD.format(id="one", module="one") + heard, point="same")
    installed.good("two", "two", point="same")
    loaded = installed.load()
    states = sorted(info.status for info in loaded.infos if info.name == "same")
    assert states == ["failed", "loaded"]
    failed = next(info for info in loaded.infos if info.status == "failed")
    assert "plugin name 'same' is taken: used by dist-" in failed.problem
    if "one" in loaded.models():
        events: list[str] = []
        loaded.notify("harness_run_started", events)
        assert events == ["heard"]


def test_the_core_s_name_is_taken(installed: Installed) -> None:
    installed.good("thief", "stolen", point="core")
    loaded = installed.load()
    assert [info.status for info in loaded.infos] == ["loaded", "failed"]
    assert "tasks" in loaded.commands()
    assert "stolen" not in loaded.models()


def test_blocking_by_name_and_all(installed: Installed) -> None:
    installed.good("one", "one")
    installed.good("two", "two")
    loaded = installed.load("one")
    assert info(loaded, "one").status == "blocked"
    assert set(loaded.models()) & {"one", "two"} == {"two"}
    assert [content.status for content in installed.load("*").infos] == [
        "loaded",
        "blocked",
        "blocked",
    ]


def test_a_listener_that_raises_is_reported_once(installed: Installed) -> None:
    installed.add(
        "loud",
        "from harness.plugins import hookimpl\n@hookimpl\n"
        "def harness_task_finished(event):\n    raise ValueError('oh no')\n",
    )
    loaded = installed.load()
    message = loaded.notify("harness_task_finished", object())
    assert message == (
        "plugin 'loud' of dist-loud 1.2 failed in harness_task_finished: ValueError: oh no"
    )
    assert loaded.notify("harness_task_finished", object()) is None


def test_a_failed_plugin_s_model_says_why(installed: Installed) -> None:
    installed.add("bad", "raise RuntimeError('no luck')")
    with using(installed.load()) as loaded:
        with pytest.raises(
            PluginError, match=r"model 'bad' is not available: .* does not load: RuntimeError"
        ):
            find("model", "bad", loaded.models())
        with pytest.raises(PluginError, match="social-harness-socialfusion"):
            find("model", "socialfusion", {})
        with pytest.raises(PluginError, match="social-harness-demo-world"):
            find("data source", "demo_world", {})
        with pytest.raises(UserError, match="unknown model 'nothing'"):
            find("model", "nothing", {})


def test_two_registries_are_used_side_by_side(installed: Installed) -> None:
    installed.good("one", "first")
    installed.good("two", "second")
    everything = installed.load()
    part = Plugins(blocked=["two"], points=installed.points())
    turn = threading.Barrier(2, timeout=60)
    names: dict[str, set[str]] = {}

    def look(name: str, registry: Plugins) -> None:
        with using(registry), thread_pool(1) as pool:
            turn.wait()  # both threads are within their block now
            names[name] = {*plugins().models()} & {"first", "second"}
            names[f"{name}, its pool"] = {*pool.submit(lambda: plugins().models()).result()} & {
                "first",
                "second",
            }
            turn.wait()

    threads = [
        threading.Thread(target=look, args=pair)
        for pair in (("everything", everything), ("part", part))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names["everything"] == names["everything, its pool"] == {"first", "second"}
    assert names["part"] == names["part, its pool"] == {"first"}
    assert plugins() not in {everything, part}


def test_a_registry_holds_until_its_block_ends_even_by_an_error() -> None:
    before = plugins()
    bare = Plugins(points=[])

    def look() -> None:
        with using(bare):
            assert plugins() is bare
            find("model", "raf", {})

    with pytest.raises(UserError, match="unknown model"):
        look()
    assert plugins() is before


def harness(*arguments: str, path: Path, **environment: str) -> types.SimpleNamespace:
    completed = subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        env={**os.environ, "PYTHONPATH": str(path), "COLUMNS": "200", **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return types.SimpleNamespace(
        rc=completed.returncode, out=completed.stdout, err=completed.stderr
    )


def test_the_command_line_lists_blocks_and_survives(installed: Installed) -> None:
    installed.good("tiny", "tiny_model")
    installed.add("bad", "raise RuntimeError('no luck')")
    path = installed.folder
    listed = harness("plugins", path=path)
    assert listed.rc == 0
    assert "dist-tiny 1.2" in listed.out
    assert "RuntimeError: no luck" in listed.out
    assert "tiny_model" in harness("models", path=path).out
    assert "tiny_model" not in harness("--block-plugin", "tiny", "models", path=path).out
    blocked = harness("models", path=path, HARNESS_BLOCK_PLUGINS="other, tiny")
    assert "tiny_model" not in blocked.out
    displayed = harness("--block-plugin", "tiny", "models", "show", "tiny", path=path)
    assert displayed.rc == 2
    assert "is blocked" in displayed.err


def test_help_and_tasks_import_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from harness.cli.main import invoke, main\n"
        "codes = [invoke(main, ['--help']), invoke(main, ['tasks']), invoke(main, ['models'])]\n"
        "heavy = ('torch', 'transformers', 'jsonschema', 'scipy')\n"
        "print(codes, [name for name in heavy if name in sys.modules])\n"
    )
    completed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    codes_and_heavy = completed.stdout.splitlines()[-1]
    assert codes_and_heavy.startswith("[0, 0, 0]")
    for name in ("torch", "transformers", "jsonschema", "scipy"):
        assert name not in codes_and_heavy
