"""The catalog: names to specs, with broken files and cycles costing no more than themselves."""

# ruff: noqa: E501  scripts and files as one text

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError, UserError
from harness.resources import data_folder
from harness.specs.catalog import load_catalog
from tests.specs.specs_for_tests import SPEC

SOCIAL = ["hagridv2", "pisc_fine", "gazefollow", "raf_db", "jrdb_social"]


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def group(name: str, *members: str) -> str:
    return f"group: {name}\ntitle: {name}\ntasks: [{', '.join(members)}]\n"


def test_the_project_s_own_specs_all_build() -> None:
    catalog = load_catalog([data_folder("task_specs")])
    assert catalog.broken == {}
    assert {*SOCIAL, "pisc_coarse"} <= {*catalog.tasks}
    for name, spec in catalog.tasks.items():
        assert spec.id == name
    assert list(catalog.groups["social_all"].tasks) == SOCIAL


def test_names_and_groups_expand_once_each_in_order() -> None:
    catalog = load_catalog([data_folder("task_specs")])
    assert catalog.expand(["social_all"]) == SOCIAL
    assert catalog.expand(["raf_db, social_all", "raf*"])[:2] == ["raf_db", "hagridv2"]
    assert len(catalog.expand(["raf_db,social_all"])) == 5
    for names in (["raf_db, social_all", "raf_db"], ["social_all", "social_all"]):
        with pytest.raises(UserError, match=r"task or group '[a-z_]*' is named twice"):
            catalog.expand(names)
    with pytest.raises(UserError, match="did you mean 'pisc_fine'"):
        catalog.expand(["pisc_fien"])
    with pytest.raises(UserError, match="no task is named"):
        catalog.expand([" , "])


def test_a_choice_of_named_options() -> None:
    catalog = load_catalog([data_folder("task_specs")])
    assert len(catalog.task("hagridv2").labels) == 33
    chosen = catalog.task("hagridv2", {"no_gesture": "include"})
    assert chosen.labels[-1] == "no_gesture"
    assert chosen.data.options == {"no_gesture": "include"}
    with pytest.raises(UserError, match="unknown task 'hagrid'"):
        catalog.task("hagrid")


def test_groups_of_groups_and_cycles(tmp_path: Path) -> None:
    write(tmp_path, mood=SPEC, a=group("a", "b", "mood"), b=group("b", "mood"),
          c=group("c", "d"), d=group("d", "c"), e=group("e", "nobody"), f=group("f", "e"))  # fmt: skip
    catalog = load_catalog([tmp_path])
    assert catalog.expand(["a"]) == ["mood"]
    with pytest.raises(UserError, match=r"d.yaml:3:9: a group contains itself: c -> d -> c"):
        catalog.expand(["c"])
    with pytest.raises(UserError, match=r"e.yaml:3:9: unknown task or group 'nobody'"):
        catalog.expand(["f"])


def test_a_broken_file_costs_its_own_name_only(tmp_path: Path) -> None:
    write(
        tmp_path,
        mood=SPEC,
        worse="a: 1\na: 2\n",
        empty="",
        bad=SPEC.replace("id: mood", "id: bad\nx: 1"),
    )
    catalog = load_catalog([tmp_path])
    assert set(catalog.broken) == {"worse", "empty"}
    assert catalog.tasks["mood"].id == "mood"
    with pytest.raises(HarnessError, match=r"worse.yaml:2:1: key 'a' is repeated"):
        catalog.expand(["worse"])
    with pytest.raises(UserError, match=r"bad.yaml:2:1: unknown key 'x'"):
        catalog.task("bad")


def test_an_id_that_two_files_claim_is_refused_when_used(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    write(first, mood=SPEC)
    write(second, mood=SPEC, other=SPEC.replace("id: mood", "id: other"))
    catalog = load_catalog([first, second])
    assert list(catalog.tasks) == ["other"]
    with pytest.raises(UserError) as caught:
        catalog.task("mood")
    assert str(caught.value).startswith(
        f"{second}/mood.yaml:1:5: the id 'mood' is already used by {first}/mood"
    )


def test_a_pattern_leaves_out_no_task_whose_file_is_broken(tmp_path: Path) -> None:
    write(tmp_path, mood=SPEC, again=SPEC, model=SPEC.replace("id: mood", "id: model"))
    catalog = load_catalog([tmp_path])
    assert catalog.expand(["model*"]) == ["model"]
    with pytest.raises(UserError, match="the id 'mood' is already used by"):
        catalog.expand(["mo*"])


def test_listing_loads_neither_jsonschema_nor_numpy() -> None:
    script = (
        "import sys\n"
        "from harness.resources import data_folder\n"
        "from harness.specs.catalog import load_catalog\n"
        "print(len([entry.title for entry in load_catalog([data_folder('task_specs')]).entries.values()]))\n"
        "print([name for name in ('jsonschema', 'numpy', 'jinja2', 'torch') if name in sys.modules])\n"
    )
    completed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert completed.stdout.splitlines()[1] == "[]"


def test_a_malformed_group_says_what_is_wrong(tmp_path: Path) -> None:
    write(
        tmp_path,
        mood=SPEC,
        g="group: g\ntitle: G\ntasks: [mood, 5]\n",
        h="group: h\ntitle: H\ntask: [mood]\n",
    )
    catalog = load_catalog([tmp_path])
    with pytest.raises(UserError, match=r"g.yaml:3:15: tasks\[1\] must be text, not 5"):
        catalog.group("g")
    with pytest.raises(UserError, match="the key 'tasks' is missing"):
        catalog.expand(["h"])
    with pytest.raises(UserError, match="unknown group 'mood'"):
        catalog.group("mood")
