"""From file to spec: the task it builds, and each mistake at its place."""

# ruff: noqa: E501  one mistake a line reads best

from pathlib import Path
from typing import Any

import pytest
from harness_training.pool import training_pair

from harness.errors import UserError
from harness.requests import Reasoning
from harness.samples import Sample
from harness.specs import ChooseSpec, EmbedSpec, GenerateSpec
from harness.specs.loader import SpecError, check, load_task, parts, resolved, with_options
from harness.specs.prompt import prompt_text
from harness.specs.yaml_loader import parse_yaml
from tests.specs.specs_for_tests import SPEC, changed


def test_a_spec_is_built_as_written(tmp_path: Path) -> None:
    path = tmp_path / "mood.yaml"
    path.write_text(SPEC)
    spec = load_task(path)
    assert spec.id == "mood"
    assert spec.source == path
    assert spec.labels == ("glad_one", "sad")
    assert spec.main_metric.column == "Acc"
    assert spec.main_metric.scale == 100
    assert spec.metrics[1].options == {"label": "sad"}
    assert spec.data.options == {"images": "aligned"}
    assert spec.prompt.view.colours == ("red",)
    assert spec.options["odd"].status == "NOT FOUND"
    assert isinstance(spec.ask, ChooseSpec)
    assert spec.ask.normalisation == "none"


def test_named_options_decide_labels_and_reader_options() -> None:
    spec = with_options(parse_yaml(SPEC), {"odd": "include", "images": "original"})
    assert spec.labels == ("glad_one", "sad", "odd")
    assert spec.data.options == {"images": "original"}
    assert spec.options["odd"].value == "include"
    assert spec.options["odd"].default == "exclude"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"od": "include"}, "unknown named option of task 'mood' 'od'\n  fix: did you mean 'odd'?"),
        ({"odd": "includ"}, "option 'odd' of task 'mood': unknown value 'includ'\n  fix: did you"),
        ({"odd": True}, "option 'odd' of task 'mood': unknown value 'True'"),
    ],
)
def test_a_choice_that_is_not_allowed(chosen: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        with_options(parse_yaml(SPEC), chosen)
    assert str(caught.value).startswith(message)


def test_a_free_option_takes_its_type_from_the_default() -> None:
    free = "    default: 3.0\n    status: INFERRED"
    text = SPEC.replace(
        "    default: aligned\n    choices: [aligned, original]\n    status: INFERRED", free
    )
    spec = with_options(parse_yaml(text), {"images": "2"})
    assert spec.options["images"].value == 2.0
    assert isinstance(spec.data.options["images"], float)
    with pytest.raises(UserError, match="'wide' is not a finite number"):
        with_options(parse_yaml(text), {"images": "wide"})


def test_number_choices_are_found_from_text() -> None:
    text = SPEC.replace(
        "default: aligned\n    choices: [aligned, original]", "default: 1\n    choices: [1, 2]"
    )
    assert with_options(parse_yaml(text), {"images": "2"}).data.options == {"images": 2}
    assert with_options(parse_yaml(text), {"images": 2}).data.options == {"images": 2}


def test_other_kinds_of_question() -> None:
    choose = SPEC[SPEC.index("  choose:") : SPEC.index("answer:")]
    odd = SPEC[SPEC.index("  odd:\n") :]
    plain = SPEC.replace(odd, "")
    generate = "  generate: {max_new_tokens: 8, extractor: point, extractor_options: {scale: 100}, stop: ['.']}\n"
    ask = with_options(parse_yaml(plain.replace(choose, generate)), {}).ask
    assert ask == GenerateSpec(8, "point", (".",), {"scale": 100})
    sampled = plain.replace(choose, generate.replace("max_", "temperature: 0.5, max_"))
    drawn = with_options(parse_yaml(sampled), {})
    assert drawn.ask == GenerateSpec(8, "point", (".",), {"scale": 100}, 0.5)
    written: Any = resolved(drawn)["ask"]
    assert written["generate"]["temperature"] == 0.5
    greedy = with_options(parse_yaml(plain.replace(choose, generate)), {})
    assert parts(drawn)["ask"] != parts(greedy)["ask"]
    written = resolved(greedy)["ask"]
    assert "temperature" not in written["generate"]
    embedded = with_options(parse_yaml(plain.replace(choose, "  embed: {texts: [a, b]}\n")), {})
    assert embedded.ask == EmbedSpec(("a", "b"))
    assert embedded.labels == ()
    assert resolved(embedded)["ask"] == {"embed": {"texts": ["a", "b"]}}


MISTAKES = [
    ("title: Mood", "titel: Mood", "f.yaml:3:1: unknown key 'titel'\n  fix: did you mean 'title'?"),
    ("version: 1", "version: one", 'f.yaml:2:10: version must be a whole number, not "one"'),
    ("version: 1", "version: 0", "f.yaml:2:10: version must be at least 1, not 0"),
    ("id: mood", "id: Mood!", 'f.yaml:1:5: id is "Mood!": lower-case letters'),
    ("summary: Name the mood.", 'summary: ""', "f.yaml:4:10: summary is empty"),
    ("  split: test\n", "", "f.yaml:9:3: the key 'split' is missing in data"),
    ("  reader: raf_db", "  raeder: raf_db", "f.yaml:9:3: the key 'reader' is missing in data"),
    ("scale: 100", "scale: 0", "f.yaml:28:59: metrics[0].scale must be over 0, not 0"),
    ("main: true", "main: yes", 'f.yaml:28:70: metrics[0].main must be true or false, not "yes"'),
    ("  view: {mark: [red]}", "  view: {mark: []}", "f.yaml:18:16: prompt.view.mark needs at least 1"),
    ("  view: {mark: [red]}", "  view: {crop: 1}", "f.yaml:18:16: prompt.view.crop must be true or false, not 1"),
    ("status: NOT FOUND", "status: NOTFOUND", "f.yaml:41:13: options.odd.status is \"NOTFOUND\"\n  fix: did you mean 'NOT FOUND'"),
    ("      - sad\n", "      - 5\n", "f.yaml:23:9: ask.choose.labels[1] must be text or a table of keys, not 5"),
    ("  choose:", "  chose:", "f.yaml:20:3: unknown key 'chose' in ask\n  fix: did you mean 'choose'?"),
    ("slices: [gender]", "slices: [gender, gender]", "f.yaml:31:9: slices repeats an item"),
    ("main: true", "main: false", "f.yaml:27:1: no metric is marked as the headline\n  fix: give one"),
    ("options: {label: sad}", "options: {label: sad}, main: true", "f.yaml:29:73: a second metric is marked as the headline"),
    ("column: Sad", "column: Acc", "f.yaml:29:26: the column 'Acc' is used by two metrics"),
    ("      - sad\n", "      - glad_one\n", "f.yaml:23:9: the label 'glad_one' is listed twice"),
    ("      - sad\n", '      - "\\u200b"\n', "f.yaml:23:9: the label '\\u200b' is sent as '\\u200b', which is empty"),
    ("      - sad\n", "      - glad one\n", "f.yaml:22:9: the label 'glad_one' is sent as 'glad one', which is the same as"),
    ("mark: [red]", "mark: [redd]", "f.yaml:18:17: 'redd' is not a colour\n  fix: did you mean 'red'"),
    ("{images: {option: images}}", "{images: {option: image}}", "f.yaml:13:30: this spec has no option named 'image'\n  fix: did you mean 'images'?"),
    ("{images: {option: images}}", "{}", "f.yaml:33:3: nothing uses the option 'images'"),
    ("{images: {option: images}}", "{images: {option: images}, unit: image}", "f.yaml:13:39: the unit is passed to the reader automatically"),
    ("when: {odd: include}", "when: {od: include}", "f.yaml:24:29: this spec has no option named 'od'"),
    ("when: {odd: include}", "when: {odd: includ}", "f.yaml:24:34: 'includ' is not among the choices of 'odd'"),
    ("    default: aligned", "    default: aligne", "f.yaml:34:14: the default of 'images' is not among its choices"),
    ("{{ who }} in?", "{{ who() }} in?", "f.yaml:16:13: line 1 of the template: not allowed in a template: calls"),
    ("Which mood is {{ who }} in?", "|\n    Which\n    mood {{ ''.__class__ }}?", "f.yaml:18:13: names that start with an underscore"),
    ("feel?", "feel {{ x | uper }}?", "f.yaml:17:17: line 1 of the template: unknown filter 'uper'\n  fix: did you mean 'upper'"),
    ("text: \"{{ label |", "text: \"{{ lable |", "f.yaml:25:11: this template does not use 'label'"),
    ("answer: \"{{ target | replace('_', ' ') }}\"", 'answer: "{{ target }}"', "f.yaml:26:9: the answer to 'glad_one' is written 'glad_one', but its option is sent as 'glad one'"),
    ("  train_split: train\n", "", ""),
    ("  view: {mark", "  shots: 2\n  view: {mark", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), [m for m in MISTAKES if m[2]])
def test_each_mistake_is_named_at_its_place(old: str, new: str, message: str) -> None:
    document = changed(old, new)
    problems = [str(problem) for problem in check(document)]
    assert any(problem.startswith(message) for problem in problems), problems
    with pytest.raises(SpecError):
        with_options(document, {})


@pytest.mark.parametrize(("old", "new"), [m[:2] for m in MISTAKES if not m[2] and m[0] in SPEC])
def test_what_is_no_mistake(old: str, new: str) -> None:
    assert check(changed(old, new)) == []


def test_shots_need_a_train_split() -> None:
    text = SPEC.replace("  train_split: train\n", "").replace("  view:", "  shots: 2\n  view:")
    (problem,) = check(parse_yaml(text, name="f.yaml"))
    assert str(problem).startswith("f.yaml:17:10: few-shot examples come from the train split")


def test_the_train_split_is_another_one() -> None:
    (problem,) = check(parse_yaml(SPEC.replace("split: train", "split: test"), name="f.yaml"))
    assert "the train split is the evaluated one" in str(problem)


def test_every_problem_is_held_and_the_first_is_said() -> None:
    with pytest.raises(SpecError) as caught:
        with_options(changed("version: 1", "version: one\nverzion: 2"), {})
    assert len(caught.value.problems) == 2
    assert "(and 1 more: harness validate names all)" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "f:1:1: the document must be a table of keys, not a list"),
        ("group: all\ntitle: All\ntasks: []", "f:3:8: tasks needs at least 1 item"),
        ("id: all\ntitle: All\ntasks: [a]", "f:1:1: the key 'group' is missing"),
        ("group: all\ntitle: All\ntask: [a]", "f:1:1: the key 'tasks' is missing"),
    ],
)
def test_documents_that_are_no_spec(text: str, message: str) -> None:
    problems = [str(problem) for problem in check(parse_yaml(text, name="f"))]
    assert any(problem.startswith(message) for problem in problems), problems


def test_parts_change_with_what_changes_numbers_only() -> None:
    base = parts(with_options(parse_yaml(SPEC), {}))
    for old, new, moved in [
        ("title: Mood", "title: Moods", set()),
        ("citation: Nobody.", "citation: Somebody.", set()),
        ("column: Acc", "column: Accuracy", set()),
        ("version: 1", "version: 2", {"spec"}),
        ("Which mood is", "What mood is", {"prompt"}),
        ("options: {label: sad}", "options: {label: glad_one}", {"metrics"}),
        ("      - sad\n", "      - sad\n      - angry\n", {"ask"}),
    ]:
        now = parts(with_options(changed(old, new), {}))
        assert {name for name in base if base[name] != now[name]} == moved, old
    chosen = parts(with_options(parse_yaml(SPEC), {"odd": "include"}))
    assert {name for name in base if base[name] != chosen[name]} == {"ask", "options"}


def test_resolved_is_plain_data() -> None:
    import json

    resolved_spec = resolved(with_options(parse_yaml(SPEC), {}))
    assert json.loads(json.dumps(resolved_spec)) == resolved_spec
    assert resolved_spec["options"] == {"images": "aligned", "odd": "exclude"}


EACH = """\
  each:
    field: concept
    values:
      - chef
      - {labels: [nurse, pilot], when: {images: [aligned, original]}}
      - {label: judge, when: {images: original}}
    texts: {chef: a chef}
  keep: [concept]
  obtain: Draw it.
"""


def test_each_names_the_values_that_samples_are_asked_about() -> None:
    document = changed("  obtain: Draw it.\n", EACH)
    each = with_options(document, {}).data.each
    assert each is not None
    assert each.values == ("chef", "nurse", "pilot")
    assert each.texts == {"chef": "a chef"}
    other = with_options(document, {"images": "original"}).data.each
    assert other is not None
    assert other.values[-1] == "judge"


def test_a_prompt_that_reads_a_named_option_uses_it() -> None:
    document = changed("in?", "in{% if option.images == 'original' %} here{% endif %}?")
    spec = with_options(document, {"images": "original"})
    assert (
        prompt_text(spec, Sample("s", (), "sad", "c", {"who": "Ada"}))
        == "Which mood is Ada in here?"
    )
    wrong = changed("in?", "in{{ option.imagse }}?")
    assert "this spec has no option named 'imagse'" in str(check(wrong)[0])


def test_a_form_for_training_is_kept_by_name() -> None:
    form = """\
unit: image
training:
  open:
    template: Who is {{ who }}?
    answer: "{{ target }}"
    against: {field: who, answer: "not {{ target }}"}
"""
    document = changed("unit: image\n", form)
    assert check(document) == []
    training = with_options(document, {}).training["open"]
    assert (training.against, training.against_answer) == ("who", "not {{ target }}")
    sample = Sample("s", (), "sad", "c", {"who": "Ada"})
    spec = with_options(document, {})
    assert training_pair(spec, training, sample) == ("Who is Ada?", "sad")
    assert training_pair(spec, training, sample, against=True) == ("Who is Ada?", "not sad")


def test_the_split_can_be_a_named_option() -> None:
    text = SPEC.replace("split: test\n", "split: {option: part}\n") + (
        "  part:\n    default: test\n    choices: [test, train]\n"
        "    status: CONFIRMED\n    note: Which split.\n"
    )
    document = parse_yaml(text, name="f.yaml")
    assert check(document) == []
    assert with_options(document, {}).data.split == "test"
    assert with_options(document, {"part": "train"}).data.split == "train"
    (problem,) = check(parse_yaml(text.replace("option: part", "option: parts"), name="f.yaml"))[:1]
    assert "this spec has no option named 'parts'" in str(problem)


def test_counts_hold_under_their_condition_only() -> None:
    text = SPEC.replace(
        "  obtain: Draw it.\n",
        "  counts:\n    test: {samples: 7, when: {odd: include}}\n    train: {images: 9}\n"
        "  obtain: Draw it.\n",
    )
    plain = with_options(parse_yaml(text), {}).data.counts
    odd = with_options(parse_yaml(text), {"odd": "include"}).data.counts
    assert plain == {"train": {"images": 9}}
    assert odd == {"test": {"samples": 7}, "train": {"images": 9}}
    problems = check(parse_yaml(text.replace("when: {odd:", "when: {even:")))
    assert problems[0].message.startswith("this spec has no option named")


def test_a_field_may_be_kept_under_a_condition() -> None:
    text = SPEC.replace(
        "  obtain: Draw it.\n",
        "  keep: [a, {label: b, when: {odd: include}}]\n  obtain: Draw it.\n",
    )
    assert with_options(parse_yaml(text), {}).data.keep == ("a",)
    assert with_options(parse_yaml(text), {"odd": "include"}).data.keep == ("a", "b")


def test_what_becomes_of_reasoning_is_said_in_a_spec() -> None:
    choose = SPEC[SPEC.index("  choose:") : SPEC.index("answer:")]
    plain = SPEC.replace(SPEC[SPEC.index("  odd:\n") :], "")
    keys = "reasoning: strip, reasoning_tags: [[<a>, </a>]], reasoning_tokens: 99"
    form = "  generate: {max_new_tokens: 8, extractor: verbatim%s}\n"
    message = with_options(parse_yaml(plain.replace(choose, form % f", {keys}")), {})
    silent = with_options(parse_yaml(plain.replace(choose, form % "")), {})
    assert isinstance(message.ask, GenerateSpec)
    assert message.ask.reasoning == Reasoning("strip", (("<a>", "</a>"),), 99)
    written: Any = resolved(message)["ask"]
    assert written["generate"]["reasoning_tags"] == [["<a>", "</a>"]]
    assert parts(message)["ask"] != parts(silent)["ask"]
    content: Any = resolved(silent)["ask"]
    assert not any("reasoning" in key for key in content["generate"])
    with pytest.raises(UserError, match="unknown value 'maybe'"):
        with_options(parse_yaml(plain.replace(choose, form % ", reasoning: maybe")), {})
    for wrong in ("reasoning_tokens: -1", "reasoning_tags: [[<a>]]", "reasoning_tags: [[a, a]]"):
        with pytest.raises(UserError, match="reasoning_t"):
            with_options(parse_yaml(plain.replace(choose, form % f", {wrong}")), {})


def test_a_named_option_may_be_the_temperature() -> None:
    choose = SPEC[SPEC.index("  choose:") : SPEC.index("answer:")]
    odd = SPEC[SPEC.index("  odd:\n") :]
    text = SPEC.replace(
        odd, "  heat:\n    default: 0.5\n    status: INFERRED\n    note: a\n"
    ).replace(
        choose,
        "  generate: {max_new_tokens: 8, extractor: point, temperature: {option: heat}}\n",
    )
    ask = with_options(parse_yaml(text), {"heat": "1.25"}).ask
    assert isinstance(ask, GenerateSpec)
    assert ask.temperature == 1.25
    with pytest.raises(UserError, match="temperature must be a number from 0 to 2"):
        with_options(parse_yaml(text), {"heat": "3"})
