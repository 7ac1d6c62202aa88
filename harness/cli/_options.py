"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click
from click.core import ParameterSource

from harness.arguments import Device, Matching, Seed, Within, defaults
from harness.cli._format import clean
from harness.errors import UserError, each_once, near, quoted, short
from harness.plugins import Plugins, plugins
from harness.resources import home_path

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[F], F]
Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def together(*options: Option[Any]) -> Option[Any]:
    """Return a decorator that adds options to a command in the order in which they are given."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class Command(click.Command):
    """A command whose flags were renamed: old spellings work for one version, with a hint.

    Args:
        renamed: Old spelling to the new one.
        rename: Returns the new spelling of a flag with this value, where the value decides.
    """

    def __init__(
        self,
        *arguments: Any,
        renamed: Mapping[str, str],
        rename: Callable[[str, str], str] = lambda flag, _: flag,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._renamed = renamed
        self._rename = rename

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse a command line after giving its flags their present names."""
        return super().parse_args(ctx, [*self._current(args)])

    def _current(self, args: Sequence[str]) -> Iterator[str]:
        for position, argument in enumerate(args):
            flag, equals, value = argument.partition("=")
            following = value if equals else "".join(args[position + 1 : position + 2])
            present = self._renamed.get(flag, self._rename(flag, following))
            if present != flag and flag.startswith("--"):
                tell(f"hint: {flag} is {present} now; the old name will go in the next version")
                yield f"{present}{equals}{value}"
            else:
                yield argument


class Listing(click.Group):
    """A group of one sub-command, ``show``, that says what to type for an id."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Point from ``harness tasks ID`` to ``harness tasks show ID``."""
        if (name := args[0]) not in self.commands and not name.startswith("-"):
            slip = near(name, ["list", "show"])  # the list is the command itself
            tail = ", or with show ID for one" if slip else f" show {name}"
            fix = f"harness {self.name}{tail}"
            raise UserError(f"unknown command '{self.name} {name}'", fix=fix)
        return super().resolve_command(ctx, args)


def tell(note: str) -> None:
    """Print a note on standard error."""
    click.echo(clean(note), err=True)


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the completions of the last of several names with commas between."""
    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in names if name.startswith(begun)]


def _include(ctx: click.Context, _param: click.Parameter, paths: tuple[str, ...]) -> None:
    """Let specs be known while a command runs, and those that it names by path."""
    ctx.call_on_close(_forget)
    if paths:
        from harness.config.tasks import include

        include(paths)


def _forget() -> None:
    tasks_known = sys.modules.get("harness.config.tasks")  # what nobody loaded knows nothing
    if tasks_known is not None:
        tasks_known.forget_included()


def completing(listing: Callable[[Plugins], Iterable[str]]) -> Completion:
    """Return the completion of ids of a kind, such as ``Plugins.models``."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        return _matching(listing(plugins()), incomplete)

    return complete


def complete_tasks(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the completions of ids of tasks and groups."""
    from harness.config.tasks import installed_catalog

    catalog = installed_catalog()
    return _matching([*catalog.entries, *catalog.group_entries], incomplete)


def _model_options(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    descriptor = plugins().models().get(str(ctx.params.get("model")))
    if descriptor is None:
        return []
    names = [option.name for option in descriptor.options]
    names += ["preset"] * bool(descriptor.presets)
    return [f"{name}=" for name in names if name.startswith(incomplete)]


class Whole(click.IntRange):
    """A whole number within bounds, which the message of a wrong one names."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the number.

        Raises:
            BadParameter: it is not a number, or out of bounds.
        """
        number = click.INT.convert(value, param, ctx)
        return _within(self, number, value, param, ctx)


class Number(click.FloatRange):
    """A finite number within bounds, which the message of a wrong one names."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the number.

        Raises:
            BadParameter: it is not a finite number, or out of bounds.
        """
        number = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{quoted(value)} is not a finite number", param, ctx)
        return _within(self, number, value, param, ctx)


class Text(click.types.StringParamType):
    """A text of a form, such as the name of a device."""

    name = "text"

    def __init__(self, form: Matching) -> None:
        self._form = form

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the text.

        Raises:
            BadParameter: it is of another form.
        """
        if not self._form.holds(value):
            self.fail(f"{quoted(value)} should be {self._form}", param, ctx)
        return value


def _within(bounds: Any, number: Any, value: object, param: Any, ctx: Any) -> Any:
    least = -math.inf if bounds.min is None else bounds.min
    most = math.inf if bounds.max is None else bounds.max
    within = Within(least, most, bounds.min_open)
    if not within.holds(number):
        bounds.fail(f"{quoted(value)} should be {within}", param, ctx)
    return number


def type_of(hint: Any) -> Any:
    """Return what reads an option's value, by the annotation of what it sets.

    Args:
        hint: Such as ``Annotated[int | None, Within(1)]``; of several types the first with bounds.
    """
    if get_origin(hint) is not Annotated:
        inner = [one for one in get_args(hint) if get_origin(one) is Annotated]
        if inner:
            return type_of(inner[0])
        return click.Choice(get_args(hint)) if get_origin(hint) is Literal else hint
    kind, bound = get_args(hint)
    if isinstance(bound, Matching):
        return Text(bound)
    least = bound.least if bound.least > -math.inf else None
    most = bound.most if bound.most < math.inf else None
    if kind is int or int in get_args(kind):
        return Whole(least, most)
    return Number(least, most, min_open=bound.above)


def setting(owner: type, field: str, *flags: str, name: str = "", **more: Any) -> Option[Any]:
    """Return the option that sets a field of settings: its default and bounds stand there once.

    Args:
        owner: A dataclass with annotated fields.
        field: Which of them.
        flags: How it is typed; the field's name, by default.
        name: Name of the command's parameter; by default the field's.
        more: As for ``click.option``.
    """
    # Of this field alone: what another one names may be imported for type checking only.
    alone = {"__annotations__": {field: owner.__annotations__[field]}}
    holder = type("Holder", (), {**alone, "__module__": owner.__module__})
    hint = get_type_hints(holder, include_extras=True)[field]
    names = flags or (f"--{field.replace('_', '-')}",)
    default = defaults(owner).get(field)
    if hint is bool:
        return click.option(*names, name or field, is_flag=True, **more)
    more.setdefault("show_default", default not in {None, ""})
    return click.option(*names, name or field, default=default, type=type_of(hint), **more)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
profile = click.option("--profile", metavar="NAME", help="Use the profile demo (default) or full.")
data = click.option(
    "--data",
    "data",
    multiple=True,
    metavar="TASK=PATH",
    help="Read a task's data from this folder, archive or hf:OWNER/NAME (repeat for more).",
)
results = click.option("--results", type=click.Path(path_type=Path), help="Folder of the records.")
model = click.option(
    "--model",
    required=True,
    metavar="ID",
    shell_complete=completing(Plugins.models),
    help="Model; see `harness models`.",
)
include = click.option(
    "--include",
    multiple=True,
    metavar="PATH",
    is_eager=True,
    expose_value=False,
    callback=_include,
    help="Also find the task specs of this folder or file (repeat for more).",
)


def named_tasks(**more: Any) -> Option[Any]:
    """Return the option of tasks, with more of what click takes, and that of included specs."""
    text = "Tasks, groups and paths of specs, separated by commas."
    option = click.option("--tasks", required=True, metavar="IDS", help=text,
                          shell_complete=complete_tasks, **more)  # fmt: skip
    return together(option, include)


tasks = named_tasks()


def some_tasks(does: str) -> Option[Any]:
    """Return the option ``--tasks`` of a command that leaves tasks out."""
    return click.option("--tasks", metavar="ID,ID", shell_complete=complete_tasks, help=does)


model_options = click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=_model_options,
    help="Set an option of the model.",
)
task_options = click.option(
    "--task-option",
    "spec_options",
    multiple=True,
    metavar="TASK.KEY=VALUE",
    help="Set a named option of a task's spec.",
)
asked = together(
    click.option(
        "--shots",
        type=Whole(0, 64),
        metavar="N",
        help="Show N few-shot samples of the train split before each question.",
    ),
    click.option(
        "--prompt",
        metavar="TEXT|@FILE",
        help="Use this prompt template (text or @FILE); it sees the sample's fields.",
    ),
    click.option("--system", metavar="TEXT|@FILE", help="Use this text as the system turn."),
    click.option(
        "--options-order",
        type=click.Choice(["listed", "sorted"]),
        help="Send the options of choices in this order.",
    ),
    click.option(
        "--max-new-tokens",
        type=Whole(1, 8192),
        metavar="N",
        help="Maximum tokens of a generated answer.",
    ),
    click.option(
        "--temperature",
        type=Number(0, 2),
        help="Sampling temperature of generated answers; 0 is greedy.",
    ),
)
checkpoint = click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    help="Use the weights of a finished training (a folder that `harness train` wrote).",
)


def _stands_for(*names: str) -> Callable[..., Any]:
    """Return a callback by which a file may say what flags would: these are not missing then."""

    def tell_click(ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
        if path is not None:
            ctx.default_map = {**(ctx.default_map or {}), **dict.fromkeys(names, str(path))}
        return path

    return tell_click


run_files = together(
    click.option(
        "--models",
        "models_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        is_eager=True,
        callback=_stands_for("model"),
        help="Evaluate the models of this YAML file, each with its own options.",
    ),
    click.option(
        "--config",
        "run_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        is_eager=True,
        callback=_stands_for("model", "tasks"),
        help="Read the run's settings from this YAML file; flags override it.",
    ),
)


def refuse_idle(names: Iterable[str], why: str) -> None:
    """Refuse parameters that were typed and do nothing beside the others.

    Raises:
        UserError: it names the first one's flag.
    """
    ctx = click.get_current_context()
    for name, flag in ((one.name or "", one.opts[0]) for one in ctx.command.params):
        if name in names and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UserError(f"{flag} {why}", fix=f"leave {flag} out")


def with_run_files(
    arguments: dict[str, Any], flags: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    """Return arguments of a run, with what ``--config`` and ``--models`` say of it.

    Args:
        arguments: As flags and their defaults say.
        flags: The command's parameters.
        names: Arguments that have another name as a flag.

    Raises:
        UserError: a file that is wrong, or that says a model which a flag names too.
    """
    ctx = click.get_current_context()
    models_file, run_file = flags["models_file"], flags["run_file"]
    if models_file is None and run_file is None:
        return arguments
    from harness.api.run_files import read_models_file, read_run_file

    typed = {
        name: value
        for name, value in arguments.items()
        if ctx.get_parameter_source(names.get(name, name)) is ParameterSource.COMMANDLINE
    }
    filed = {} if run_file is None else read_run_file(home_path(run_file, "--config"))
    if models_file is not None:
        if "model" in typed:
            raise UserError("--model and --models both name models", fix="leave one out")
        typed["model"] = read_models_file(home_path(models_file, "--models"))
    for name, value in typed.items():
        both_mappings = isinstance(value, dict) and isinstance(filed.get(name), dict)
        filed[name] = {**filed[name], **value} if both_mappings else value
    for name, flag in (("model", "--model"), ("tasks", "--tasks")):
        if run_file is not None and name not in filed:
            raise UserError(f"the file gives no {name}", where=run_file, fix=f"{flag} IDS")
    return {**arguments, **filed}


track = click.option(
    "--track",
    metavar="IDS",
    shell_complete=completing(Plugins.trackers),
    help="Report to these trackers too: wandb, mlflow, tensorboard.",
)
dry_run = click.option("--dry-run", is_flag=True, help="Print the plan and stop.")


device = click.option(
    "--device",
    default="auto",
    show_default=True,
    type=type_of(Device),
    help="Device: auto, cpu, cuda, cuda:1, mps.",
)
seed = click.option(
    "--seed", default=0, show_default=True, type=type_of(Seed), help="Seed of all random numbers."
)


def dtype(default: str, subject: str = "of the weights") -> Option[Any]:
    """Return the option ``--dtype``."""
    return click.option(
        "--dtype",
        default=default,
        show_default=True,
        type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
        help=f"Dtype {subject}.",
    )


def duplicates(unit: str = "cell") -> Option[Any]:
    """Return the option that decides between evaluations of one model on one task."""
    return click.option(
        "--duplicates",
        type=click.Choice(["fail", "newest", "mean"]),
        default="fail",
        show_default=True,
        help=f"When evaluations claim one {unit}: stop, take the newest, or the mean over seeds.",
    )


def executor(command: Callable[..., int]) -> Callable[..., int]:
    """Add ``--on`` and ``-e``."""
    command = click.option(
        "-e",
        "--executor-option",
        "executor_options",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set an option of the executor, such as workers=4.",
    )(command)
    return click.option(
        "--on",
        metavar="EXECUTOR",
        shell_complete=completing(Plugins.executors),
        help="Run on workers of this executor: processes, ray, slurm (`harness list executors`).",
    )(command)


def pairs(values: Sequence[str], flag: str, form: str = "KEY=VALUE") -> dict[str, str]:
    """Return ``key=value`` arguments as a mapping.

    Raises:
        UserError: for one without ``=``, or a key given twice.
    """
    parsed: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key:
            name = form.partition("=")[0]
            looks_like_path = not equals and form.endswith("=PATH") and "/" in value
            meant = value.replace(":", "=", 1) if ":" in value else f"{name}={value}"
            fix = f"{flag} {short(meant, 200) if looks_like_path else form}"
            raise UserError(f"{flag} {quoted(value)} is not {form}", fix=fix)
        if key in parsed:
            raise UserError(f"{flag} gives {key!r} twice")
        parsed[key] = text
    return parsed


def data_paths(values: Sequence[str], flag: str = "--data") -> dict[str, Path]:
    """Return ``key=path`` arguments as a mapping; a shell leaves the ``~`` after ``=`` to us.

    Raises:
        UserError: as :func:`pairs`, a path that is empty, or the home folder of nobody.
    """
    paths = pairs(values, flag, "TASK=PATH")
    for key, text in paths.items():
        if not text:
            raise UserError(f"{flag} gives no path for {key!r}", fix=f"{flag} {key}=FOLDER")
    return {key: home_path(text, flag) for key, text in paths.items()}


class FewSamples(click.types.FloatParamType):
    """A whole number above 0, or a share between 0 and 1."""

    name = "N"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the number or the share.

        Raises:
            BadParameter: it is neither.
        """
        if re.fullmatch(r"0*[1-9][0-9]{0,8}", str(value)):
            return int(value)
        try:
            share = float(value)
        except ValueError:
            share = 0.0
        if not 0 < share < 1:
            text = f"{str(value)[:40]!r} is neither a whole number above 0 nor a share such as 0.1"
            self.fail(text, param, ctx)
        return share


def text_or_file(text: str | None, flag: str) -> str | None:
    """Return a text as typed, or that of ``@FILE`` without the line end at its end.

    Raises:
        UserError: the file cannot be read.
    """
    if text is None or not text.startswith("@"):
        return text
    from harness.jsonfiles import read_file

    path = home_path(text[1:], flag)
    try:
        return read_file(path).decode("utf-8-sig").removesuffix("\n")
    except UnicodeDecodeError:
        raise UserError("not UTF-8 text", where=path) from None


def sample_ids(text: str | None) -> frozenset[str] | None:
    """Return ids from ``a,b,c``, or from ``@FILE`` with one id per line.

    Raises:
        UserError: the file cannot be read, or an id comes twice.
    """
    if (content := text_or_file(text, "--ids")) is None or text is None:
        return None
    names = content.splitlines() if text.startswith("@") else content.split(",")
    return frozenset(each_once(filter(None, names), "the id", "--ids"))


def count(text: str, flag: str, most: int = 1_000_000) -> int | None:
    """Return a whole number from 1 to the most, ``None`` for ``auto``.

    Raises:
        UserError: when it is neither.
    """
    if text == "auto":
        return None
    if re.fullmatch(r"[0-9]{1,12}", text) and 1 <= int(text) <= most:
        return int(text)
    raise UserError(
        f"{flag} {quoted(text, 40)} is neither auto nor a whole number from 1 to {most:,}",
        fix=f"{flag} auto",
    )


def size(text: str | None) -> int | None:
    """Return bytes from ``2GiB``, ``500MB`` or a plain number.

    Raises:
        UserError: when it is none of these.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?", text.strip().lower())
    amount = 0
    if match and not (match[3] and not match[2]):
        power = " kmgt".index(match[2] or " ")
        amount = int(float(match[1]) * (1024 if match[3] else 1000) ** power)
    if amount < 1:
        raise UserError(f"--kv-budget {text!r} is not a size", fix="--kv-budget 2GiB, or 500MB")
    return amount
