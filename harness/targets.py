"""Import what descriptors name, and make it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

from harness.descriptors import (
    Descriptor,
    ExtractorDescriptor,
    Json,
    MetricDescriptor,
    ReaderDescriptor,
    is_installed,
    parse_options,
)
from harness.errors import FAULTS, PluginError, error_text, nearest, traceback_hint
from harness.guard import Contract
from harness.plugins import contract_of, find


def load_target(descriptor: Descriptor, view: str = "") -> Any:
    """Import and return the object that a descriptor names.

    Args:
        descriptor: Of a plugin's object.
        view: Take this target of it, which needs none of the modules that its own needs.

    Raises:
        PluginError: when a required module is missing or the target does not import.
    """
    target = view or descriptor.target
    module_name, _, attribute = target.partition(":")
    for name in () if view else descriptor.requires:
        if not is_installed(name):
            raise PluginError(
                f"{descriptor.id!r} needs the module {name!r}, which is not installed",
                fix=descriptor.install or f"pip install {name}",
            )
    try:
        with redirect_stdout(sys.stderr):
            module = importlib.import_module(module_name)
    except FAULTS as error:  # whatever a stranger's module raises
        gone = error.name if isinstance(error, ModuleNotFoundError) else None
        misspelt = gone is not None and f"{module_name}.".startswith(f"{gone}.")
        fix = _nearest_module(module_name) if misspelt else traceback_hint()
        raise _does_not_load(descriptor, target, error, fix) from error
    try:
        return getattr(module, attribute)
    except FAULTS as error:
        names = [name for name, value in vars(module).items() if callable(value)]
        raise _does_not_load(descriptor, target, error, nearest(attribute, names)) from error


def _does_not_load(
    descriptor: Descriptor, target: str, cause: BaseException, fix: str
) -> PluginError:
    text = error_text(cause)
    if isinstance(cause, Exception):  # what is missing says enough without its type
        text = text.removeprefix(f"{type(cause).__name__}: ")
    error = replace(contract_of(descriptor), where=target).wrong(f"does not load: {text}")
    error.fix = fix
    return error


def _nearest_module(name: str) -> str:
    """Return near misses of a module that is not there, among those beside it."""
    import pkgutil

    parent, _, last = name.rpartition(".")
    try:
        places = importlib.import_module(parent).__path__ if parent else None
    except FAULTS:  # the parent is missing too, or no package
        return _nearest_module(parent)
    close = nearest(last, (module.name for module in pkgutil.iter_modules(places)))
    return close if close.startswith("did you mean") else "mend the target in the descriptor"


def make(
    kind: str,
    name: str,
    entries: Mapping[str, ReaderDescriptor | MetricDescriptor | ExtractorDescriptor],
    values: Mapping[str, Json],
    *arguments: object,
) -> tuple[Any, Contract]:
    """Return the object called ``name``, made by its factory from options and ``arguments``.

    With it comes the contract that its calls are checked against.

    Raises:
        PluginError: as :func:`find` and :func:`load_target`; the
            factory raised.
        UserError: nothing of that name, an unknown option, or a value of the wrong type.
    """
    descriptor = find(kind, name, entries)
    options = parse_options(descriptor.options, values, owner=f"{kind} {name!r}")
    contract, factory = contract_of(descriptor), load_target(descriptor)
    with contract.calling("make"):
        return factory(options, *arguments), contract
