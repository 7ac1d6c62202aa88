"""Checks of a model that is not loaded: what it imports, who it says it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from harness.descriptors import Json, Option
from harness.errors import UserError
from harness.plugins import plugins
from harness.specs import fingerprint

from harness_authoring.contract import ContractError, NotApplicableError
from harness_authoring.models.candidate import Candidate

HEAVY = ("torch", "transformers", "tensorflow", "jax", "pandas", "pyarrow")
_CORE = "core"
_LIGHT = """
import json, sys
name, options, heavy = json.loads(sys.argv[1])
from harness.plugins import plugins
plugins().models()
found = {"the descriptor": [one for one in heavy if one in sys.modules]}
from harness_authoring.models.candidate import Candidate
candidate = Candidate(name, options)
candidate.model().identity(candidate.runtime)
found["identity()"] = [one for one in heavy if one in sys.modules]
print(json.dumps(found))
"""


def light_descriptor(candidate: Candidate) -> None:
    """Import nothing heavy for the descriptor and for the identity."""
    if not candidate.installed:
        raise NotApplicableError("the plugin is not installed")
    name = candidate.descriptor.id
    adding = {info.name for info in plugins().infos if name in info.adds.get("models", ())}
    others = {info.name for info in plugins().infos} - adding - {_CORE}
    blocked = [*filter(None, [os.environ.get("HARNESS_BLOCK_PLUGINS")]), *sorted(others)]
    done = subprocess.run(  # noqa: S603  our own interpreter and code
        [sys.executable, "-c", _LIGHT, json.dumps([name, candidate.given, HEAVY])],
        env={**os.environ, "HARNESS_BLOCK_PLUGINS": ",".join(blocked)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ContractError(f"it fails in a new process: {last}")
    for part, modules in json.loads(done.stdout.splitlines()[-1]).items():
        if modules:
            raise ContractError(f"{part} imports {', '.join(modules)}")


def identity(candidate: Candidate) -> None:
    """Return plain data, twice the same, that names no folder of this machine."""
    stated = candidate.model().identity(candidate.runtime)
    try:
        text = json.dumps(stated, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ContractError(f"the identity is not plain data: {error}") from None
    again = candidate.model().identity(candidate.runtime)
    if json.dumps(again, sort_keys=True) != text:
        raise ContractError("the model's identity changes between two calls")
    for option in candidate.descriptor.options:
        value = candidate.options.get(option.name)
        if isinstance(value, str) and Path(value).is_absolute() and value in text:
            raise ContractError(
                f"the identity holds the folder given as {option.name!r}: elsewhere the same "
                "model would be another one; hash its files instead"
            )


def option_changes(candidate: Candidate) -> None:
    """Change the fingerprint with options that change numbers, and with no others."""
    before = fingerprint(dict(candidate.model().identity(candidate.runtime)))
    unchanged: list[str] = []
    changed = 0
    for option in candidate.descriptor.options:
        named = option.name in candidate.changes
        value = candidate.changes[option.name] if named else another(option, candidate.options)
        if value is None:
            continue
        try:
            model = candidate.model(**{option.name: value})
            same = fingerprint(dict(model.identity(candidate.runtime))) == before
        except UserError:
            if named:
                raise
            continue  # does not go with the other options
        if not option.changes_numbers and not same:
            raise ContractError(
                f"{option.name}={value} changes the fingerprint, but is declared to change no "
                f"number"
            )
        if option.changes_numbers and same:
            unchanged.append(option.name)
            if named:
                raise ContractError(f"{option.name}={value} does not change the fingerprint")
        changed += option.changes_numbers and not same
    if unchanged and not changed:
        raise NotApplicableError(
            f"nothing tried changes the fingerprint ({', '.join(unchanged)}); "
            "name options and values that must with --change, or in 'changes'"
        )


def another(option: Option, values: dict[str, Json]) -> Json:
    """Return another value of an option; ``None`` where none can be guessed."""
    value = values.get(option.name)
    if option.choices:
        return next((one for one in option.choices if one != value), None)
    if option.type == "bool":
        return not value
    if option.type in {"int", "float"}:
        return value + 1 if isinstance(value, int | float) else 8
    return None
