"""The page of contracts as Markdown, written from docstrings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_NEEDED = {"Answerer", "GroupCounts", "Comparison", "TaskHandle"}
"""Protocols after the first of a kind that are no option."""
_ROLE = re.compile(r":\w+:`[.~]?([^`]+)`")


@dataclass(frozen=True, slots=True)
class Contract:
    """What a plugin implements to add one kind of object.

    Attributes:
        kind: The kind of object.
        hook: The hook that returns its descriptors.
        descriptor: The class of these.
        target: What the descriptor's ``target`` names.
        protocols: The protocol, those that are optional, and the classes of plain data that its
            methods take and return.
        example: A module that implements it.
        names: The descriptor's field that ``target`` describes.
    """

    kind: str
    hook: str
    descriptor: type
    target: str
    protocols: tuple[type, ...]
    example: str
    names: str = "target"


def page(contracts: Sequence[Contract]) -> str:
    """Return ``docs/reference/contracts.md``."""
    return "\n".join(_lines(contracts)).rstrip() + "\n"


def _lines(contracts: Sequence[Contract]) -> Iterator[str]:
    yield "# Contracts"
    yield ""
    yield "<!-- `python -m harness_authoring.contracts` writes this page from the docstrings. -->"
    yield ""
    yield "What a plugin implements to add one kind of object. `harness.contracts` has every name"
    yield "on this page; [plugins.md](../plugins.md) says how a plugin is found and what its faults"
    yield "cost. Classes marked *optional* add a method that the harness calls where it is there."
    for contract in contracts:
        yield f"\n## {contract.kind}\n"
        article = "an" if contract.descriptor.__name__[0] in "AE" else "a"
        target = contract.target if "`" in contract.target else f"`{contract.target}`"
        yield f"`{contract.hook}()` returns {article} `{contract.descriptor.__name__}`,"
        yield f"whose {contract.names} is {target}."
        for position, protocol in enumerate(contract.protocols):
            yield from _described(protocol, optional=position > 0)
        yield "\n```python"
        yield textwrap.dedent(contract.example).strip("\n")
        yield "```"


def _described(protocol: type, *, optional: bool) -> Iterator[str]:
    """Yield a class, its docstring, and each of its own methods with signature and docstring."""
    optional &= getattr(protocol, "_is_protocol", False) and protocol.__name__ not in _NEEDED
    mark = " *(optional)*" if optional else ""
    yield f"\n### `{protocol.__name__}`{mark}\n"
    yield from _text(protocol)
    for name, member in vars(protocol).items():
        function = member.fget if isinstance(member, property) else member
        public = not name.startswith("_") or name == "__call__"
        if not (public and inspect.isfunction(function) and function.__doc__):
            continue
        title = f"{name}{'' if isinstance(member, property) else _signature(function)}"
        yield f"\n**`{title}`**\n"
        yield from _text(function)


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [value for name, value in signature.parameters.items() if name != "self"]
    return str(signature.replace(parameters=parameters)).replace("''", '""').replace("'", "")


def _text(described: Any) -> Iterator[str]:
    """Yield a docstring as Markdown: its sections become lists."""
    text = _ROLE.sub(r"`\1`", inspect.getdoc(described) or "").replace("``", "`")
    text = text.partition("\nExample::")[0]
    for line in text.rstrip().splitlines():
        heading = line.rstrip(":")
        if heading in {"Args", "Returns", "Raises", "Attributes"} and line.endswith(":"):
            yield f"{heading}:\n"
        elif line.startswith("    ") and not line.startswith("     "):
            name, colon, explanation = line.strip().partition(": ")
            yield f"- `{name}`: {explanation}" if colon and " " not in name else f"- {line.strip()}"
        elif line.startswith("     "):
            yield f"  {line.strip()}"
        else:
            yield line
