"""Filters give the numbers that their definitions give, and drop what falls short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_counterfactuals.contract import FilterDescriptor, Score, filters
from harness_counterfactuals.drops import drops_of
from harness_counterfactuals.filters import DESCRIPTORS
from harness_counterfactuals.filters.duplicates import NearDuplicates
from harness_counterfactuals.filters.faces import OneFace
from harness_counterfactuals.filters.words import sources
from harness_counterfactuals.folder import SetFolder
from PIL import Image

from harness.descriptors import parse_options
from harness.errors import UserError
from harness.targets import load_target
from tests.plugins.counterfactuals.folders import RACES, made, square

ENCODER = "package:harness_demo_world/weights/encoder"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> SetFolder:
    return made(tmp_path_factory.mktemp("sets") / "made")


def descriptor(name: str) -> FilterDescriptor:
    return next(each for each in DESCRIPTORS if each.id == name)


def make(name: str, folder: SetFolder, **options: Any) -> Any:
    described = descriptor(name)
    parsed = parse_options(described.options, options, owner=f"filter {name!r}")
    return load_target(described)(parsed, folder.about)


def first_set(folder: SetFolder) -> tuple[list[Image.Image], list[Any]]:
    _, rows = next(iter(folder.sets()))
    return [folder.image(row) for row in rows], rows


def test_the_filters_are_found_by_their_names() -> None:
    assert set(filters()) >= {each.id for each in DESCRIPTORS}


@pytest.mark.parametrize("name", ["one_person", "similarity", "direction", "structure", "safety",
                                  "one_face"])  # fmt: skip
def test_a_filter_without_its_model_says_what_it_needs(folder: SetFolder, name: str) -> None:
    with pytest.raises(UserError, match=f"the filter '{name}' needs") as refused:
        make(name, folder)
    assert "options: {" in refused.value.fix


def test_words_are_compared_as_the_formulas_say(folder: SetFolder) -> None:
    images, rows = first_set(folder)
    similarity = make("similarity", folder, encoder=ENCODER)
    encoder = similarity._encoder
    seen = encoder.images(images, [row.sha256 for row in rows])
    prompts = encoder.texts([row.prompt for row in rows])
    assert np.allclose(np.linalg.norm(seen, axis=1), 1)
    scores = similarity.score(images, rows)
    for index, (row, score) in enumerate(zip(rows, scores, strict=True)):
        assert score.values["prompt"] == pytest.approx(seen[index] @ prompts[index])
        words = encoder.texts([row.attributes["race"].capitalize()])[0]
        assert score.values["words"] == pytest.approx(seen[index] @ words)
        assert bool(score.drops) == (score.values["prompt"] < 0.2)
    direction = make("direction", folder, encoder=ENCODER, least=0.0)
    for index, score in enumerate(direction.score(images, rows)):
        source = index - index % 3
        if index == source:
            assert score == Score({"cosine": None})
            continue
        moved, words = seen[index] - seen[source], prompts[index] - prompts[source]
        cosine = moved @ words / np.linalg.norm(moved) / np.linalg.norm(words)
        assert score.values["cosine"] == pytest.approx(cosine)
        assert bool(score.drops) == (cosine < 0)


def test_an_image_has_one_score_whatever_stands_beside_it(folder: SetFolder) -> None:
    images, rows = first_set(folder)
    similarity = make("similarity", folder, encoder=ENCODER)
    together = similarity.score(images, rows)
    alone = [similarity.score([image], [row])[0] for image, row in zip(images, rows, strict=True)]
    assert together == alone


def test_an_edit_that_changes_nothing_is_dropped(folder: SetFolder) -> None:
    images, rows = first_set(folder)
    direction = make("direction", folder, encoder=ENCODER)
    same = [images[0]] * len(images)
    rows = [row for row in rows if row.base == rows[0].base]
    for row, score in zip(rows[1:], direction.score(same[: len(rows)], rows)[1:], strict=True):
        assert score == Score({"cosine": None}, "the edit changes nothing"), row


def test_one_person_is_a_softmax_over_the_texts(folder: SetFolder) -> None:
    images, rows = first_set(folder)
    texts = ["a photo of one person", "an empty street"]
    person = make("one_person", folder, encoder=ENCODER, texts=texts)
    encoder = person._encoder
    logits = encoder.scale * encoder.images(images[:1], ["x"]) @ encoder.texts(texts).T
    expected = torch.tensor(logits).softmax(dim=1)[0, 0]
    [score] = person.score(images[:1], rows[:1])
    assert score.values["probability"] == pytest.approx(float(expected))
    with pytest.raises(UserError, match="not two texts or more"):
        make("one_person", folder, encoder=ENCODER, texts=["one"])


def test_a_prompt_that_the_encoder_would_cut_is_refused(folder: SetFolder) -> None:
    similarity = make("similarity", folder, encoder=ENCODER)
    with pytest.raises(UserError, match="tokens more than the encoder"):
        similarity._encoder.texts(["a photo of a chef " * 60])


def test_faces_and_people_are_counted(folder: SetFolder) -> None:
    face = OneFace.__new__(OneFace)
    face._person, face._keypoint, face._area = 0.8, 0.0, 0.05
    boxes = torch.tensor([[0, 0, 50, 50], [50, 50, 100, 100], [0, 0, 9, 9], [0, 0, 50, 50.0]])
    scores = torch.tensor([0.9, 0.95, 0.99, 0.5])  # the third is tiny, the fourth unsure
    points = torch.full((4, 17), 1.0)
    points[1, [1, 2]] = -1.0  # turned away: neither eye is seen
    detected = {"boxes": boxes, "scores": scores, "keypoints_scores": points}
    assert face.count(detected, 100 * 100) == (2, 1)


def test_a_later_set_that_looks_like_an_earlier_one_is_dropped(folder: SetFolder) -> None:
    duplicates = NearDuplicates({"most": 8}, folder.about)
    hashes = {}
    for name, rows in folder.sets():
        hashes[name] = [
            -1 if (bits := score.values["bits"]) is None else bits
            for score in duplicates.score([folder.image(row) for row in rows], rows)
        ]
    assert all(bits == -1 for bits in hashes["chef-0000"])
    assert hashes["chef-0001"][0] > 8
    assert hashes["chef-0001"][1] == -1
    assert 0 <= hashes["thief-0000"][0] <= 8  # the chef's square on a ground of another colour
    _, rows = next(iter(folder.sets()))
    again = duplicates.score([folder.image(row).resize((96, 96)) for row in rows], rows)
    assert [bool(score.drops) for score in again] == [row.is_source for row in rows]
    for number in range(3000):  # the table grows
        duplicates._add(np.full(4, number, np.uint64))
    assert duplicates.score([folder.image(rows[0])], rows[:1])[0].values["bits"] == 0


def test_a_base_without_a_source_takes_its_first_row(folder: SetFolder) -> None:
    _, rows = first_set(folder)
    assert sources(rows) == [0, 0, 0, 3, 3, 3]
    assert sources(rows[1:3]) == [0, 0]


@pytest.mark.slow
def test_structure_is_dinos_distance(folder: SetFolder, tmp_path: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model, ViTImageProcessor

    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28)
    model: Any = Dinov2Model(config)
    model.eval()
    model.save_pretrained(tmp_path)
    processor = ViTImageProcessor(size={"height": 28, "width": 28})
    processor.save_pretrained(tmp_path)
    images, rows = first_set(folder)
    structure = make("structure", folder, checkpoint=str(tmp_path), most=1e-9)
    scores = structure.score(images, rows)
    with torch.inference_mode():
        tokens = model(**processor(images, return_tensors="pt")).last_hidden_state[:, 0].double()
    cosine = torch.cosine_similarity(tokens[1], tokens[0], dim=0)
    assert scores[0] == Score({"distance": None})
    assert scores[1].values["distance"] == pytest.approx(float(1 - cosine), abs=1e-6)
    assert scores[1].drops == "more than the edit changes"


@pytest.mark.slow
def test_structure_is_lpips_with_weights_by_path(folder: SetFolder, tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips")
    from torchvision.models import alexnet

    torch.manual_seed(0)
    weights = alexnet(weights=None).state_dict()
    path = tmp_path / "alexnet.pth"
    torch.save(weights, path)
    images, rows = first_set(folder)
    structure = make("structure", folder, measure="lpips", checkpoint=str(path))
    scores = structure.score(images, rows)
    assert scores[0].values["distance"] is None
    net = structure._measure._net
    assert torch.equal(net.net.slice1[0].weight.cpu(), weights["features.0.weight"])
    assert isinstance(net, lpips.LPIPS)
    assert 0 < (scores[1].values["distance"] or 0) < 2
    assert structure._measure.distance(*[structure._measure.prepare(images[0])] * 2) == 0
    torch.save({"features.0.weight": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="not the weights of AlexNet"):
        make("structure", folder, measure="lpips", checkpoint=str(path))


@pytest.mark.slow
def test_the_margin_decides_as_the_safety_checker_does(folder: SetFolder, tmp_path: Path) -> None:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPVisionConfig

    torch.manual_seed(0)
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                              num_attention_heads=2, image_size=32, patch_size=16)  # fmt: skip
    checker: Any = StableDiffusionSafetyChecker(
        CLIPConfig(vision_config=vision.to_dict(), projection_dim=8)
    )
    checker.eval()
    for name in ("concept_embeds", "special_care_embeds"):
        torch.nn.init.normal_(getattr(checker, name))
    checker.concept_embeds_weights.data.fill_(0.55)
    checker.special_care_embeds_weights.data.fill_(0.3)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    checker.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)) for _ in range(12)]
    pixels = processor(images, return_tensors="pt").pixel_values
    checker.concept_embeds_weights.data += torch.linspace(-0.05, 0.1, 17)
    checker.save_pretrained(tmp_path)
    _, flagged = checker(pixels, [np.asarray(image) / 255 for image in images])
    safety = make("safety", folder, checkpoint=str(tmp_path))
    scores = safety.score(images, [None] * 12)
    assert [bool(score.drops) for score in scores] == flagged


@pytest.mark.slow
def test_a_detector_reads_weights_by_path_and_refuses_others(
    folder: SetFolder, tmp_path: Path
) -> None:
    from torchvision.models.detection import keypointrcnn_resnet50_fpn

    detector = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    path = tmp_path / "keypoints.pth"
    torch.save(detector.state_dict(), path)
    face = make("one_face", folder, checkpoint=str(path))
    images, rows = first_set(folder)
    [score] = face.score(images[:1], rows[:1])
    assert score.values["people"] == 0
    assert score.drops == "no person"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError):
        make("one_face", folder, checkpoint=str(path))


def test_a_group_that_a_filter_drops_more_stands_out(tmp_path: Path) -> None:
    folder = made(tmp_path / "made", sets=20, draw=lambda *_: square("chef", 0, "man", "asian"))
    rows = folder.rows()
    # Of the chefs' black images a filter drops those of 15 sets, of all others' that of one.
    drops = {row.file for row in rows if row.concept == "chef" and row.attributes["race"] == "black"
             and row.seed < 15 and row.attributes["gender"] == "man"}  # fmt: skip
    drops |= {row.file for row in rows if row.concept == "thief" and row.seed == 0}
    scores = {row.file: Score({}, "odd" if row.file in drops else "") for row in rows}
    report = {(each.part, each.value): each for each in drops_of(rows, {"odd": scores})}
    assert (report["", ""].sets, report["", ""].dropped) == (40, 16)
    chef = report["concept", "chef"]
    assert (chef.sets, chef.dropped, chef.stands_out) == (20, 15, True)
    assert not report["concept", "thief"].stands_out
    black = report["race", "black"]
    assert (black.sets, black.dropped, black.stands_out) == (40, 16, True)
    assert {report["race", race].dropped for race in RACES if race != "black"} == {1}
    assert report["gender", "man"].dropped == 16
    assert (
        "odd finds unfit images in 16 of 40 sets (race black): 40.0 % [26.3, 55.4]" in black.line()
    )
