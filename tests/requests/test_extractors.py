"""Extractors: what counts as an answer, as unparsed, as a refusal."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.descriptors import Json, parse_options
from harness.errors import UserError
from harness.plugins import plugins
from harness.requests.extractor import Extracted
from harness.targets import load_target

BY_ID = plugins().extractors()


def make(name: str, labels: tuple[str, ...] = (), **options: Json) -> Any:
    descriptor = BY_ID[name]
    arguments = parse_options(descriptor.options, options, owner=name)
    extractor = load_target(descriptor)(arguments, labels)
    return lambda text, **fields: extractor(text, fields)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("35 60", [0.355, 0.605]),
        ("(35, 60)", [0.355, 0.605]),
        ("x=35 y=60.", [0.355, 0.605]),
        ("35-60", [0.355, 0.605]),
        ("0 99", [0.005, 0.995]),
        ("35.5, 60", [0.355, 0.605]),
        ("35. 60.", [0.355, 0.605]),
        ("x35 y60", [0.355, 0.605]),
        ("35% 60.5 %", [0.35, 0.605]),
        ("35 percent and 60.5 per cent", [0.35, 0.605]),
        ("0.5 60", [0.005, 0.605]),
        ("0 1", [0.005, 0.015]),
        ('{"point_2d": [35, 60], "label": "dog"}', [0.355, 0.605]),
        ('[{"point_2d": [35, 60], "label": "gaze 1"}]', [0.355, 0.605]),
        ("{'point': (35, 60), 'person': 2}", [0.355, 0.605]),
        ('<point x="35.5" y="60.5" alt="2 people">1</point>', [0.355, 0.605]),
        ("\uff13\uff15\uff0c\uff16\uff10", [0.355, 0.605]),  # full-width digits and comma
    ],
)
def test_point_takes_two_numbers(text: str, point: list[float]) -> None:
    assert make("point")(text).answer == pytest.approx(point)


@pytest.mark.parametrize(
    "text",
    [
        "", "left", "35", "35 60 70", "the 2nd of 3 at 4", "\u0663 \u0664",
        "not (35, 60)", "It is not at (35, 60)", "between 35 and 60", "35\u00b0, 60\u00b0",
        '{"point_2d": [35, 60]}, {"point_2d": [1, 2]}', '{"point_2d": [35, 60, 70, 80]}',
    ],
)  # fmt: skip
def test_point_does_not_guess(text: str) -> None:
    assert make("point")(text) == Extracted(None, "unparsed")


@pytest.mark.parametrize(
    "text",
    [
        "y=60, x=35", '{"y": 60, "x": 35}', "(60 (y), 35 (x))", "top: 60, left: 35", "Y: 60\nX: 35",
        "row 60, column 35", "[y, x] = [60, 35]", "60 (vertical), 35 (horizontal)", "y60 x35",
        "y-coordinate is 60 and x-coordinate is 35", "height 60 width 35", "<point y='60' x='35'>",
        "60 from the top and 35 from the left",
        "x: 35 y: 60", "35 from the left, 60 from the top", "in the top left, at (35, 60)",
        "the man in the back row looks at (35, 60)", "(x, y) = (35, 60)",
        "x=35, 60", "to the right (35, 60)", "at the top: 35, 60", "looking right: 35 60",
        "35 (x), 60 (y)", "(row, col) = (60, 35)", "60 down, 35 across",
    ],
)  # fmt: skip
def test_names_of_axes_say_which_number_is_which(text: str) -> None:
    assert make("point")(text).answer == pytest.approx([0.355, 0.605])


@pytest.mark.parametrize(
    "text", ["x=35, x=60", "y=60, 35", "y=1 y=2", "35% from the right, 60% from the top"]
)
def test_names_that_make_no_point_are_unparsed(text: str) -> None:
    assert make("point")(text) == Extracted(None, "unparsed")


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        ("100", "(350, 600)"),
        ("100", "0.35, 0.60"),
        ("100", "1e-1 2e-1"),
        ("100", "(0, 0.60)"),
        ("100", "-5 60"),
        ("100", "\u22125 60"),
        ("100", "35 100"),
        ("100", "9" * 400 + " 1"),
        ("100", "1e400 1"),
        ("100", "nan nan"),
        ("100", "35px 60px"),
        ("100", "350% 60%"),
        ("1", "35 60"),
        ("1", "0.35 60"),
        ("1", "-0.1 0.5"),
        ("1000", "0.35 0.6"),
        ("1000", "1000 3"),
        ("1000", "35% 60%"),
        ("pixels", "640 20"),
        ("pixels", "(0.35, 0.60)"),
        ("pixels", "35% 60%"),
    ],
)
def test_numbers_of_another_scale_are_unparsed_and_never_clipped(scale: str, text: str) -> None:
    extract = make("point", scale=scale)
    assert extract(text, image_size=[640, 480]) == Extracted(None, "unparsed")


@pytest.mark.parametrize(
    ("scale", "text", "point"),
    [
        (1, "(0.35, .6)", [0.35, 0.6]),
        (1.0, "0 1", [0.0, 1.0]),
        ("1", "35% 5e-1", [0.35, 0.5]),
        ("1000", "(350, 600)", [0.3505, 0.6005]),
        ("1000", "0 999", [0.0005, 0.9995]),
        ("pixels", "[63, 47]", [63.5 / 640, 47.5 / 480]),
        ("pixels", "64.0 px, 48.0px", [0.1, 0.1]),
    ],
)
def test_a_scale_is_named_and_never_guessed(scale: Json, text: str, point: list[float]) -> None:
    result = make("point", scale="100" if scale is None else str(scale).removesuffix(".0"))
    assert result(text, image_size=[640, 480]).answer == pytest.approx(point)


def test_pixels_need_the_size_of_the_image() -> None:
    descriptor = BY_ID["point"]
    extractor = load_target(descriptor)({"scale": "pixels"}, ())
    assert extractor.needs_image_size
    assert not load_target(descriptor)({}, ()).needs_image_size
    with pytest.raises(UserError, match="size of an image"):
        extractor("1 2", {})
    with pytest.raises(UserError, match="not a scale"):
        load_target(descriptor)({"scale": 0}, ())


@given(st.text(max_size=80))
def test_extractors_never_fail_and_stay_in_range(text: str) -> None:
    result = make("point")(text)
    assert (result.answer is None) == bool(result.problem)
    if result.answer is not None:
        assert all(0 <= share <= 1 and math.isfinite(share) for share in result.answer)
    named = make("label", ("happy", "no relation"))(text)
    assert named.answer in {None, "happy", "no relation"}
    assert (named.answer is None) == bool(named.problem)


RELATIONS = ("intimate", "non-intimate", "no_relation")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Intimate", "intimate"),
        ("It is NON-INTIMATE.", "non-intimate"),
        ("non intimate", "non-intimate"),
        ("They have no relation, none: no relation!", "no_relation"),
        ("no_relation", "no_relation"),
        ("non\u2011intimate", "non-intimate"),
        ("I'd say **Non**-intimate.", "non-intimate"),
        ('non-"intimate"', "non-intimate"),
        ("It is not intimate: no relation.", "no_relation"),
        ("They aren't intimate but non-intimate", "non-intimate"),
    ],
)
def test_label_is_one_whole_name(text: str, label: str) -> None:
    assert make("label", RELATIONS)(text).answer == label


@pytest.mark.parametrize(
    "text",
    [
        "", "intimately", "intimate or no relation", "relation", "not intimate",
        "isn't an intimate", "They cannot be intimate.", "They are not at all intimate.",
        "un-intimate", "hardly intimate", "They seem far from intimate", "no longer intimate",
    ],
)  # fmt: skip
def test_label_is_unparsed_with_none_or_two(text: str) -> None:
    assert make("label", RELATIONS)(text) == Extracted(None, "unparsed")


EMOTIONS = ("happy", "sad", "fear")


@pytest.mark.parametrize(
    "text",
    [
        "He does not look happy.", "She doesn't seem to be sad", "I don't think he is happy.",
        "no sign of fear", "The person is not happy or sad.", "not happy/sad", "happy is wrong",
        "neither sad, nor fear", "isn't showing fear", "There is a lack of fear.",
        "anything but happy", "happy: no", "Fear cannot be seen.", "devoid of fear", "zero fear",
        "The face is free of fear", "fear, no", "fear -- no.", "fear: not present", "fear: absent",
        "I ruled fear out", "There is little fear", "we can discard fear", "I reject fear",
        "fear: 0%", "0% fear", "fear fails to describe it", "It should have been fear",
        "I would have said fear", "everyone but happy", "fear is nowhere to be seen",
        "Happy isn't right.", '{"happy": false}', "不是happy", "没有fear",
    ],
)  # fmt: skip
def test_a_label_that_is_ruled_out_is_not_named(text: str) -> None:
    assert make("label", EMOTIONS)(text) == Extracted(None, "unparsed")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Not only happy", "happy"),
        ("There is no doubt: happy", "happy"),
        ("no doubt he is happy", "happy"),
        ("happy, not sad", "happy"),
        ("Happy? No. Sad!", "sad"),
        ("happy: false; sad: true", "sad"),
        ("it is not happy but sad", "sad"),
        ("答案是happy。", "happy"),
    ],
)
def test_a_negation_reaches_no_further_than_its_clause(text: str, label: str) -> None:
    assert make("label", EMOTIONS)(text).answer == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("South East Asian", "Southeast Asian"),
        ("a south-east Asian man", "Southeast Asian"),
        ("East-Asian", "East Asian"),
        ("Latino/Hispanic", "Latino_Hispanic"),
        ("more than 70", "more than 70"),
        ("39", None),
        ("3 9", "3-9"),
        ("may be", None),
        ("East Asian/Southeast Asian", None),
    ],
)
def test_a_label_of_words_may_be_parted_elsewhere(text: str, label: str | None) -> None:
    labels = ("East Asian", "Southeast Asian", "Latino_Hispanic", "3-9", "more than 70", "maybe")
    assert make("label", labels)(f"I'd say {text}").answer == label
    assert make("label", labels)(text).answer == label


RACES = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian")


@pytest.mark.parametrize(
    "text",
    [
        "American Indian", "an American-Indian man", "American Indian or Alaska Native",
        "West Indian", "Red Indian", "non-Indian", "East or Southeast Asian",
        "Southeast/East Asian", "East, or Southeast Asian", "black hair", "in a white T-shirt",
        "a black and white photo", "not South Indian", "Native Hawaiian",
    ],
)  # fmt: skip
def test_a_word_of_another_people_or_of_a_thing_is_no_label(text: str) -> None:
    assert make("label", RACES)(f"This is {text}.") == Extracted(None, "unparsed")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Asian Indian", "Indian"), ("Indian American", "Indian"), ("South Indian", "Indian"),
        ("American. Indian.", "Indian"), ("a man in red, Indian", "Indian"),
        ("a White man with black hair", "White"), ("a black-haired Indian woman", "Indian"),
        ("Black or African American", "Black"), ("White\n\nImage analysis: a person", "White"),
    ],
)  # fmt: skip
def test_a_people_that_is_named_with_more_words_is_read(text: str, label: str) -> None:
    assert make("label", RACES)(text).answer == label
    extract = make("label", ("Asian", *RACES))
    assert extract(text).answer == extract(f"This is {text}.").answer == label
    assert make("label", ("Asian", "White"))("an Asian Indian woman").answer == "Asian"
    assert extract("Asian/Indian, or Asian, Indian").answer is None


AGES = ("0-2", "3-9", "20-29", "60-69", "more than 70")
GESTURES = ("like", "ok", "one", "point", "fist", "stop", "stop inverted", "palm", "call")
FACES = ("happiness", "sadness", "anger", "fear", "neutral")
GENDERS = ("Male", "Female")
LINKS = ("friends", "family", "couple", "professional", "no relation")


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (RACES, "Not East or Southeast Asian."), (RACES, "He is not White, Hispanic, or Indian."),
        (RACES, "Is the person White? It is hard to tell."), (RACES, "The man is wearing black."),
        (RACES, "in front of a white wall"), (RACES, "an Indian restaurant"),
        (RACES, "No one would call him Black."), (RACES, "a Black and a White person"),
        (RACES, "There are no features suggesting Southeast Asian ancestry."),
        (GENDERS, "This does not appear to be a picture of a female person."),
        (GENDERS, "I doubt that this is a female"), (GENDERS, "isnt male"),
        (GENDERS, "by no means male"), (GENDERS, "It's hard to tell whether the person is male."),
        (GENDERS, "Male can be ruled out."), (GENDERS, "The face cannot be said to be male."),
        (GENDERS, "He's not what I'd call male"), (GENDERS, "Male or female?"),
        (AGES, "older than 60-69"), (AGES, "The baby is 3-9 months old."),
        (AGES, "I am more than 70% confident."), (AGES, "not more than 70"),
        (FACES, "The person is not showing sadness, fear, or worry."),
        (FACES, "The face does not, in my view, express anger."), (FACES, "happiness is absent"),
        (FACES, "A neutral background"), (FACES, "The person lacks happiness"),
        (FACES, "fails to convey fear"), (FACES, "It would be wrong to call it anger"),
        (FACES, "smiling not because of happiness"), (FACES, "Happiness does not fit"),
        (FACES, "It's not happiness and sadness"), (FACES, "Anger? I don't think so."),
        (GESTURES, "It looks like a heart."), (GESTURES, "holding up one hand"),
        (GESTURES, "At this point I cannot tell"), (GESTURES, "I would call it a wave"),
        (LINKS, "A couple of colleagues at work"), (LINKS, "a professional photo"),
        (("yes", "no"), "There are no weapons visible"), (("yes", "no"), "no one can say"),
        (("yes", "no"), "Not a clear yes"), (("yes", "no"), "I wouldn't say no"),
        (("(A", "(B"), "A person is cooking."), (("(A", "(B"), "Neither A nor B."),
        (("wealthy", "poor"), "The image does not show whether the person is wealthy."),
    ],
)  # fmt: skip
def test_what_a_clause_denies_or_leaves_open_is_not_named(
    labels: tuple[str, ...], text: str
) -> None:
    assert make("label", labels)(text) == Extracted(None, "unparsed")


@pytest.mark.parametrize(
    ("labels", "text", "label"),
    [
        (RACES, "Neither East nor Southeast Asian, but Indian.", "Indian"),
        (RACES, "isn't White, Black, or Southeast Asian but Indian", "Indian"),
        (RACES, "Black? No, Indian.", "Indian"), (RACES, "Is it Indian? Yes.", "Indian"),
        (RACES, "Is the person White? The person is Black.", "Black"),
        (RACES, "dressed in black, White", "White"), (RACES, "Black man, white beard", "Black"),
        (RACES, "The photo is black and white; the person is East Asian.", "East Asian"),
        (GENDERS, "Female, rather than male", "Female"), (GENDERS, "Male? No, female.", "Female"),
        (GENDERS, "Without a doubt female", "Female"),
        (GENDERS, "The subject, who is not looking at the camera, is female.", "Female"),
        (AGES, "Not 3-9 but 20-29", "20-29"), (AGES, "more than 70 years old", "more than 70"),
        (FACES, "No happiness here, only sadness", "sadness"),
        (FACES, "The non-verbal cues suggest happiness", "happiness"),
        (FACES, "no fear, no anger, just neutral", "neutral"),
        (FACES, "nothing but happiness", "happiness"),
        (FACES, "The opposite of happiness: sadness", "sadness"),
        (GESTURES, "This looks like a fist.", "fist"), (GESTURES, "I would call it palm", "palm"),
        (GESTURES, "The gesture is like, since the thumb is up.", "like"),
        (GESTURES, "The hand makes the OK sign", "ok"), (GESTURES, "OK, it is a fist.", "fist"),
        (GESTURES, "stop, inverted", "stop inverted"), (GESTURES, "A call gesture", "call"),
        (LINKS, "They are a married couple.", "couple"),
        (("yes", "no"), "Yes, there is no doubt.", "yes"),
        (("yes", "no"), "Yes or no? Yes.", "yes"),
        (("yes", "no"), "Yes. There are no other people around.", "yes"),
        (("yes", "no"), "No the person is not friendly", "no"),
        (("(A", "(B"), "B, because of a hat", "(B"), (("(A", "(B"), "It is (B) a cook", "(B"),
        (("(A", "(B"), "not A but B", "(B"),
        (("It's not possible to say", "yes"), "It\u2019s not possible to say.",
         "It's not possible to say"),
    ],
)  # fmt: skip
def test_a_denial_ends_where_its_clause_does(
    labels: tuple[str, ...], text: str, label: str
) -> None:
    assert make("label", labels)(text).answer == label


def test_label_prefers_the_longer_name() -> None:
    extract = make("label", ("stop", "stop inverted", "c++"))
    assert extract("a stop inverted sign").answer == "stop inverted"
    assert extract("C++").answer == "c++"
    assert extract("An inverted stop sign.").answer == "stop inverted"
    assert extract("It is inverted. Stop.").answer == "stop"
    # A text that is a label is that label, whatever else stands in it.
    assert make("label", ("yes", "yes, or no", "no"))("Yes, or no.").answer == "yes, or no"


@pytest.mark.parametrize("labels", [(), ("a b", "A_b"), ("",)])
def test_label_needs_labels_it_can_tell_apart(labels: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="needs labels"):
        make("label", labels)


def test_without_labels_the_message_says_what_to_do() -> None:
    with pytest.raises(UserError, match="a task that is not a choice has none") as caught:
        make("label", ())
    assert "ask with choose and its labels" in caught.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't tell whether they look happy.",
        "I cannot say 3 or 4",
        "I\u2019m unable to answer 35 60",
        "  Sorry.",
        "As an AI model, happy 1 2",
    ],
)
def test_a_refusal_is_told_by_its_start(text: str) -> None:
    assert make("point")(text).problem == "refusal"
    assert make("label", ("happy",))(text).problem == "refusal"


def test_an_answer_that_mentions_a_refusal_later_is_an_answer() -> None:
    assert make("label", ("happy", "sorry face"))("happy, I cannot be sure").answer == "happy"
    assert make("label", ("sorryful",))("sorryful").answer == "sorryful"
