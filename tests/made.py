"""Things that descriptors describe, made with the defaults that they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.descriptors import parse_options
from harness.plugins import plugins
from harness.targets import load_target


def metric(name: str, labels: tuple[str, ...] = (), **options: Any) -> Any:
    descriptor = plugins().metrics()[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name), labels)


def reader(name: str, **options: Any) -> Any:
    descriptor = plugins().readers()[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name))


def recipe(name: str, **options: Any) -> Any:
    descriptor = plugins().recipes()[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name))


def last_of(arguments: Sequence[str], *once: str) -> list[str]:
    """Return a command line in which the last of options given twice stands alone.

    So a test can add to the usual command line what it wants otherwise.

    Args:
        arguments: The command line.
        once: Options that take one value and may be given once.
    """
    positions = {flag: index for index, flag in enumerate(arguments) if flag in once}
    dropped = {
        index + after
        for index, flag in enumerate(arguments)
        if flag in positions and index != positions[flag]
        for after in (0, 1)
    }
    return [value for index, value in enumerate(arguments) if index not in dropped]
