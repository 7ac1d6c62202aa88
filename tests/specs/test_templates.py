"""Templates: fields in, text out, and no way to Python."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.descriptors import Json
from harness.errors import UserError
from harness.specs.templates import FILTERS, MAX_TEXT, compile_template, mean_point


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("Who is {{ name }}?", {"name": "Ada"}, "Who is Ada?"),
        ("{{ label | replace('_', ' ') }}", {"label": "two_up_inverted"}, "two up inverted"),
        ("{% if n > 1 %}many{% else %}one{% endif %}", {"n": 2}, "many"),
        ("{% for x in xs %}{{ loop.index }}{{ x }}{% endfor %}", {"xs": ["a", "b"]}, "1a2b"),
        ("{{ xs | join(', ') | upper }}", {"xs": ["a", "b"]}, "A, B"),
        ("{{ p.name }}{{ p['name'] }}{{ xs[0] }}", {"p": {"name": "n"}, "xs": [3]}, "nn3"),
        ("{{ xs | first | title }}{{ xs | last }}", {"xs": ["a b", "c"]}, "A Bc"),
        ("{{ x | round(1) }} {{ x | int }} {{ x | round }}", {"x": 2.71}, "2.7 2 3"),
        ("{{ ' a ' | trim | capitalize }}{{ 'AB' | lower }}", {}, "Aab"),
        ("{{ xs | length }}", {"xs": [1, 2]}, "2"),
        ("{{ 'a' if x is defined else 'b' }}", {}, "b"),
        ("{{ t | mean_point(100) }}", {"t": [[0.3, 0.29], [0.5, 0.29]]}, "40 29"),
        ("{{ t | most_common }}", {"t": ["a", "kite", "b", "kite", "a"]}, "a"),
        ("{{ t | most_common }}", {"t": "kite"}, "kite"),
    ],
)
def test_what_a_template_writes(text: str, fields: dict[str, Json], message: str) -> None:
    assert compile_template(text).render(**fields) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ ''.__class__ }}", "f:1:1: line 1 of the template: names that start with an"),
        ("{{ x['__class__'] }}", "names that start with an underscore are not allowed: __class__"),
        ("{{ self }}", "the name 'self' is reserved"),
        ("{{ _x }}", "names that start with an underscore are not allowed: _x"),
        ("\n{{ cycler() }}", "line 2 of the template: not allowed in a template: calls"),
        ("{{ x.format(1) }}", "not allowed in a template: calls"),
        ("{{ x | attr('y') }}", "unknown filter 'attr'"),
        ("{{ x | uper }}", "did you mean 'upper'"),
        ("{{ x is callable }}", "unknown test 'callable'"),
        ("{% set x = 1 %}", "not allowed in a template: set"),
        ("{% macro m() %}{% endmacro %}", "not allowed in a template: macros"),
        ("{% include 'x' %}", "not allowed in a template: includes"),
        ("{% import 'x' as y %}", "not allowed in a template: imports"),
        ("{% extends 'x' %}", "not allowed in a template: inheritance"),
        ("{% for i in range(9) %}{% endfor %}", "a loop goes over a field"),
        ("{% for x in xs recursive %}{% endfor %}", "recursive loops are not allowed"),
        ("{% for a in x %}{% for b in x %}{% for c in x %}{% endfor %}{% endfor %}{% endfor %}",
         "loops nested deeper than 2"),
        ("{{ 'a' * 1000000000 }}", "not allowed in a template: Mul"),
        ("{{ x ~ x }}", "not allowed in a template: the operator ~"),
        ("{{ x[y()] }}", "a bracket takes a name, a number or a text"),
        ("{{ x ", "line 1 of the template: "),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}", "line 1 of the template: "),
        ("{{ " + "9" * 5000 + " }}", "line 1 of the template: "),
        ("x" * (MAX_TEXT + 1), "line 1 of the template: over 20000 characters"),
    ],
)  # fmt: skip
def test_what_is_refused_at_load(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        compile_template(text, "f:1:1")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("{{ name }}", {"nam": "x"}, "'name' is undefined\n  fix: fields: nam"),
        ("{{ x.upper }}", {"x": "a"}, "has no attribute 'upper'"),
        ("{{ xs }}", {"xs": [1]}, "a list cannot be written as text"),
        ("{{ x }}", {"x": None}, "nothing (null) cannot be written as text"),
        ("{{ x | replace('a', b) }}", {"x": "a" * 1000, "b": "b" * 1000}, "grows over"),
        ("{{ xs | join }}", {"xs": list(range(5000))}, "a list of over 1000 items"),
        ("{% for x in xs %}{{ y }}{% endfor %}", {"xs": [1] * 1000, "y": "y" * 100}, "grows over"),
        ("{{ x | int }}", {"x": "two"}, "'two' is not a number"),
        ("{{ xs | first }}", {"xs": []}, "an empty list has no first or last"),
        ("{{ x | length }}", {"x": 3}, "has no length"),
        ("{{ x | mean_point(100) }}", {"x": []}, "there is no point"),
        ("{{ x | most_common }}", {"x": []}, "there is no answer"),
        ("{{ x | most_common }}", {"x": [[1]]}, "a list cannot be written"),
        ("{{ x | mean_point(100) }}", {"x": [[1]]}, "a point is two numbers"),
        ("{{ x | mean_point(100) }}", {"x": "here"}, "is not a list"),
        ("{{ x | replace('a') }}", {"x": "a"}, "missing 1 required positional argument"),
        ("{% if x > 1 %}{% endif %}", {"x": "a"}, "not supported between"),
    ],
)
def test_what_is_refused_when_rendered(text: str, fields: dict[str, Json], message: str) -> None:
    template = compile_template(text, "spec.yaml:3:5")
    with pytest.raises(UserError) as caught:
        template.render(**fields)
    assert str(caught.value).startswith("spec.yaml:3:5: template: ")
    assert message in str(caught.value)


def test_fields_are_the_names_read() -> None:
    template = compile_template("{{ a.b }}{% for x in xs %}{{ x }}{{ c }}{% endfor %}")
    assert template.fields == ("a", "xs", "c")


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=10))
def test_a_mean_point_is_two_whole_numbers_within_the_grid(
    points: list[tuple[float, float]],
) -> None:
    x, y = map(int, mean_point([list(point) for point in points], 100).split())
    assert 0 <= x <= 99
    assert 0 <= y <= 99


@given(st.integers(0, 99), st.integers(0, 99))
def test_a_mean_point_names_the_cell_it_was_made_from(x: int, y: int) -> None:
    assert mean_point([x / 100, y / 100], 100) == f"{x} {y}"


@given(st.text(max_size=60))
def test_text_without_marks_is_written_as_it_is(text: str) -> None:
    single = re.search(r"\{ ?[A-Za-z_]\w* ?\}", text)  # which is refused, below
    if not single and not any(mark in text for mark in ("{{", "{%", "{#")):
        message = compile_template(text).render()
        assert message == text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def test_no_filter_of_jinja_is_left() -> None:
    for name in ("attr", "map", "format", "xmlattr", "pprint", "tojson", "safe"):
        assert name not in FILTERS


@pytest.mark.parametrize("text", ["Who is {name}?", "{ name }", "a {{ b }} {name}: c", "({name})"])
def test_a_field_in_single_braces_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"'\{name\}' would be sent as it stands") as raised:
        compile_template(text)
    assert "{{ name }} for the field" in raised.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "{{ '{name}' }}",
        '{"label": "x"}',
        r"\frac{a}{b}",
        "10^{n}",
        r"\sqrt[3]{x}",
        "{% raw %}Reply as {name}{% endraw %} {{ a }}",
        "${name}",
        "{1}",
        "{}",
        "{a, b}",
        "{{ a }}",
    ],
)
def test_other_braces_are_text(text: str) -> None:
    assert compile_template(text).render(a="x")
