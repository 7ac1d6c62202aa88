"""Sandboxed templates: text with fields put in, and nothing that could run, load or grow.

Jinja's immutable sandbox is the second wall; the first is that the syntax tree may hold only
output, ``if``, ``for``, comparisons and the filters below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.descriptors import Json
from harness.errors import UserError, nearest

MAX_TEXT = 20_000
MAX_ITEMS = 1_000
MAX_LOOPS = 2
_LOOP_NAMES = frozenset({"index", "index0", "first", "last", "length"})
_RESERVED = frozenset({"self", "super", "caller", "varargs", "kwargs"})
_TESTS = frozenset({"defined", "undefined", "none", "string", "number", "boolean", "mapping"})

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr,
    nodes.Getitem, nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Neg, nodes.Tuple, nodes.List,
)  # fmt: skip
_SAID = {
    nodes.Call: "calls", nodes.Macro: "macros", nodes.Import: "imports", nodes.Include: "includes",
    nodes.FromImport: "imports", nodes.Extends: "inheritance", nodes.Block: "blocks",
    nodes.Assign: "set", nodes.AssignBlock: "set", nodes.CallBlock: "call blocks",
    nodes.FilterBlock: "filter blocks", nodes.With: "with", nodes.Dict: "dictionaries",
    nodes.Slice: "slices", nodes.Concat: "the operator ~",
}  # fmt: skip


class _Refused(Exception):
    """A value no template may print or build; the message is for people."""


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or not isinstance(value, int | float):
        raise _Refused(f"{_kind(value)} cannot be written as text")
    return str(value)


def _kind(value: object) -> str:
    names = {list: "a list", dict: "a table", bool: "a yes or no", type(None): "nothing (null)"}
    return names.get(type(value), f"a value of type {type(value).__name__}")


def _replace(value: object, old: str, new: str) -> str:
    text, old, new = _text(value), _text(old), _text(new)
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_TEXT:
        raise _Refused(f"the text grows over {MAX_TEXT} characters")
    return text.replace(old, new)


def _join(value: object, between: str = "") -> str:
    parts = [_text(item) for item in _items(value)]
    if sum(map(len, parts)) + len(_text(between)) * len(parts) > MAX_TEXT:
        raise _Refused(f"the text grows over {MAX_TEXT} characters")
    return between.join(parts)


def _items(value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise _Refused(f"{_kind(value)} is not a list")
    if len(value) > MAX_ITEMS:
        raise _Refused(f"a list of over {MAX_ITEMS} items")
    return value


def _end(value: object, position: int) -> object:
    items = value if isinstance(value, str) else _items(value)
    if not items:
        raise _Refused("an empty list has no first or last")
    return items[position]


def _length(value: object) -> int:
    if not isinstance(value, str | list | tuple | Mapping):
        raise _Refused(f"{_kind(value)} has no length")
    return len(value)


def _number(value: object) -> float:
    try:
        return float(_text(value))
    except ValueError:
        raise _Refused(f"{value!r} is not a number") from None


def _round(value: object, digits: int = 0) -> float | int:
    number = round(_number(value), digits)
    return number if digits > 0 else int(number)


def mean_point(value: object, scale: object) -> str:
    """Return the mean of points as two numbers of a scale.

    Args:
        value: Points ``[x, y]`` as shares of width and height (or one such point).
        scale: Cells a side, of which the whole numbers name one (100 writes 0 to 99); 1 writes
            shares with three decimals. A number, or a text that is one.
    """
    try:
        cells = int(str(scale))
    except ValueError:
        raise _Refused(f"a point on the scale {scale!r} cannot be written from shares") from None
    if cells < 1:
        raise _Refused(f"a scale is 1 or more, not {cells}")
    points = _items(value)
    if not points:
        raise _Refused("there is no point to take the mean of")
    if not isinstance(points[0], list | tuple):
        points = [points]
    if any(not isinstance(point, list | tuple) or len(point) != 2 for point in points):
        raise _Refused("a point is two numbers, x and y")
    means = [sum(_number(point[axis]) for point in points) / len(points) for axis in (0, 1)]
    if cells == 1:
        return " ".join(f"{mean:.3f}" for mean in means)
    # The nudge keeps 0.29 * 100 = 28.999999999999996 in the cell it names.
    return " ".join(str(min(max(int(mean * cells + 1e-9), 0), cells - 1)) for mean in means)


def most_common(value: object) -> str:
    """Return the most frequent of some answers, the first of equally frequent ones.

    Args:
        value: A list of texts, or one text, which is its own answer.
    """
    if isinstance(value, str):
        return value
    answers = [_text(item) for item in _items(value)]
    if not answers:
        raise _Refused("there is no answer to take")
    return max(answers, key=answers.count)


FILTERS: dict[str, Callable[..., Any]] = {
    "replace": _replace,
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "capitalize": lambda value: _text(value).capitalize(),
    "title": lambda value: _text(value).title(),
    "trim": lambda value: _text(value).strip(),
    "join": _join,
    "length": _length,
    "round": _round,
    "int": lambda value: int(_number(value)),
    "first": lambda value: _end(value, 0),
    "last": lambda value: _end(value, -1),
    "mean_point": mean_point,
    "most_common": most_common,
}


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which a dot or bracket reads data and never an attribute of Python."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP_NAMES:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        is_place = isinstance(argument, int) and not isinstance(argument, bool)
        if isinstance(obj, list | tuple | str) and is_place and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(obj=obj, name=argument)


def _finalize(value: Any) -> Any:
    if isinstance(value, StrictUndefined):
        return str(value)  # raises, and names the field
    return _text(value)


@cache
def _environment() -> _Environment:
    environment = _Environment(
        undefined=StrictUndefined, finalize=_finalize, optimized=False, cache_size=0
    )
    environment.globals.clear()
    environment.filters.clear()
    environment.filters.update(FILTERS)
    environment.tests = {
        name: test for name, test in environment.tests.items()
        if name in _TESTS or not name.isidentifier() or name in {"eq", "ne", "in"}
    }  # fmt: skip
    return environment


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template.

    Attributes:
        text: As written.
        where: Place that errors name.
        fields: Names it reads, but ``option``.
        options: Named options it reads, as ``option.NAME``.
    """

    text: str
    where: str
    fields: tuple[str, ...]
    options: tuple[str, ...]
    _compiled: Any

    def render(self, /, **fields: Json) -> str:
        """Return the text with fields put in.

        Raises:
            UserError: a field that is not there, a value that is not a text, or too long a result.
        """
        pieces: list[str] = []
        size = 0
        try:
            for piece in self._compiled.generate(fields):
                size += len(piece)
                if size > MAX_TEXT:
                    raise _Refused(f"the text grows over {MAX_TEXT} characters")
                pieces.append(piece)
        except _Refused as error:
            raise UserError(f"template: {error}", where=self.where) from None
        except TemplateError as error:
            message = error.message or type(error).__name__
            present = f"fields: {', '.join(sorted(fields))}" if fields else "it sees no fields"
            fix = present if "is undefined" in message else ""
            raise UserError(f"template: {message}", where=self.where, fix=fix) from None
        except (TypeError, ValueError, ArithmeticError) as error:
            raise UserError(f"template: {error}", where=self.where) from None
        return "".join(pieces)


class TemplateProblem(UserError):
    """A template refused at load; ``line`` counts from 1 within the template."""

    def __init__(self, message: str, *, where: str, line: int, fix: str = "") -> None:
        super().__init__(f"line {line} of the template: {message}", where=where, fix=fix)
        self.line = line


def compile_template(text: str, where: str = "") -> Template:
    """Check and compile a template.

    Raises:
        UserError: bad syntax, or anything beyond output, ``if``, ``for`` and the allowed filters.
    """
    if len(text) > MAX_TEXT:
        raise TemplateProblem(f"over {MAX_TEXT} characters", where=where, line=1)
    try:
        tree = _environment().parse(text)
        fields, options = _check(tree, where, raw="endraw" in text)
        compiled = _environment().from_string(tree)
    except TemplateSyntaxError as error:
        raise TemplateProblem(
            error.message or "bad syntax", where=where, line=error.lineno
        ) from None
    except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise TemplateProblem(reason, where=where, line=1) from None
    return Template(text, where, fields, options, compiled)


def _check(
    tree: nodes.Template, where: str, *, raw: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Refuse every node that is not allowed; return the fields and the named options read.

    Where the author marks text as ``raw``, single braces are meant.
    """
    read: dict[str, None] = {}
    options: dict[str, None] = {}
    stack: list[tuple[nodes.Node, int, frozenset[str]]] = [(tree, 0, frozenset())]
    while stack:
        node, loops, bound = stack.pop()
        line = node.lineno or 1
        problem, fix = ("", "") if raw and isinstance(node, nodes.TemplateData) else _problem(node)
        if isinstance(node, nodes.For):
            loops += 1
            if loops > MAX_LOOPS:
                problem = f"loops nested deeper than {MAX_LOOPS}"
            bound = bound | {name.name for name in _targets(node)} | {"loop"}
        if problem:
            raise TemplateProblem(problem, where=where, line=line, fix=fix)
        if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in bound:
            read.setdefault(node.name)
        if isinstance(node, nodes.Getattr) and getattr(node.node, "name", "") == "option":
            options.setdefault(node.attr)
        stack.extend((child, loops, bound) for child in reversed([*node.iter_child_nodes()]))
    return tuple(name for name in read if name != "option"), tuple(options)


def _targets(node: nodes.For) -> list[nodes.Name]:
    target = node.target
    if isinstance(target, nodes.Name):
        return [target]
    return list(target.find_all(nodes.Name))


def _problem(node: nodes.Node) -> tuple[str, str]:
    """Return why a node is refused and what would mend it, or two empty texts."""
    if not isinstance(node, _ALLOWED):
        construct = _SAID.get(type(node), type(node).__name__)
        return f"not allowed in a template: {construct}", ""
    for kind, refuse in _REFUSALS:
        if isinstance(node, kind) and (problem := refuse(node)) != ("", ""):
            return problem
    return "", ""


def _private(node: Any) -> tuple[str, str]:
    name = node.attr if isinstance(node, nodes.Getattr) else node.name
    if name.startswith("_"):
        return f"names that start with an underscore are not allowed: {name}", ""
    if isinstance(node, nodes.Name) and name in _RESERVED:
        return f"the name {name!r} is reserved", ""
    return "", ""


def _single_braces(node: Any) -> tuple[str, str]:
    if match := _SINGLE.search(node.data):
        name = match[1]
        fix = f"{{{{ {name} }}}} for the field, or {{{{ '{{{name}}}' }}}} for the text itself"
        return f"'{{{name}}}' would be sent as it stands", fix
    return "", ""


def _bracket(node: Any) -> tuple[str, str]:
    index = node.arg
    if not isinstance(index, nodes.Const | nodes.Neg | nodes.Name):
        return "a bracket takes a name, a number or a text", ""
    if isinstance(index, nodes.Const) and str(index.value).startswith("_"):
        return f"names that start with an underscore are not allowed: {index.value}", ""
    return "", ""


def _filter(node: Any) -> tuple[str, str]:
    if node.name in FILTERS:
        return "", ""
    return f"unknown filter {node.name!r}", nearest(node.name, FILTERS)


def _test(node: Any) -> tuple[str, str]:
    if node.name in _TESTS:
        return "", ""
    return f"unknown test {node.name!r}", nearest(node.name, _TESTS)


def _loop(node: Any) -> tuple[str, str]:
    if node.recursive:
        return "recursive loops are not allowed in a template", ""
    if not isinstance(node.iter, nodes.Name | nodes.Getattr | nodes.Getitem):
        return "a loop goes over a field", ""
    return "", ""


# A name in single braces, but not LaTeX such as \frac{a}{b}, x^{n} or \sqrt[3]{x}.
_SINGLE = re.compile(r"(?<![\w\\}$^\]])\{ ?([A-Za-z_]\w*) ?\}(?!\})")
_REFUSALS: tuple[tuple[Any, Callable[[Any], tuple[str, str]]], ...] = (
    (nodes.Name, _private),
    (nodes.Getattr, _private),
    (nodes.Getitem, _bracket),
    (nodes.Filter, _filter),
    (nodes.Test, _test),
    (nodes.For, _loop),
    (nodes.TemplateData, _single_braces),
)
