"""Whatever a stranger's plugin does wrongly is one short message that names it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli.main import invoke, main
from harness.plugins import plugins
from harness.requests import Failed, Response, Scores, Text, Vectors
from harness.requests.extractor import Extracted
from harness.runs.read import read_evaluations
from harness.runs.samples import read_samples

ESCAPES = "\x1b[31mred\x07\u202e"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raises(error: BaseException) -> Callable[[Any], Any]:
    def fault(_: Any) -> Any:
        raise error

    return fault


def returns(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def slow_import(_: Any) -> Any:
    time.sleep(0.05)
    import a_module_that_is_not_there  # type: ignore[import-not-found]  # noqa: F401


RAISED: dict[str, Callable[[Any], Any]] = {
    "an error": raises(ValueError("no such thing")),
    "an exit": raises(SystemExit(0)),
    "much to say": raises(KeyError(ESCAPES + "x" * 100_000)),
    "no words": raises(Unspeakable()),
    "an import": slow_import,
}
SUMS = ("run", "--model", "strange", "--tasks", "strange_sums", "--data", "strange=world")
RANKS = (*SUMS[:4], "strange_ranks", *SUMS[5:])
GROUPS = (*SUMS[:4], "strange_groups", *SUMS[5:])
BASELINE = (*SUMS[:2], "strange_baseline", *SUMS[3:])
SOURCE = SUMS[:5]
TABLE = ("leaderboard", "--format", "strange")
OWN = ("strange",)

# Place of the fault, the command that meets it, what the message calls it, and the exit code.
PLACES: list[tuple[str, Sequence[str], str, int]] = [
    ("reader.make", SUMS, "reader 'strange' raised in make", 2),
    ("reader.annotations", SUMS, "reader 'strange' raised in annotations", 2),
    ("reader.samples", SUMS, "reader 'strange' raised in samples", 2),
    ("reader.sample", SUMS, "reader 'strange' raised in samples", 2),
    ("model.make", SUMS, "model 'strange' raised in make", 2),
    ("model.make", BASELINE, "model 'strange_baseline' raised in make", 2),
    ("model.identity", SUMS, "model 'strange' raised in identity", 2),
    ("model.load", SUMS, "model 'strange' raised in load", 1),
    ("model.answer", SUMS, "model 'strange' raised in answer", 1),
    ("model.response", RANKS, "model 'strange' raised in answer", 1),
    ("model.notes", SUMS, "model 'strange' raised in notes", 1),
    ("extractor.make", SUMS, "extractor 'strange' raised in make", 2),
    ("extractor.call", SUMS, "extractor 'strange' raised in a call", 2),
    ("sums.make", SUMS, "metric 'sums' raised in make", 2),
    ("sums.statistics", SUMS, "metric 'sums' raised in statistics", 2),
    ("sums.score", SUMS, "metric 'sums' raised in score", 2),
    ("sums.finalize", SUMS, "metric 'sums' raised in finalize", 2),
    ("ranks.make", RANKS, "metric 'ranks' raised in make", 2),
    ("ranks.prepare", RANKS, "metric 'ranks' raised in prepare", 2),
    ("ranks.value", RANKS, "metric 'ranks' raised in value", 2),
    ("groups.make", GROUPS, "metric 'groups' raised in make", 2),
    ("groups.parts", GROUPS, "metric 'groups' raised in parts", 2),
    ("groups.settle", GROUPS, "metric 'groups' raised in settle", 2),
    ("groups.beside", GROUPS, "metric 'groups' raised in beside", 2),
    ("counts.statistics", GROUPS, "metric 'groups' raised in statistics", 2),
    ("counts.label", GROUPS, "metric 'groups' raised in label", 2),
    ("counts.columns", GROUPS, "metric 'groups' raised in columns", 2),
    ("settled.components", GROUPS, "metric 'groups' raised in components", 2),
    ("settled.combine", GROUPS, "metric 'groups' raised in combine", 2),
    ("settled.tables", GROUPS, "metric 'groups' raised in tables", 2),
    ("source.make", SOURCE, "data source 'strange' raised in make", 2),
    ("source.locate", SOURCE, "data source 'strange' raised in locate", 2),
    ("format.call", TABLE, "format 'strange' raised in a call", 2),
    ("command.make", OWN, "command 'strange' does not load", 2),
    ("command.call", OWN, "plugin 'strange' of dist-strange 1.2 raised in its code", 2),
]


def said(module: Any, command: Sequence[str], capfd: Any) -> tuple[int, str]:
    """Run a command and return its exit code and what it wrote to standard error."""
    if command is TABLE:
        held = dict(module.FAULTS)
        module.FAULTS.clear()
        assert invoke(main, list(SUMS)) == 0
        module.FAULTS.update(held)
    if command is SOURCE:
        Path("harness.toml").write_text('profile = "full"\n[data]\nsource = "strange"\n')
    plugins.cache_clear()
    capfd.readouterr()
    code = invoke(main, list(command))
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    return code, err


def is_one_short_message(err: str) -> None:
    assert err.count("error: ") == 1
    assert len(err) < 3000
    assert all(sign.isprintable() or sign == "\n" for sign in err)
    assert "dist-strange 1.2" in err
    assert "strange" in err


@pytest.mark.parametrize(("place", "command", "name", "code"), PLACES, ids=lambda held: str(held))
@pytest.mark.parametrize("fault", RAISED)
def test_what_a_plugin_raises_is_one_message(  # noqa: PLR0913, PLR0917
    fault: str, place: str, command: Sequence[str], name: str, code: int, strange: Any, capfd: Any
) -> None:
    if place == "command.call" and fault == "an exit":
        pytest.skip("a command may end as it likes")
    if fault != "an error" and place not in QUICK:
        pytest.skip("the same door as others")
    strange.FAULTS[place] = RAISED[fault]
    assert (found := said(strange, command, capfd))[0] == code, found
    is_one_short_message(found[1])
    assert name in found[1]


QUICK = {"reader.samples", "model.load", "model.answer", "sums.finalize", "extractor.call",
         "settled.combine", "format.call", "source.locate", "command.call", "model.identity",
         "model.make"}  # fmt: skip
