"""The kit of commands: help that says something, and a wrong flag that is one message."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import click
from harness.targets import load_target

from harness_authoring.contract import Check, ContractError
from harness_authoring.kits.base import HEAVY
from harness_authoring.subjects import Subject

_HELP = """
import json, sys
from harness.targets import load_target
from harness.plugins import plugins
load_target(plugins().commands()[sys.argv[1]])
print(json.dumps([one for one in json.loads(sys.argv[2]) if one in sys.modules]))
"""


def _command(subject: Subject) -> click.Command:
    command = load_target(subject.descriptor)
    if not isinstance(command, click.Command):
        raise ContractError(f"{subject.descriptor.target} is {type(command).__name__}, not a "
                            "click.Command")  # fmt: skip
    return command


def _each(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for inner, below in getattr(command, "commands", {}).items():
        yield from _each(below, f"{name} {inner}")


def helps(subject: Subject) -> None:
    """Say what it does, and what each option is for."""
    for name, command in _each(_command(subject), subject.id):
        if not (command.help or "").strip():
            raise ContractError(f"`harness {name}` has no help")
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden and not parameter.help:
                raise ContractError(f"`harness {name} {parameter.opts[0]}` has no help")
        with click.Context(command, info_name=name) as context:
            command.get_help(context)


def light(subject: Subject) -> None:
    """Import nothing heavy before the command runs."""
    if not subject.installed:
        return
    finished = subprocess.run(  # noqa: S603  our own interpreter and code
        [sys.executable, "-c", _HELP, subject.id, json.dumps(HEAVY)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if finished.returncode:
        raise ContractError((finished.stderr.strip() or "no message").splitlines()[-1])
    if modules := json.loads(finished.stdout.splitlines()[-1]):
        raise ContractError(
            f"{', '.join(modules)} is imported for its help: import it when it runs"
        )


def wrong_flag(subject: Subject) -> None:
    """Refuse a flag that it has not."""
    for name, command in _each(_command(subject), subject.id):
        if isinstance(command, click.Group):
            continue
        try:
            command.make_context(name, ["--no-such-flag"])
        except (click.NoSuchOption, click.UsageError):
            continue
        raise ContractError(f"`harness {name} --no-such-flag` is not refused")


CHECKS = (
    Check("helps", "help for the command and for each option", helps),
    Check("light", "help imports nothing heavy", light),
    Check("wrong_flag", "a flag that is not there is refused", wrong_flag),
)
