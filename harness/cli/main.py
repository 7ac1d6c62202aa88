"""The ``harness`` command: a lazy group of sub-commands and one place that ends on an error."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from contextlib import nullcontext, suppress
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click

from harness._version import __version__
from harness.cli._stdout import kept_apart
from harness.errors import (
    FAULTS,
    HarnessError,
    UserError,
    debug,
    error_text,
    nearest,
    raised,
    reason_of,
    show_traceback,
)
from harness.guard import described
from harness.plugins import block, contract_of, missing, plugins, refuse_unknown_plugins
from harness.progress import beat
from harness.targets import load_target

_ENDING = ("SIGTERM", "SIGHUP")
"""What ends a command as Ctrl-C does; the system's own way would be to drop everything."""
SECTIONS = ("Evaluate", "Train", "Explain", "Look around", "Extend")
"""Sections of ``harness --help`` in order; others that plugins name come after them."""


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
        _read_settings_first(command)
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
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in SECTIONS}
        for descriptor in plugins().commands().values():
            sections.setdefault(descriptor.section, []).append((descriptor.id, descriptor.summary))
        for title, rows in sections.items():
            if not rows:
                continue
            with formatter.section(title):
                formatter.write_dl(rows)


def _verbose(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        debug()


VERBOSE = "--verbose"


def _with_verbose(command: click.Command) -> click.Command:
    """Give a command and those in it the flag that shows tracebacks, where it has none."""
    if not any(VERBOSE in parameter.opts for parameter in command.params):
        _refuse_repeated(command)
        command.params.append(
            click.Option([VERBOSE], is_flag=True, is_eager=True, expose_value=False, hidden=True,
                         callback=_verbose)
        )  # fmt: skip
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _with_verbose(inner)
    return command


def _refuse_repeated(command: click.Command) -> None:
    """Let a command refuse an option that is given twice, or empty: click takes the last alone."""
    make_parser = command.make_parser

    def parser(ctx: click.Context) -> Any:
        made = make_parser(ctx)
        parse = made.parse_args

        def once(args: list[str]) -> Any:
            values, remaining, order = parse(args)
            for option in filter(_is_single, order):
                if order.count(option) > 1:
                    message = f"{option.opts[0]} is given twice"
                    raise UserError(message, fix="give it once; several ids go as A,B")
            for option in order:
                if _is_blank(option, values.get(option.name)):
                    message = f"{option.opts[0]} is given without a value"
                    raise UserError(message, fix="give it one, or leave it out")
            return values, remaining, order

        made.parse_args = once  # type: ignore[method-assign]
        return made

    command.make_parser = parser  # type: ignore[method-assign]


def _is_blank(option: click.Parameter, value: Any) -> bool:
    """Whether an option's text is empty; that of the system turn may be."""
    if not isinstance(option, click.Option) or option.name == "system":
        return False
    texts = value if option.multiple else [value]
    return any(isinstance(text, str) and not text.strip() for text in texts)


def _is_single(option: click.Parameter) -> bool:
    return isinstance(option, click.Option) and not (
        option.multiple or option.is_flag or option.count
    )


def _block(_ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> None:
    if names:
        block(names)
        refuse_unknown_plugins(names, "--block-plugin")


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


def _read_settings_first(command: click.Command) -> None:
    """Let a command, and those below it, refuse settings that cannot be read before it begins.

    Its arguments are parsed by then: ``--help`` is always answered.
    """
    for below in getattr(command, "commands", {}).values():
        _read_settings_first(below)
    callback = command.callback
    if callback is None or hasattr(callback, "reads_settings"):
        return

    def checked(*arguments: Any, **flags: Any) -> Any:
        if click.get_current_context().invoked_subcommand is None:
            from harness.config.settings import load_settings

            profile = flags.get("profile")
            load_settings(profile=profile if isinstance(profile, str) else None)
        # Commands of others print their own text as they like.
        ours = str(callback.__module__).startswith("harness.")
        with kept_apart() if ours and flags.get("as_json") else nullcontext():
            return callback(*arguments, **flags)

    command.callback = update_wrapper(checked, callback)
    setattr(checked, "reads_settings", True)  # noqa: B010  a function has no such name by itself


def entry(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Exit 0 done, 1 a check failed, 2 the user's mistake, 130 stopped, 143 or 129 ended by a signal.
    """
    for name in _ENDING:
        number = getattr(signal, name, None)
        # Who started the command with nohup wants it to outlive its terminal.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    os.register_at_fork(after_in_child=_end_as_others)
    _ready_streams()
    beat()
    sys.exit(invoke(main, arguments))


def _ready_streams() -> None:
    """Let output never be what ends a command: closed streams, signs that an encoding lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:  # closed by the shell: >&-
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class _Ended(KeyboardInterrupt):
    """A signal asked the process to end; code that handles Ctrl-C handles it too."""


_ended_by = 0


def _end(number: int, _frame: object) -> None:
    global _ended_by  # noqa: PLW0603  a handler has nobody else to tell
    if not _ended_by:  # a second one must not cut short what the first one began
        _ended_by = number
        raise _Ended


def _end_as_others() -> None:
    """Let a process that this one forks end by a signal as any other does."""
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _end:
            signal.signal(number, signal.SIG_DFL)


def _stopped() -> int:
    """Say that a command was stopped; return the exit code that says by what."""
    reason = "interrupted"
    if _ended_by:
        reason = f"ended by {signal.Signals(_ended_by).name}"
    click.echo(f"{reason}; what is finished is kept, the same command continues", err=True)
    return 128 + (_ended_by or signal.SIGINT)


def invoke(  # noqa: PLR0911  a return for each way of ending
    command: click.Command, arguments: list[str] | None = None
) -> int:
    """Run a click command and return its exit code, every error said in one message."""
    try:
        result: Any = command.main(arguments, prog_name="harness", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):  # click turns the one into the other
        return _stopped()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        click.echo(f"error: {_of_click(error)}", err=True)
        return 2
    except BrokenPipeError:
        # The reader of a pipe left (head, less); nothing is wrong.
        sys.stderr.close()
        return 0
    except FAULTS as error:
        # The same, as rich says it and as click does (which leaves this wrapper, private to it).
        left = isinstance(error.__context__, BrokenPipeError)
        left |= "PacifyFlush" in type(sys.stdout).__name__
        if isinstance(error, SystemExit) and left:
            return 0
        if isinstance(error, SystemExit) and not _in_core(error):
            raise  # a command may end as it likes
        show_traceback(error)
        fault = error if isinstance(error, HarnessError) else _fault(error)
        click.echo(f"error: {fault}", err=True)
        return fault.exit_code
    return result if isinstance(result, int) else 0


def _of_click(error: click.ClickException) -> UserError:
    """Return what click says of a command line as one message, such as ``--limit: ...``."""
    context = getattr(error, "ctx", None)
    fix = f"{context.command_path} --help" if context is not None else ""
    text = error.format_message().rstrip(".")
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        text, fix = (
            f"no such option: {error.option_name}",
            nearest(str(error.option_name), error.possibilities),
        )
    group = None if context is None else context.command
    if isinstance(group, click.Group) and "such command" in text:
        name, text = text.split("'")[1], text.partition(". Did")[0]
        own = name in plugins().commands()
        fix = f"harness {name} --help" if own else nearest(name, group.commands)
    if "extra argument" in text and context is not None and "tasks" in context.params:
        fix = f"join names with a comma and no blank, such as --tasks A,B; {fix}"
    elif "extra argument" in text and context is not None and "results" in context.params:
        fix = f"a folder of results is named by --results FOLDER; {fix}"
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter):
        hint = error.param_hint or (error.param and error.param.get_error_hint(context))
        parameter = " / ".join(hint) if isinstance(hint, list | tuple) else str(hint or "")
        return UserError(
            error.message.rstrip("."), where=parameter.replace("'", "") or None, fix=fix
        )
    return UserError(f"{text[:1].lower()}{text[1:]}", fix=fix)


def _in_core(error: BaseException) -> bool:
    """Whether an exception went through the harness's own code, beside this file."""
    frames = traceback.walk_tb(error.__traceback__)
    modules = {str(frame.f_globals.get("__name__", "")) for frame, _ in frames}
    return any(name.startswith("harness.") for name in modules - {__name__})


def _in_output(error: BaseException) -> bool:
    """Whether an exception was raised while something was printed."""
    frames = traceback.walk_tb(error.__traceback__)
    last = [str(frame.f_globals.get("__name__", "")) for frame, _ in frames][-1]
    return last.partition(".")[0] in {"click", "rich"} or last == __name__


def _fault(error: BaseException) -> HarnessError:
    """Return what nobody caught as one message: who raised it, and how to see where."""
    info = plugins().blamed(error)
    if info is None and isinstance(error, OSError):
        # A file or a disk that does not do what is asked of it, wherever that showed.
        beside = "" if error.filename2 is None else f" (to {error.filename2})"
        target = error.filename
        if target is None and _in_output(error):
            target = "standard output"
            with suppress(OSError):  # what is left to be written would fail again at the end
                sys.stdout.close()
            _ready_streams()
        return UserError(f"{reason_of(error)}{beside}", where=target)
    if info is None and isinstance(error, MemoryError):
        return UserError(f"memory does not suffice: {error}".rstrip(": "))
    if info is None:
        return HarnessError(
            f"a fault of the harness itself: {error_text(error)}",
            fix=f"report it with its traceback: the same command with {VERBOSE}",
        )
    return raised(str(info), "its code", info.name, error)
