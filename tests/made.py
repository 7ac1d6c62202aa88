"""Things that descriptors describe, made with the defaults that they name."""

from __future__ import annotations

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
