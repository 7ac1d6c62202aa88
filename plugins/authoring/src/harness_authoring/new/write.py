"""Write the package of a new plugin from the templates of its kind, whole or not at all."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import distributions
from importlib.resources import files
from pathlib import Path
from shlex import quote

import click
from harness.descriptors import is_installed
from harness.errors import UserError
from harness.plugins import plugins
from harness.resources import home_path

from harness_authoring.subjects import KINDS as CHECKED
from harness_authoring.subjects import TASK, kind_named, tasks

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST = 50
_TRAIN = "social-harness[train]"
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "model": ("model", "A model that answers questions about images.", "social-harness"),
    "reader": ("reader", "A reader of the release layout of a benchmark.", "social-harness"),
    TASK: ("", "A task on data of your own.", "social-harness-own-data"),
    "metric": ("metric", "A metric of answers.", "social-harness"),
    "extractor": ("extractor", "An extractor of answers from text.", "social-harness"),
    "answer method": ("method", "An inference-time method.", "social-harness"),
    "recipe": ("recipe", "A training recipe.", _TRAIN),
    "format": ("render", "A leaderboard format.", "social-harness"),
    "exporter": ("exporter", "An exchange format of records.", "social-harness"),
    "encoder": ("encoder", "A kind of visual encoder.", "social-harness[torch,analysis]"),
    "command": ("command", "A sub-command of harness.", "social-harness"),
    "executor": ("executor", "A way to start workers.", "social-harness"),
    "data source": ("source", "A place that data come from.", "social-harness-own-data"),
    "study kind": ("study", "A kind of study.", "social-harness"),
}
"""Kind to the module of its target, what it is, and what the package needs."""

SHORT = {"answer method": "method", "data source": "source", "study kind": "study"}

_EXTRA: Mapping[str, tuple[str, str]] = {
    TASK: ("task_specs/{}.yaml", "spec.yaml"),
    "data source": ("task_specs/{}_faces.yaml", "spec.yaml"),
    "study kind": ("studies/{}.yaml", "example.yaml"),
}
"""Kind to a file of data in its package, and its template."""


def write_plugin(name: str, kind: str, out: str | None) -> Path:
    """Write a package that adds one object of a kind; say what to type next; return its folder.

    Args:
        name: Name of the distribution; with ``_`` for ``-`` also of the module, plugin and id.
        kind: As it is typed.
        out: The folder to write; one of that name in the working directory by default.

    Raises:
        UserError: a name that cannot be used or is taken, a kind without templates, a folder that
            is there already.
    """
    full = kind_named(kind)
    if full not in _KINDS:
        kinds = [SHORT.get(one, one) for one in _KINDS]
        raise UserError(
            f"there is no template of the kind {full!r}",
            where="--kind",
            fix=f"one of {', '.join(kinds)}",
        )
    module = _checked(name, full)
    folder = home_path(out) if out else Path(module.replace("_", "-"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError("exists already", where=folder, fix="--out with another folder")
    texts = rendered(module, full)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for path, text in texts.items():
            target = made / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        made.chmod(0o755)
        made.replace(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    _say_next(folder, module, full, texts)
    return folder


def _checked(name: str, kind: str) -> str:
    """Return the module's name.

    Raises:
        UserError: it is not a name of a module, or something of that name is there already.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UserError(
            f"{name[:80]!r} is not a name of a package", where="NAME",
            fix=f"lower-case letters, digits, - and _, a letter first, at most {_LONGEST}",
        )  # fmt: skip
    module = name.replace("-", "_")
    other = f"another name, such as my_{module[: _LONGEST - 3]}"
    if keyword.iskeyword(module) or keyword.issoftkeyword(module):
        raise UserError(f"{name!r} is a keyword of Python", where="NAME", fix=other)
    normal = module.replace("_", "-")
    taken = {re.sub(r"[-_.]+", "-", one.name).lower() for one in distributions() if one.name}
    if normal in taken:
        raise UserError(f"a distribution {normal!r} is installed already", where="NAME", fix=other)
    if module in sys.stdlib_module_names or is_installed(module):
        raise UserError(f"a module {module!r} exists already", where="NAME", fix=other)
    entries = tasks() if kind == TASK else CHECKED[kind](plugins())
    if module in entries or any(info.name == module for info in plugins().infos):
        noun = kind if module in entries else "plugin"
        raise UserError(f"there is a {noun} {module!r} already", where="NAME", fix=other)
    return module


def rendered(module: str, kind: str) -> dict[str, str]:
    """Return the files of a package, by their paths in it."""
    target, summary, requirement = _KINDS[kind]
    short = SHORT.get(kind, kind)
    words = {
        "my_plugin_name": module,
        "my-plugin-name": module.replace("_", "-"),
        "MyPluginName": "".join(part.capitalize() for part in module.split("_")),
        "MY_SUMMARY": summary,
        "MY_REQUIREMENT": requirement,
        "MY_KIND": short,
    }
    package = f"src/{module}"
    paths = {
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        ".gitignore": "common/gitignore",
        ".github/workflows/test.yml": "common/test.yml",
        f"{package}/__init__.py": f"{short}/init.py",
        f"tests/test_{module}.py": f"{short}/tests.py",
        f"docs/{module}.md": f"{short}/page.md",
    }
    if kind in _EXTRA:
        path, template = _EXTRA[kind]
        paths[f"{package}/{path.format(module)}"] = f"{short}/{template}"
    if target:
        paths[f"{package}/{target}.py"] = f"{short}/target.py"
    texts = {path: _filled(template, words) for path, template in paths.items()}
    return {**texts, f"{package}/py.typed": ""}


def _filled(template: str, words: Mapping[str, str]) -> str:
    path = files("harness_authoring.new") / "templates" / f"{template}.template"
    text = path.read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _say_next(folder: Path, module: str, kind: str, texts: Mapping[str, str]) -> None:
    short = SHORT.get(kind, kind)
    click.echo(f"wrote {folder}: {len(texts)} files of the {short} {module!r}")
    # `pip` and `python` may be those of another environment than the one that runs the harness.
    python = quote(sys.executable or "python")
    click.echo(f"install it:  {python} -m pip install -e '{folder}[test]'")
    click.echo(f"test it:     {python} -m pytest {folder}")
    click.echo(f"check it:    harness plugin check {module} --kind {short}")
    click.echo(
        f"then change: {folder}/src/{module}, and say in {folder}/docs/{module}.md what it does"
    )
