"""From sample to chat."""

from dataclasses import replace

import pytest
from PIL import Image

from harness.descriptors import Json
from harness.errors import SampleError, UserError
from harness.resources import data_folder
from harness.samples import Sample
from harness.samples.images import LoadedImage
from harness.specs import ChooseSpec, TaskSpec
from harness.specs.catalog import load_catalog
from harness.specs.loader import with_options
from harness.specs.prompt import Shot, build_turns, options_as_sent, render_answer
from harness.specs.variants import Variant
from harness.specs.yaml_loader import parse_yaml
from tests.specs.specs_for_tests import SPEC


def mood(extra: str = "") -> TaskSpec:
    return with_options(parse_yaml(SPEC.replace("  view:", f"{extra}  view:")), {})


def sample(who: str = "Ada", target: Json = "sad") -> Sample:
    return Sample("s", (), target, "c", fields={"who": who})


def image() -> LoadedImage:
    return LoadedImage(Image.new("RGB", (2, 2)), "h", "h", 2, 2)


def test_a_question_is_one_user_turn_with_the_images() -> None:
    displayed = image()
    (turn,) = build_turns(mood(), sample(), [displayed])
    assert (turn.role, turn.text, turn.images) == ("user", "Which mood is Ada in?", (displayed,))


def test_a_system_turn_and_shots_come_first() -> None:
    spec = mood("  system: You know {{ who }}.\n  shots: 1\n")
    shot = Shot(sample("Bob", "glad_one"), (image(),))
    turns = build_turns(spec, sample(), [image()], [shot])
    assert [(turn.role, turn.text, len(turn.images)) for turn in turns] == [
        ("system", "You know Ada.", 0),
        ("user", "Which mood is Bob in?", 1),
        ("assistant", "glad one", 0),
        ("user", "Which mood is Ada in?", 1),
    ]
    with pytest.raises(UserError, match="shows 1 few-shot examples, 0 were given"):
        build_turns(spec, sample(), [])


def test_a_paraphrase_is_asked_by_its_position() -> None:
    (turn,) = build_turns(replace(mood(), variant=Variant("paraphrase", 1)), sample(), [])
    assert turn.text == "How does Ada feel?"


def test_a_sample_without_the_field_is_a_sample_error() -> None:
    with pytest.raises(
        SampleError, match=r"mood: prompt.template: template: 'who' is undefined"
    ) as caught:
        build_turns(mood(), Sample("s", (), "sad", "c"), [])
    assert caught.value.kind == "prompt_unrenderable"
    with pytest.raises(SampleError):
        build_turns(mood("  system: You know {{ nobody }}.\n"), sample(), [])


def test_options_as_sent_follow_the_labels() -> None:
    assert options_as_sent(mood(), sample()) == ("glad one", "sad")
    listed = SPEC.replace("    text:", "    order: sorted\n    text:").replace(
        "- glad_one", "- zany"
    )
    assert options_as_sent(with_options(parse_yaml(listed), {}), sample()) == ("sad", "zany")


def test_every_answer_of_the_project_s_choices_is_an_option() -> None:
    catalog = load_catalog([data_folder("task_specs")])
    for spec in catalog.tasks.values():
        if not isinstance(spec.ask, ChooseSpec) or "option" in spec.ask.text + spec.answer:
            continue
        try:
            sent = list(options_as_sent(spec, sample()))
        except SampleError:  # options that name the sample's own fields are no answers to compare
            continue
        assert [render_answer(spec, label) for label in spec.labels] == sent


def test_the_answer_of_a_gaze_is_the_mean_of_its_points() -> None:
    spec = load_catalog([data_folder("task_specs")]).tasks["gazefollow"]
    assert render_answer(spec, [[0.1, 0.2], [0.3, 0.4]]) == "20 30"
    assert options_as_sent(spec, sample()) == ()
    with pytest.raises(UserError, match="gazefollow: answer: template: "):
        render_answer(spec, "left")
