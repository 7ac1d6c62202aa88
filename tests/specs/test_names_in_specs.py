"""Each name in a shipped spec, changed, is refused or said: cases come from the specs themselves.

A key that a later spec brings is covered without a line here, unless it holds free text.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness_checks.api import validate

import harness
from harness.api.runs import NullReporter
from harness.errors import UserError
from harness.resources import data_folder

Path_ = tuple[str | int, ...]
WRONG = "zzz"
NAMED = re.compile(r"^(options|data\.each\.texts|data\.counts|training)\.([^.]+)")
"""Tables whose keys a spec chooses: one of them stands for all."""
FREE = re.compile(
    r"""(id|title|summary|citation|licence|intended_use|unit|answer
    |data\.(obtain|each\.texts\.\*|each\.values.*|benchmark|keep.*)
    |prompt\.(template|system|paraphrases\.\[\]|further_paraphrases\.\[\])
    |ask\.choose\.(text|labels.*)|ask\.(embed\.texts|generate\.stop)\.\[\]
    |metrics\.\[\]\.column|options\.\*\.(note|default|choices\.\[\])
    |training\.\*\.(template|answer|against\.(answer|field)))""",
    re.VERBOSE,
)
"""Free text, labels, and what only samples can contradict."""
OF_SAMPLES = re.compile(
    r"slices\.\[\]|metrics\.\[\]\.options\.\w+|data\.options\..*|data\.each\..*"
)
"""Names of groups, columns, files and values: the plan or the record says what samples lack."""


def names(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of each text."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        if isinstance(value, dict | list):
            yield from names(value, (*path, key))
        elif isinstance(value, str):
            yield (*path, key)


def pattern(path: Path_) -> str:
    """Return what paths of one meaning share."""
    text = ".".join("[]" if isinstance(part, int) else str(part) for part in path)
    return NAMED.sub(r"\1.*", text)


def cases() -> Iterator[tuple[Path, Path_]]:
    seen: set[str] = set()
    for file in sorted(data_folder("task_specs").rglob("*.yaml")):
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
        for path in names(raw):
            if (kind := pattern(path)) not in seen and "group" not in raw:
                seen.add(kind)
                if not FREE.fullmatch(kind):
                    yield file, path


def changed(raw: Any, path: Path_) -> Any:
    """Return a spec with one name changed."""
    other = copy.deepcopy(raw)
    inner = other
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] += WRONG
    return other


class Said(NullReporter):
    """Keeps what a plan says."""

    def __init__(self) -> None:
        self.text = ""

    def say(self, note: str) -> None:
        """Keep a note."""
        self.text += note


@pytest.mark.parametrize(
    ("file", "path"), [pytest.param(*case, id=pattern(case[1])) for case in cases()]
)
def test_a_name_that_refers_to_nothing_is_refused_at_its_line(
    file: Path, path: Path_, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    spec = tmp_path / f"changed_{file.stem}.yaml"
    other = {**changed(raw, path), "id": f"changed_{file.stem}"}
    spec.write_text(yaml.safe_dump(other, sort_keys=False, allow_unicode=True), encoding="utf-8")
    problems = validate(spec).problems
    if problems:
        assert str(problems[0]).startswith(f"{spec}:")
        return
    assert OF_SAMPLES.fullmatch(pattern(path)), f"{pattern(path)} may be anything"
    if pattern(path) == "slices.[]":
        message = Said()
        embeds = "embed" in raw["ask"]
        options = {"preset": "demo"} if embeds else {}
        harness.plan("open_clip" if embeds else "null", str(spec), options=options).show(message)
        assert WRONG in message.text


def test_a_value_that_nothing_asks_about_has_no_text_of_its_own(tmp_path: Path) -> None:
    shipped = data_folder("task_specs") / "fairness" / "cmsc.yaml"
    text = shipped.read_text(encoding="utf-8")
    assert "      chef: " in text
    spec = tmp_path / "mine.yaml"
    spec.write_text(text.replace("      chef: ", "      cheff: "), encoding="utf-8")
    (problem,) = validate(spec).problems
    assert "unknown value of data.each 'cheff'" in str(problem)


def test_a_perturbation_that_resembles_an_installed_one_is_refused(tmp_path: Path) -> None:
    shipped = data_folder("task_specs") / "general" / "textvqa.yaml"
    raw = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    spec = tmp_path / "mine.yaml"
    other = {**raw, "id": "mine", "changed_by": ["cropp"]}
    spec.write_text(yaml.safe_dump(other, sort_keys=False), encoding="utf-8")
    (problem,) = validate(spec).problems
    assert "unknown perturbation 'cropp'" in str(problem)
    with pytest.raises(UserError, match="unknown perturbation 'cropp'"):
        harness.plan("hf_vlm", str(spec), options={"path": "x"}, variants="crop")
