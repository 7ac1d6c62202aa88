"""What every kind of plugin promises: a light descriptor, sound options, a target that is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from harness.errors import UserError
from harness.guard import check_descriptor
from harness.plugins import plugins
from harness.targets import load_target

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.subjects import Subject

HEAVY = ("torch", "transformers", "tensorflow", "jax", "pandas", "pyarrow", "matplotlib")
_CORE = "core"
_LIGHT = """
import json, sys
from harness.plugins import plugins
plugins()
print(json.dumps([one for one in json.loads(sys.argv[1]) if one in sys.modules]))
"""


def light_descriptor(subject: Subject) -> None:
    """Import nothing heavy when plugins load."""
    info = plugins().adding(subject.descriptor) if subject.installed else None
    if info is None:
        raise NotApplicableError("the plugin is not installed")
    if "light" not in subject.cache:
        others = {other.name for other in plugins().infos} - {info.name, _CORE}
        blocked = [*filter(None, [os.environ.get("HARNESS_BLOCK_PLUGINS")]), *sorted(others)]
        finished = subprocess.run(  # noqa: S603  our own interpreter and code
            [sys.executable, "-c", _LIGHT, json.dumps(HEAVY)],
            env={**os.environ, "HARNESS_BLOCK_PLUGINS": ",".join(blocked)},
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode:
            last = (finished.stderr.strip() or "no message").splitlines()[-1]
            raise ContractError(f"it fails in a new process: {last}")
        subject.cache["light"] = json.loads(finished.stdout.splitlines()[-1])
    if modules := subject.cache["light"]:
        raise ContractError(
            f"the plugin imports {', '.join(modules)} when it loads; import it in the target's "
            "module, which is imported on demand"
        )


def descriptor(subject: Subject) -> None:
    """Say in one line what it is; options have defaults that they would accept."""
    check_descriptor(subject.descriptor)
    summary = subject.descriptor.summary
    if not summary.strip() or "\n" in summary or len(summary) > 200:
        raise ContractError(f"the summary is not a single line: {summary[:80]!r}")
    names = [option.name for option in getattr(subject.descriptor, "options", ())]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ContractError(f"two options are called {repeated[0]!r}")
    for option in getattr(subject.descriptor, "options", ()):
        if not option.help.strip():
            raise ContractError(f"the option {option.name!r} has no help")
        try:
            value = option.parse(option.default)
        except UserError as error:
            raise ContractError(f"the default of {option.name!r}: {error.message}") from None
        if value != option.default:
            raise ContractError(
                f"the default of {option.name!r} is {option.default!r}, which is no {option.type}"
            )


def target(subject: Subject) -> None:
    """Be there under the name that the descriptor says."""
    if not callable(load_target(subject.descriptor)) and subject.kind != "submission":
        raise ContractError(f"{subject.descriptor.target} cannot be called")


CHECKS = (
    Check("light_descriptor", "loading the plugin imports nothing heavy", light_descriptor),
    Check("descriptor", "a line of summary; options with help and sound defaults", descriptor),
    Check("target", "what the descriptor names is there", target),
)
