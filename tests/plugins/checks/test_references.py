"""References of a spec to readers, metrics and extractors."""

# ruff: noqa: E501  one mistake a line reads best

from types import SimpleNamespace
from typing import Any

import pytest
from harness_checks.references import reference_problems

from harness.descriptors import ExtractorDescriptor, MetricDescriptor, Option, ReaderDescriptor
from harness.specs.yaml_loader import parse_yaml
from tests.specs.specs_for_tests import SPEC, changed


def make(options: dict[str, Any], labels: tuple[str, ...]) -> object:
    if options.get("label") not in {None, *labels}:
        raise ValueError(f"no label {options['label']!r}")
    return object()


HERE = f"{__name__}:make"
READER = ReaderDescriptor(
    id="raf_db", target=HERE, summary="", splits=("train", "test"),
    options=(Option(name="images", choices=("aligned", "original")), Option(name="unit", choices=("image",))),
)  # fmt: skip
METRICS = [
    MetricDescriptor(id="accuracy", target=HERE, summary=""),
    MetricDescriptor(id="recall", target=HERE, summary="", options=(Option(name="label"),)),
]
POINT = ExtractorDescriptor(
    id="point", target=HERE, summary="", options=(Option(name="scale", type="int"),)
)
KNOWN: Any = SimpleNamespace(
    readers=lambda: {"raf_db": READER},
    metrics=lambda: {metric.id: metric for metric in METRICS},
    extractors=lambda: {"point": POINT},
)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(make=make))


def test_a_spec_whose_references_hold() -> None:
    assert reference_problems(parse_yaml(SPEC), KNOWN) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reader: raf_db", "reader: raf", "f.yaml:10:11: there is no reader 'raf'\n  fix: did you mean"),
        ("split: test", "split: tset", "f.yaml:11:10: reader 'raf_db' has no split 'tset'"),
        ("train_split: train", "train_split: trian", "f.yaml:12:16: reader 'raf_db' has no split"),
        ("{images: {option", "{image: {option", "f.yaml:13:13: unknown option 'image'"),
        ("unit: image", "unit: subject", "f.yaml:30:7: option 'unit': unknown value 'subject'"),
        ("[aligned, original]", "[aligned, raw]", "f.yaml:13:21: option 'images': unknown value 'raw'"),
        ("id: accuracy", "id: acuracy", "f.yaml:28:10: there is no metric 'acuracy'\n  fix: did you"),
        ("direction: higher, scale", "direction: lower, scale", "f.yaml:28:44: metric 'accuracy' is better higher"),
        ("{label: sad}", "{lable: sad}", "f.yaml:29:60: unknown option 'lable'"),
        ("{label: sad}", "{label: bad}", "f.yaml:29:59: 'recall' cannot be created: ValueError: no label 'bad'"),
        ("{{ who }} in?", "{% if who == 5 %}x{% endif %}", "f.yaml:16:13: the template renders to nothing"),
    ],
)  # fmt: skip
def test_references_that_do_not_hold(old: str, new: str, message: str) -> None:
    document = changed(old, new)
    if "renders" in message:
        document = changed("Which mood is {{ who }} in?", "'" + new + "'")
    problems = [str(problem) for problem in reference_problems(document, KNOWN)]
    assert len(problems) == 1, problems
    assert problems[0].startswith(message)


def test_extractors_and_their_options() -> None:
    choose = SPEC[SPEC.index("  choose:") : SPEC.index("answer:")]
    odd = SPEC[SPEC.index("  odd:\n") :]
    plain = SPEC.replace(odd, "").replace(
        "  - {id: recall, column: Sad, direction: higher, options: {label: sad}}\n", ""
    )

    def problems(ask: str) -> list[str]:
        text = plain.replace(choose, f"  generate: {{max_new_tokens: 8, {ask}}}\n")
        return [str(problem) for problem in reference_problems(parse_yaml(text), KNOWN)]

    assert problems("extractor: point, extractor_options: {scale: 100}") == []
    assert "there is no extractor 'pint'" in problems("extractor: pint")[0]
    assert (
        "'wide' is not a whole number"
        in problems("extractor: point, extractor_options: {scale: wide}")[0]
    )
