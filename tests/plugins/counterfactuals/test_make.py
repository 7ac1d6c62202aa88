"""``harness make counterfactuals`` on a tiny random SDXL: folders, resuming, refusals."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from harness_counterfactuals import contract, filtering, spec, studio
from harness_counterfactuals.cards import DATASHEET
from harness_counterfactuals.checkpoints import Checkpoint
from harness_counterfactuals.command import make as command
from harness_counterfactuals.contract import FilterDescriptor, Score
from harness_counterfactuals.folder import SetFolder
from harness_counterfactuals.make import make
from harness_counterfactuals.manifest import About, Row
from harness_counterfactuals.provenance import GENERATED, provenance_of
from harness_counterfactuals.tiny import write_tiny
from PIL import Image

from harness.errors import DataError, UserError
from harness.readers.guard import make_reader
from harness.samples.roots import data_root

from .specs import spec_file, spec_with

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny"))


def quick(tiny: Path, **changes: Any) -> dict[str, Any]:
    return {"generator": {"model": str(tiny), "steps": 2}, **changes}


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(command, ["counterfactuals", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished folder, made by the command."""
    folder = tmp_path_factory.mktemp("made")
    result = run(spec_file(folder, **quick(tiny)), "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return folder / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_a_folder_says_what_each_image_is(made: Path) -> None:
    folder = SetFolder.open(made)
    rows = folder.rows()
    assert [row.file for row in rows] == [row.file for row in folder.manifest()]
    assert len(rows) == folder.about.images == 12
    assert {row.set for row in rows} == {"chef-0000", "chef-0001"}
    assert [row.attributes["race"] for row in rows if row.is_source] == ["asian"] * 2 + [
        "black"
    ] * 2
    first = rows[0]
    assert first.prompt == "a photo of an Asian woman, a chef"
    assert set(json.loads(first.models)) == {"text_encoder", "text_encoder_2", "unet", "vae"}
    assert folder.image(first).size == (32, 32)
    assert not (made / "journal").exists()


def test_an_image_carries_where_it_comes_from(made: Path, tmp_path: Path, tiny: Path) -> None:
    row = SetFolder.open(made).rows()[0]
    jpeg = spec_with(
        tmp_path, **quick(tiny, sets=1, image={"width": 32, "height": 32, "format": "jpeg"})
    )
    other = make(jpeg, tmp_path / "out", say=print).rows()[0]
    for path in (made / row.file, tmp_path / "out" / other.file):
        with Image.open(path) as image:
            messages = provenance_of(image)
            assert GENERATED in str(image.info.get("XML:com.adobe.xmp") or image.info["xmp"])
        assert (messages["set"], messages["prompt"]) == (row.set, row.prompt)
        assert messages["generated"] is True


def test_the_readers_take_the_folder_as_it_is(made: Path) -> None:
    counts = []
    for split in ("train", "val", "test"):
        options: dict[str, Any] = {"labels": "table", "table": "kept.jsonl"}
        cmsc = list(make_reader("cmsc", options, "set").samples(data_root(made), split))
        expected: dict[str, Any] = {
            "file": "manifest.parquet",
            "image": "file",
            "target": "concept",
            "cluster": "set",
            "split_column": "split",
            "groups": {"race": {"column": "race", "labelled_by": "machine"}},
        }
        reader = make_reader("table", expected, "set")
        table = list(reader.samples(data_root(made), split)) if cmsc else []
        assert len(cmsc) == len(table)
        counts.append(len(cmsc))
        for sample in cmsc:
            assert sample.groups["race"].value in {"asian", "black", "middle eastern"}
    assert sum(counts) == 12


def test_the_same_command_again_makes_nothing_and_another_is_refused(
    made: Path, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(made)
    monkeypatch.setattr(studio, "Studio", None)
    assert run(spec_file(tmp_path, **quick(tiny)), "--out", made).exit_code == 0
    assert contents(made) == before
    with pytest.raises(UserError, match="made with other settings of sets, seed"):
        make(spec_with(tmp_path, **quick(tiny, sets=3, seed=1)), made, say=print)
    with pytest.raises(UserError, match="images were made by"):
        make(spec_with(tmp_path, **quick(tmp_path)), made, say=print)
    with monkeypatch.context() as patch:
        vae = json.loads(SetFolder.open(made).rows()[0].models)["vae"]
        hashes = {"unet": "0" * 64, "vae": vae}
        patch.setattr(Checkpoint, "hashes", lambda _: hashes)
        with pytest.raises(UserError, match="made with other settings of unet"):
            make(spec_with(tmp_path, **quick(tiny)), made, say=print)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(UserError, match=r"holds other files: notes\.txt"):
        make(spec_with(tmp_path, **quick(tiny)), tmp_path / "other", say=print)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["notes.txt"]


def test_a_stop_costs_one_set_and_no_byte(
    made: Path, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, requested = studio.Studio.make, list[str]()

    def stops(self: studio.Studio, planned: Any) -> list[Row]:
        requested.append(planned.name)
        rows = original(self, planned)
        if len(requested) == 2:
            raise KeyboardInterrupt  # its images are written, and it is not journaled
        return rows

    monkeypatch.setattr(studio.Studio, "make", stops)
    wanted, out = spec_with(tmp_path, **quick(tiny)), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        make(wanted, out, say=print)
    with pytest.raises(UserError, match="not finished"):
        SetFolder.open(out)
    plan = json.loads(run(tmp_path / "trial.yaml", "--out", out, "--plan", "--json").output)
    assert (plan["done"], plan["sets"], plan["longest"]) == (1, 2, 34)
    filtering.apply_filters(make(wanted, out, say=print), (), "set", print)
    assert requested == ["chef-0000", "chef-0001", "chef-0001"]
    assert contents(out) == contents(made)


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_same_command_continues(
    made: Path, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    original = Path.open

    def fills(self: Path, *arguments: Any, **options: Any) -> Any:
        nonlocal written
        if ".png" in self.name:
            written += 1
            if written > 8:
                raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, *arguments, **options)

    wanted, out = spec_with(tmp_path, **quick(tiny)), tmp_path / "out"
    with monkeypatch.context() as full:
        full.setattr(Path, "open", fills)
        with pytest.raises(UserError, match=r"cannot be written: No space left") as caught:
            make(wanted, out, say=print)
    assert "the same command then continues" in caught.value.fix
    make(wanted, out, say=print)
    assert (out / "images.jsonl").read_bytes() == (made / "images.jsonl").read_bytes()


def test_a_small_model_is_not_spread_over_all_cores(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("harness.models.threads.cores", lambda: 4)
    used = set[int]()
    make_set = studio.Studio.make

    def counted(self: studio.Studio, planned: Any) -> list[Row]:
        used.add(torch.get_num_threads())
        return make_set(self, planned)

    monkeypatch.setattr(studio.Studio, "make", counted)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        make(spec_with(tmp_path, **quick(tiny)), tmp_path / "out", say=lambda _: None)
        assert (used, torch.get_num_threads()) == ({1}, 3)
    finally:
        torch.set_num_threads(before)


def test_an_image_that_was_changed_is_refused(made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    folder = SetFolder.open(copy)
    Image.new("RGB", (32, 32)).save(copy / folder.rows()[0].file)
    with pytest.raises(DataError, match="changed since it was made"):
        folder.image(folder.rows()[0])


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ("{tiny}/unet", "not a diffusers folder: it has no model_index"),
        ("{tiny}/model_index.json", "is a file, and no diffusers folder"),
        ("{tiny}/nothing", "the folder does not exist"),
        ("{pix}", "is a checkpoint of StableDiffusionUpscalePipeline"),
        ("{pickled}", "no .safetensors file"),
    ],
)
def test_what_is_no_checkpoint_is_refused(
    tmp_path: Path, tiny: Path, model: str, match: str
) -> None:
    for name, kind in (("pix", "StableDiffusionUpscalePipeline"), ("pickled", None)):
        index = json.loads((tiny / "model_index.json").read_text())
        (tmp_path / name / "unet").mkdir(parents=True)
        index["_class_name"] = kind or index["_class_name"]
        (tmp_path / name / "model_index.json").write_text(json.dumps(index))
    path = model.format(tiny=tiny, pix=tmp_path / "pix", pickled=tmp_path / "pickled")
    wanted = spec_with(tmp_path, generator={"model": path})
    with pytest.raises(UserError, match=match):
        make(wanted, tmp_path / "out", say=print)


def test_78_tokens_are_refused_before_weights_are_loaded(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "Studio", None)
    long = {"chef": {"prompts": ["{a race} {gender} " + "x" * 65]}}
    with pytest.raises(UserError, match="tokens long, and the text encoder reads 77") as refusal:
        make(spec_with(tmp_path, **quick(tiny, concepts=long)), tmp_path / "out", say=print)
    assert refusal.value.where == "template 1 of concept 'chef'"
    assert len(refusal.value.message) < 160  # however long the prompt is


class Names:
    """A filter that drops one image, and scores the length of its name."""

    name, version = "names", "1"
    needs: Mapping[str, str] = {}

    def __init__(self, options: Mapping[str, Any], about: About) -> None:
        assert about.edited == "race"
        self._drops = options["drops"]

    def score(self, images: Sequence[Any], rows: Sequence[Row]) -> list[Score]:
        assert {image.size for image in images} == {(32, 32)}
        return [
            Score({"letters": float(len(row.file))}, "ugly" if self._drops in row.file else "")
            for row in rows
        ]


def test_filters_are_scored_anew_and_hide_nothing(
    made: Path, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.descriptors import Option

    descriptor = FilterDescriptor(
        id="names",
        target=f"{__name__}:Names",
        summary="names",
        options=(Option(name="drops", default="nothing"),),
    )
    for module in (contract, spec, filtering):
        monkeypatch.setattr(module, "filters", lambda: {"names": descriptor})
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Names.__module__])
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    chosen = [{"filter": "names", "options": {"drops": "chef-0001/man/black"}}]
    file = spec_file(tmp_path, **quick(tiny, filters=chosen))
    result = run(file, "--out", copy, "--filter-only", "--json")
    assert json.loads(result.stdout)["sets_kept"] == 1, result.output
    rows = SetFolder.open(copy).manifest()
    assert len(rows) == 12
    assert all(row.scores["names.letters"] == len(row.file) for row in rows)
    assert {row.dropped for row in rows if row.set == "chef-0001"} == {"names: ugly"}
    run(spec_file(tmp_path, **quick(tiny, filters=chosen, drop="image")), "--out", copy,
        "--filter-only")  # fmt: skip
    assert sum(bool(row.dropped) for row in SetFolder.open(copy).manifest()) == 1
    assert len((copy / "kept.jsonl").read_text().splitlines()) == 11
    datasheet = (copy / DATASHEET).read_text("utf-8")
    assert "nothing else" in datasheet
    assert "chef-0001/man/black" in datasheet


def test_the_demo_s_people_differ_in_race_more_than_in_what_is_beside_them(
    tmp_path: Path,
) -> None:
    demo = spec.load_spec("demo")
    weights = Path(spec.__file__).with_name("demo_model").rglob("*.safetensors")
    assert sum(path.stat().st_size for path in weights) < 6e6
    attributes = {**demo.attributes, "age": {"young": "young"}, "gender": {"male": "male"}}
    changed = replace(demo, attributes=attributes, concepts=demo.concepts[9:10], sets=2)
    folder = make(changed, tmp_path / "out", device="cpu", say=print)
    sets: dict[str, dict[str, Any]] = {}
    for row in folder.rows():
        sets.setdefault(row.set, {})[row.attributes["race"]] = np.asarray(folder.image(row), float)
    face, beside = (slice(9, 16), slice(8, 15)), (slice(0, 20), slice(22, 32))
    assert all(images["white"][face].mean() > images["black"][face].mean() + 60
               for images in sets.values())  # fmt: skip
    first, second = sets.values()

    def apart(image: Any, other: Any) -> float:
        return float(np.abs(image[beside] - other[beside]).mean())

    within = [apart(images["white"], images[race]) for images in sets.values() for race in images]
    between = [apart(first[race], second[race]) for race in first]
    assert np.mean(within) < np.mean(between) / 2


def test_filters_that_cannot_run_are_refused_before_anything_is_made(
    tmp_path: Path, tiny: Path
) -> None:
    wanted = spec_with(tmp_path, **quick(tiny, filters=[{"filter": "one_face"}]))
    with pytest.raises(UserError, match="'one_face' needs weights of keypointrcnn"):
        make(wanted, tmp_path / "out", say=print)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "flag", [["--device", "cpu"], ["--batch-size", "2"], ["--model", "x"], ["-e", "workers=2"]]
)
def test_flags_of_making_are_refused_beside_filter_only(tmp_path: Path, flag: list[str]) -> None:
    result = run(spec_file(tmp_path), "--out", tmp_path / "out", "--filter-only", *flag)
    assert isinstance(result.exception, UserError)
    assert f"{flag[0]} only affects generation" in str(result.exception)


def test_plan_and_filter_only_exclude_each_other(tmp_path: Path) -> None:
    result = run(spec_file(tmp_path), "--out", tmp_path / "out", "--plan", "--filter-only")
    assert isinstance(result.exception, UserError)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_kill_9_and_the_same_command_give_the_same_bytes(
    made: Path, tmp_path: Path, tiny: Path
) -> None:
    file, out = spec_file(tmp_path, **quick(tiny)), tmp_path / "out"
    arguments = [sys.executable, "-m", "harness", "make", "counterfactuals", str(file), "--out"]
    process = subprocess.Popen([*arguments, str(out)], stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("journal/*.jsonl")):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run([*arguments, str(out)], check=True, capture_output=True)
    assert contents(out) == contents(made)


@pytest.mark.slow
def test_workers_make_the_same_bytes(made: Path, tmp_path: Path, tiny: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "harness", "make", "counterfactuals",
         str(spec_file(tmp_path, **quick(tiny))), "--out", str(tmp_path / "out"),
         "--on", "processes", "-e", "workers=2"],
        capture_output=True, text=True, check=False, env={**os.environ},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert contents(tmp_path / "out") == contents(made)


def write_refiner(folder: Path, tiny: Path) -> Path:
    """Write a refiner of SDXL's shape: the second text encoder alone, and an aesthetic score."""
    import diffusers
    import torch
    from harness_counterfactuals.tiny import scheduler

    base = diffusers.StableDiffusionXLPipeline.from_pretrained(tiny)
    torch.manual_seed(5)
    config = dict(base.unet.config) | {
        "cross_attention_dim": 32,
        "projection_class_embeddings_input_dim": 5 * 8 + 32,
        "transformer_layers_per_block": (1, 1),
    }
    diffusers.StableDiffusionXLImg2ImgPipeline(
        vae=base.vae,
        text_encoder=None,
        text_encoder_2=base.text_encoder_2,
        tokenizer=None,
        tokenizer_2=base.tokenizer_2,
        unet=diffusers.UNet2DConditionModel.from_config(config),
        scheduler=scheduler(),
        requires_aesthetics_score=True,
        add_watermarker=False,
    ).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_refiner_finishes_every_image_in_any_batch(tiny: Path, tmp_path: Path) -> None:
    generator = {"model": str(tiny), "steps": 5}
    refiner = write_refiner(tmp_path / "refiner", tiny)
    hashes = []
    for name, more, batch in (
        ("plain", {}, None),
        ("refined", {"refiner": str(refiner)}, None),
        ("halves", {"refiner": str(refiner)}, 2),
    ):
        made_spec = spec_with(tmp_path, generator={**generator, **more}, sets=1)
        rows = make(made_spec, tmp_path / name, batch=batch, say=print).rows()
        hashes.append([row.sha256 for row in rows])
    plain, refined, halves = hashes
    assert refined == halves
    assert not set(plain) & set(refined)
    assert "refiner.unet" in json.loads(rows[0].models)
    wrong = spec_with(tmp_path, generator={**generator, "refiner": str(tiny)}, sets=1)
    with pytest.raises(UserError, match="StableDiffusionXLImg2ImgPipeline is needed"):
        make(wrong, tmp_path / "wrong", say=print)


@pytest.mark.slow
def test_an_instructed_model_edits_the_source(tmp_path: Path) -> None:
    import diffusers
    import numpy as np

    base = write_tiny(tmp_path / "base", xl=False)
    full = diffusers.StableDiffusionPipeline.from_pretrained(base)
    config = {**full.unet.config, "in_channels": 8}
    parts = {**full.components, "unet": diffusers.UNet2DConditionModel.from_config(config)}
    diffusers.StableDiffusionInstructPix2PixPipeline(
        **parts, requires_safety_checker=False
    ).save_pretrained(tmp_path / "instructed")
    editor = {
        "kind": "instruct_pix2pix",
        "model": str(tmp_path / "instructed"),
        "instruction": "make the person {race}",
    }
    wanted = spec_with(tmp_path, sets=1, editor=editor)
    wanted = replace(wanted, generator=replace(wanted.generator, model=str(base), steps=2))
    folder = make(wanted, tmp_path / "out", say=print)
    first = folder.rows()[:3]
    assert first[0].is_source
    assert "editor.unet" in json.loads(first[0].models)
    images = [np.asarray(folder.image(row)) for row in first]
    assert not np.array_equal(images[0], images[1])
    assert not np.array_equal(images[1], images[2])
