"""Whatever a stranger's plugin does wrongly is one short message that names it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import harness
from harness.cli.main import invoke, main
from harness.descriptors import MetricDescriptor
from harness.errors import ModelError
from harness.plugins import hookimpl, plugins
from harness.requests import Failed, Response, Scores, Text, Vectors
from harness.requests.extractor import Extracted
from harness.runs.read import survey
from harness.runs.sample_record import read_samples
from harness.samples import Sample

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
        mapping = dict(module.FAULTS)
        module.FAULTS.clear()
        assert invoke(main, list(SUMS)) == 0
        module.FAULTS.update(mapping)
    if command is SOURCE:
        Path("harness.toml").write_text('profile = "full"\n[data]\nsource = "strange"\n')
    plugins.cache_clear()
    capfd.readouterr()
    code = invoke(main, list(command))
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    err = re.sub(r"^strange_\w+: 6 samples\n", "", err, flags=re.MULTILINE)  # how far a run is
    return code, err or (out if code else "")


def is_one_short_message(err: str) -> None:
    assert err.count("error: ") == 1
    assert len(err) < 3000
    assert all(sign.isprintable() or sign == "\n" for sign in err)
    assert "dist-strange 1.2" in err
    assert "strange" in err


# Places that are given every fault; what an error shows there, the others show too.
EVERY = {
    "reader.samples", "model.make", "model.identity", "model.load", "model.answer",
    "extractor.call", "sums.finalize", "settled.combine", "source.locate", "format.call",
}  # fmt: skip
CASES = [
    pytest.param(fault, *place, id=f"{fault} in {place[0]} of {place[1][2:3]}")
    for place in PLACES
    for fault in (RAISED if place[0] in EVERY else ["an error"])
]


@pytest.mark.parametrize(("fault", "place", "command", "name", "code"), CASES)
def test_what_a_plugin_raises_is_one_message(  # noqa: PLR0917
    fault: str, place: str, command: Sequence[str], name: str, code: int, strange: Any, capfd: Any
) -> None:
    strange.FAULTS[place] = RAISED[fault]
    result, err = said(strange, command, capfd)
    is_one_short_message(err)
    assert name in err
    assert result == code


NAN = float("nan")
loose: Any = SimpleNamespace(
    Sample=Sample, Text=Text, Scores=Scores, Vectors=Vectors, Extracted=Extracted
)
WRONG: list[tuple[str, Any, Sequence[str], str, int]] = [
    ("reader.annotations", "labels.txt", SUMS, "returned str 'labels.txt' from annotations", 2),
    ("reader.annotations", [7], SUMS, "returned int 7 from annotations", 2),
    ("reader.samples", None, SUMS, "returned None from samples, not an iterator of Sample", 2),
    ("reader.samples", 3.0, SUMS, "returned float 3.0 from samples", 2),
    ("reader.sample", {"id": "1"}, SUMS, "yielded dict {'id': '1'} from samples", 2),
    ("reader.sample", None, SUMS, "yielded None from samples, not a Sample", 2),
    (
        "reader.sample",
        loose.Sample(1, (), "yes", "c"),
        SUMS,
        "whose id is int 1, not text",
        2,
    ),
    (
        "reader.sample",
        loose.Sample("1", (), "yes", None),
        SUMS,
        "cluster is None, not text",
        2,
    ),
    ("reader.sample", loose.Sample("1", ("a.jpg",), "yes", "c"), SUMS, "are not all ImageRef", 2),
    ("model.identity", None, SUMS, "returned None from identity, not a mapping", 2),
    ("model.identity", {"a": {1}}, SUMS, "not plain data from identity: TypeError", 2),
    ("model.identity", {"a": NAN}, SUMS, "not plain data from identity: ValueError", 2),
    ("model.load", None, SUMS, "returned None from load, not an answerer", 1),
    ("model.answer", None, SUMS, "returned None from answer, not one Response for each", 1),
    ("model.answer", "yes", SUMS, "returned str 'yes' from answer, not one Response", 1),
    ("model.answer", ["yes"], SUMS, "returned str 'yes' from answer, not Response", 1),
    ("model.response", "yes", SUMS, "returned str 'yes' from answer, not Response", 1),
    ("model.response", Response("0", loose.Text("yes")), SUMS, "answered str '0', twice", 1),
    (
        "model.response",
        Response("9", loose.Text("yes")),
        SUMS,
        "'9', which it was not",
        1,
    ),
    ("model.text", "yes", SUMS, "with str 'yes': a result is one of Scores, Text", 1),
    ("model.text", None, SUMS, "with None: a result is one of", 1),
    ("model.text", loose.Text(None), SUMS, "its text is not a string", 1),
    ("model.text", loose.Text("yes", "later"), SUMS, "its end is none of stop", 1),
    ("model.scores", loose.Scores("label", ("a", "b")), RANKS, "ValueError: could not convert", 1),
    ("model.scores", loose.Scores("likely", (1, 0)), RANKS, "'likely' is not a kind of score", 1),
    ("model.scores", loose.Scores("label", None), RANKS, "TypeError: 'NoneType'", 1),
    ("model.scores", loose.Vectors(None), RANKS, "TypeError: 'NoneType'", 1),
    ("model.notes", "slow", SUMS, "returned str 'slow' from notes", 1),
    ("extractor.call", "yes", SUMS, "returned str 'yes' from a call, not Extracted", 2),
    ("extractor.call", None, SUMS, "returned None from a call, not Extracted", 2),
    ("extractor.call", loose.Extracted(None), SUMS, "the answer None with the problem str ''", 2),
    ("extractor.call", loose.Extracted(NAN), SUMS, "an answer that is not plain data", 2),
    ("extractor.call", loose.Extracted({1}), SUMS, "an answer that is not plain data", 2),
    ("sums.statistics", 1.0, SUMS, "returned float 1.0 from statistics for sample str '0'", 2),
    ("sums.statistics", {0: NAN}, SUMS, "not a mapping of positions to finite numbers", 2),
    ("sums.statistics", {"a": 1.0}, SUMS, "not a mapping of positions to finite numbers", 2),
    ("sums.score", None, SUMS, "returned None from score for sample str '0'", 2),
    ("sums.score", NAN, SUMS, "returned float nan from score", 2),
    ("sums.finalize", 0.5, SUMS, "returned numbers of shape () from finalize", 2),
    ("sums.finalize", None, SUMS, "from finalize", 2),
    ("sums.finalize", "much", SUMS, "returned str 'much' from finalize, not numbers", 2),
    ("ranks.value", 0.5, RANKS, "returned numbers of shape () from value", 2),
    ("groups.counts", None, GROUPS, "counts by None, which lacks key, size", 2),
    ("groups.settle", 0.5, GROUPS, "returned float 0.5 from settle, not a comparison", 2),
    ("settled.components", 0.5, GROUPS, "returned numbers of shape () from components", 2),
    ("settled.combine", None, GROUPS, "from combine", 2),
    ("settled.tables", {"a": 1}, GROUPS, "from tables, not a list of Rows", 2),
    ("groups.beside", [1], GROUPS, "returned int 1 from beside, not Rows", 2),
    ("source.locate", "world", SOURCE, "returned str 'world' from locate, not a Path", 2),
    ("source.locate", Path("gone"), SOURCE, "returned gone from locate, which is not a folder", 2),
    ("format.call", None, TABLE, "returned None from a call, not text", 2),
    ("format.call", b"table", TABLE, "returned bytes b'table' from a call, not text", 2),
    ("format.call", "\ud800", TABLE, "returned text that cannot be written", 2),
    ("command.make", "a command", OWN, "is str 'a command', not a click.Command", 2),
    ("command.make", print, OWN, "not a click.Command", 2),
]


@pytest.mark.parametrize(("place", "value", "command", "message", "code"), WRONG)
def test_what_a_plugin_returns_wrongly_is_one_message(  # noqa: PLR0917
    place: str,
    value: Any,
    command: Sequence[str],
    message: str,
    code: int,
    strange: Any,
    capfd: Any,
) -> None:
    strange.FAULTS[place] = returns(value)
    result, err = said(strange, command, capfd)
    is_one_short_message(err)
    assert message in err
    assert result == code


@pytest.mark.parametrize("value", [{1}, NAN, "\ud800"])
def test_a_sample_that_cannot_be_written_down_is_told(value: Any, strange: Any, capfd: Any) -> None:
    strange.FAULTS["reader.sample"] = lambda sample: replace(sample, target=value)
    code, err = said(strange, SUMS, capfd)
    assert code == 2
    is_one_short_message(err)
    assert "reader 'strange' yielded a sample, str '0', whose target is not plain data" in err


@pytest.mark.parametrize(
    ("place", "value"),
    [("model.text", Text("half \ud83d")), ("model.scores", Scores("label", (NAN, 0.0)))],
)
def test_an_answer_that_cannot_be_scored_costs_its_samples_and_is_counted(
    place: str, value: Any, strange: Any, capfd: Any
) -> None:
    strange.FAULTS[place] = returns(value)
    command = SUMS if place == "model.text" else RANKS
    code, err = said(strange, command, capfd)
    assert code == 1
    assert "6 of 6 samples errored" in err


@pytest.mark.parametrize(("place", "command"), [("model.text", SUMS), ("model.scores", RANKS)])
def test_what_the_model_calls_a_refusal_is_counted_as_one(
    place: str, command: Sequence[str], strange: Any, capfd: Any
) -> None:
    strange.FAULTS[place] = returns(Text("yes, I mean no", refused=True))
    assert said(strange, command, capfd) == (0, "")
    (record,), _ = survey("results")
    assert (record.counts.refusals, record.counts.unparsed, record.counts.errors) == (6, 0, 0)
    assert record.main.value == 0


def test_a_failure_with_much_to_say_is_recorded_short(strange: Any, capfd: Any) -> None:
    strange.FAULTS["model.text"] = returns(Failed("long", ESCAPES + "x" * 100_000))
    said(strange, SUMS, capfd)
    (record,), _ = survey("results")
    error = next(read_samples(record.directory)).error
    assert error is not None
    message = error.message
    assert len(message) <= 1200
    assert message.isprintable()


def test_a_reader_that_declares_no_unit_will_do(strange: Any, capfd: Any) -> None:
    assert not plugins().readers()["strange"].options
    assert said(strange, SUMS, capfd) == (0, "")
    spec = Path(strange.__file__).parent / "task_specs" / "strange_sums.yaml"
    code, printed = said(strange, ("validate", str(spec)), capfd)
    assert code == 0
    assert printed.startswith("data of 'strange_sums' were not read: ")  # nothing is refused


def test_without_a_fault_every_kind_works(strange: Any, capfd: Any) -> None:
    for command in (SUMS, RANKS, GROUPS, BASELINE, SOURCE, TABLE, OWN):
        assert said(strange, command, capfd) == (0, "")


# --- a run goes on --------------------------------------------------------------------------------


def test_a_model_that_raises_ends_its_task_and_not_the_run(strange: Any, capfd: Any) -> None:
    strange.FAULTS["strange_sums"] = raises(ValueError("not this one"))
    command = (*SUMS[:4], "strange_ranks,strange_sums,strange_groups", *SUMS[5:])
    code, err = said(strange, command, capfd)
    assert code == 1
    is_one_short_message(err)
    assert "error: strange_sums: strange:Model: model 'strange' raised in answer: ValueError" in err
    assert "what was answered is kept, and the same command continues" in err
    records, _ = survey("results")
    assert {record.task for record in records} == {"strange_ranks", "strange_groups"}
    strange.FAULTS.clear()
    assert said(strange, command, capfd) == (0, "")


def test_a_model_that_does_not_load_is_tried_once(strange: Any, capfd: Any) -> None:
    tries: list[int] = []

    def fault(_: Any) -> Any:
        tries.append(1)
        raise ValueError("no weights")

    assert said(strange, SUMS, capfd)[0] == 0
    strange.FAULTS["model.load"] = fault
    command = (*SUMS[:4], "strange_sums,strange_ranks,strange_groups", *SUMS[5:])
    code, err = said(strange, command, capfd)
    assert (code, len(tries)) == (1, 1)
    assert "error: strange_ranks, strange_groups: strange:Model: model 'strange'" in err


def test_blocks_already_answered_are_kept(
    strange: Any, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.evaluation.plan.BLOCK_IMAGES", 2)
    requested: list[str] = []

    def fault(request: Any) -> None:
        requested.append(request.id)
        if request.id == "3":
            raise ValueError("not this one")

    strange.FAULTS["strange_sums"] = fault
    assert said(strange, SUMS, capfd)[0] == 1
    assert requested == ["0", "1", "2", "3"]
    strange.FAULTS["strange_sums"] = lambda request: requested.append(request.id)
    assert said(strange, SUMS, capfd)[0] == 0
    assert requested[4:] == ["2", "3", "4", "5"]


def test_a_model_that_does_not_close_costs_no_answer(strange: Any, capfd: Any) -> None:
    strange.FAULTS["model.close"] = raises(ValueError("stuck"))
    plugins.cache_clear()
    assert invoke(main, list(SUMS)) == 0
    assert "raised in close: ValueError: stuck" in " ".join(capfd.readouterr().out.split())


def test_from_python_a_run_tells_what_ended(strange: Any) -> None:
    strange.FAULTS["strange_sums"] = raises(ValueError("not this one"))
    result = harness.run(
        "strange", ["strange_sums", "strange_ranks"], data={"strange": Path("world")}
    )
    assert [record.task for record in result.records] == ["strange_ranks"]
    assert list(result.ended) == ["strange_sums"]
    with pytest.raises(ModelError, match="raised in answer: ValueError: not this one") as caught:
        harness.run("strange", "strange_sums", data={"strange": Path("world")})
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_interrupt_passes(strange: Any, capfd: Any) -> None:
    strange.FAULTS["model.answer"] = raises(KeyboardInterrupt())
    code, err = said(strange, SUMS, capfd)
    assert code == 130
    assert "the same command continues" in err


def test_a_reader_that_yields_less_the_second_time_is_told(strange: Any, capfd: Any) -> None:
    reads: list[int] = []

    def fault(samples: Any) -> Any:
        reads.append(1)
        return list(samples)[: 6 - len(reads)]

    strange.FAULTS["reader.samples"] = fault
    code, err = said(strange, SUMS, capfd)
    assert code == 2
    assert "reader 'strange' yields fewer samples the second time" in err


# --- tracebacks, events, hooks --------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--verbose", "run --verbose", "HARNESS_DEBUG"])
def test_the_traceback_is_there_when_it_is_asked_for(
    flag: str, strange: Any, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange.FAULTS["sums.finalize"] = raises(ValueError("no such thing"))
    command = list(SUMS)
    if flag == "HARNESS_DEBUG":
        monkeypatch.setenv(flag, "1")
    else:
        command.insert(int(flag.startswith("run")), "--verbose")
    plugins.cache_clear()
    assert invoke(main, command) == 2
    err = capfd.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "strange.py" in err


@pytest.mark.parametrize("fault", RAISED)
def test_a_listener_that_raises_is_told_and_costs_nothing(
    fault: str, strange: Any, capfd: Any
) -> None:
    strange.FAULTS["event"] = RAISED[fault]
    plugins.cache_clear()
    assert invoke(main, list(SUMS)) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "plugin 'strange' of dist-strange 1.2 failed in harness_block_answered" in out


@pytest.mark.parametrize("fault", [*RAISED.values(), returns(None), returns(["x"]), returns("x")])
def test_what_a_hook_does_wrongly_costs_the_plugin(
    fault: Callable[[Any], Any], strange: Any, capfd: Any
) -> None:
    strange.FAULTS["hook"] = fault
    plugins.cache_clear()
    assert invoke(main, ["plugins", "--json"]) == 0
    out = capfd.readouterr().out
    assert "Traceback" not in out
    (info,) = (item for item in plugins().infos if item.name == "strange")
    assert info.status == "failed"
    assert info.problem.startswith("harness_models r")
    assert len(info.problem) < 400
    assert info.problem.isprintable()


# --- what a plugin that failed would have added ---------------------------------------------------

LOST: dict[str, Sequence[str]] = {
    "task": ("tasks", "show", "strange_sums"),
    "task or group": SUMS[:5],
    "task or benchmark": SUMS,
    "data source": (*SUMS[:4], "raf_db"),
    "format": ("leaderboard", "--format=strange"),
    "command": OWN,
    "reader": ("validate", "spec.yaml"),
    "metric": ("validate", "spec.yaml"),
    "extractor": ("validate", "spec.yaml"),
    "model": ("run", "--model", "strange", "--tasks", "raf_db"),
}


@pytest.mark.parametrize("kind", LOST)
def test_what_a_failed_plugin_would_have_added_is_known(
    kind: str, strange: Any, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = "harness_readers" if kind == "model" else "harness_models"
    monkeypatch.setattr(strange, hook, hookimpl(lambda: [1], specname=hook))
    spec = Path(strange.__file__).parent / "task_specs" / "strange_sums.yaml"
    Path("spec.yaml").write_text(spec.read_text().replace("id: strange_sums", "id: other"))
    command = [word.replace("strange", "majority") if at == 2 and kind != "model" else word
               for at, word in enumerate(LOST[kind])]  # fmt: skip
    if kind == "data source":
        Path("harness.toml").write_text('profile = "full"\n[data]\nsource = "strange"\n')
    if kind == "task":
        command = list(LOST[kind])
    code, err = said(strange, command, capfd)
    assert code == 2
    name = (
        "strange_sums"
        if kind in {"task", "task or group"}
        else "sums"
        if kind == "metric"
        else "strange"
    )
    fault = f"plugin 'strange' of dist-strange 1.2 does not load: {hook}"
    wanted = f"{kind} {name!r} is not available: {fault}"
    assert wanted in " ".join(err.split())


def test_a_plugin_of_which_nothing_is_known_may_have_added_a_name(
    strange: Any, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert strange
    Path("site/broken.py").write_text("raise RuntimeError('no luck')\n")
    Path("site/dist_strange-1.2.dist-info/entry_points.txt").write_text("[harness]\nbad = broken\n")
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    code, err = said(strange, ("run", "--model", "kappa", "--tasks", "raf_db"), capfd)
    assert code == 2
    assert "unknown model 'kappa'" in err
    assert "a plugin that is not loaded may add it: " in err
    assert "bad (failed)" in err


@pytest.mark.parametrize(
    ("target", "fix"),
    [
        ("strange:Sum", "did you mean 'Sums'"),
        ("strang:Sums", "did you mean 'strange'"),
        ("harness.metrics.acuracy:Accuracy", "did you mean 'accuracy'"),
    ],
)
def test_a_target_that_is_misspelt_names_the_nearest(
    target: str, fix: str, strange: Any, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = MetricDescriptor(id="sums", target=target, summary="")
    hook = hookimpl(lambda: [metric], specname="harness_metrics")
    monkeypatch.setattr(strange, "harness_metrics", hook)
    code, err = said(strange, SUMS, capfd)
    assert code == 2
    is_one_short_message(err)
    assert "metric 'sums' does not load" in err
    assert fix in err
