"""The ``harness`` command: a lazy group of sub-commands and one place that ends on an error."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import click

from harness._version import __version__
from harness.descriptors import load_target
from harness.errors import FAULTS, HarnessError, debug, error_text, raised, show_traceback
from harness.guard import described
from harness.plugins import block, contract_of, missing, plugins


class LazyGroup(click.Group):
    """A group whose sub-commands come from plugins and are imported when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Names in the order they are listed."""
        return list(plugins().commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one sub-command."""
        descriptor = plugins().commands().get(cmd_name)
        if descriptor is None:
            return None
        command = load_target(descriptor)
        if not isinstance(command, click.Command):
            raise contract_of(descriptor).wrong(f"is {described(command)}, not a click.Command")
        return _with_verbose(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add near misses to click's message for an unknown command."""
        name = args[0]
        if not name.startswith("-") and name not in plugins().commands():
            error = missing("command", name, plugins().commands())
            raise click.UsageError(f"{error.message}; {error.fix}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List commands by section from their descriptors alone."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for descriptor in plugins().commands().values():
            sections.setdefault(descriptor.section, []).append((descriptor.id, descriptor.summary))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def _verbose(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        debug()


VERBOSE = "--verbose"


def _with_verbose(command: click.Command) -> click.Command:
    """Give a command and those in it the flag that shows tracebacks, where it has none."""
    if not any(VERBOSE in parameter.opts for parameter in command.params):
        command.params.append(
            click.Option(
                [VERBOSE],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                hidden=True,
                callback=_verbose,
            )
        )
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _with_verbose(inner)
    return command


def _block(_ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> None:
    if names:
        block(names)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: harness run --model socialfusion --tasks social_all",
)
@click.option(
    "--block-plugin",
    multiple=True,
    metavar="NAME",
    is_eager=True,
    expose_value=False,
    callback=_block,
    help="Do not load this plugin (repeat for more; '*' for all).",
)
@click.option(
    VERBOSE,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_verbose,
    help="Show the traceback of an error too, as HARNESS_DEBUG=1 does; any command takes it.",
)
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Ask vision-language models about people, score the answers, print the table."""


def entry(arguments: list[str] | None = None) -> None:
    """Run the command line; exit 0 done, 1 a check failed, 2 the user's mistake, 130 stopped."""
    sys.exit(invoke(main, arguments))


def invoke(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a click command and return its exit code, every error said in one message."""
    try:
        result: Any = command.main(arguments, prog_name="harness", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):  # click turns the one into the other
        click.echo("interrupted; what is finished is kept, the same command continues", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        # The reader of a pipe left (head, less); nothing is wrong.
        sys.stderr.close()
        return 0
    except FAULTS as error:
        if isinstance(error, SystemExit) and not _in_core(error):
            raise  # a command may end as it likes
        show_traceback(error)
        fault = error if isinstance(error, HarnessError) else _fault(error)
        click.echo(f"error: {fault}", err=True)
        return fault.exit_code
    return result if isinstance(result, int) else 0


def _in_core(error: BaseException) -> bool:
    """Whether an exception went through the harness's own code, beside this file."""
    frames = traceback.walk_tb(error.__traceback__)
    modules = {str(frame.f_globals.get("__name__", "")) for frame, _ in frames}
    return any(name.startswith("harness.") for name in modules - {__name__})


def _fault(error: BaseException) -> HarnessError:
    """Return what nobody caught as one message: who raised it, and how to see where."""
    info = plugins().blamed(error)
    if info is None:
        return HarnessError(
            f"a fault of the harness itself: {error_text(error)}",
            fix=f"report it with its traceback: the same command with {VERBOSE}",
        )
    return raised(str(info), "its code", info.name, error)
