from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from harness_exports.api import write_records
from jsonschema import Draft7Validator, Draft202012Validator

import harness
from harness.cli.main import invoke, main
from harness.errors import UserError
from harness.plugins import plugins
from harness.runs.exports import ExportOptions
from harness.runs.read import read_evaluation
from harness.runs.seal import seal
from harness.targets import load_target
from tests.runs.sealed import answers, sample, write

FORMATS = tuple(plugins().exporters())
SCHEMAS = Path(__file__).parent / "schemas"
HUB = ExportOptions("My lab", {"raf_db": "owner/raf#basic"})


def schema(name: str) -> Draft7Validator:
    return Draft7Validator(json.loads((SCHEMAS / name).read_text(encoding="utf-8")))


def hub(form: str) -> ExportOptions:
    """Return of the usual options those that a format writes."""
    reads = plugins().exporters()[form].reads
    return ExportOptions(**{name: getattr(HUB, name) for name in reads})


def made(
    tmp_path: Path, form: str, options: ExportOptions | None = None, **changes: Any
) -> list[Path]:
    options = hub(form) if options is None else options
    arguments = changes.pop("samples", answers({0: "anger", 1: None}))
    record = read_evaluation(write(tmp_path / "run", arguments, **changes))
    return write_records(form, [record], tmp_path / "out", options)


def content(path: Path) -> str:
    """Return a file as text, one of Parquet as its rows."""
    if path.suffix != ".parquet":
        return path.read_text(encoding="utf-8")
    import pyarrow.parquet as pq

    return str(pq.read_table(path).to_pylist())


def loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# --- every format ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_record_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    record = read_evaluation(write(tmp_path / "run", answers()))
    first, second = (
        {
            path.relative_to(tmp_path / out): path.read_bytes()
            for path in write_records(form, [record], tmp_path / out, hub(form))
        }
        for out in ("a", "b")
    )
    assert first == second
    assert first


@pytest.mark.parametrize("form", FORMATS)
def test_a_model_name_chooses_no_place_on_disk(tmp_path: Path, form: str) -> None:
    for path in made(tmp_path, form, model="../../a b/*<c>"):
        assert path.resolve().is_relative_to((tmp_path / "out").resolve())


@pytest.mark.parametrize("form", FORMATS)
def test_marks_travel(tmp_path: Path, form: str) -> None:
    texts = [content(path) for path in made(tmp_path, form, marks=["demo"])]
    assert any("demo" in text for text in texts)


@pytest.mark.parametrize("form", FORMATS)
def test_an_undefined_number_is_left_out_and_never_nan(tmp_path: Path, form: str) -> None:
    lost = [sample(str(n), "fear", None, error="gone") for n in range(3)]
    if form == "eval_results":  # it holds numbers alone, and an empty folder says nothing
        with pytest.raises(UserError, match=r"Accuracy is undefined \(no sample gives it a"):
            made(tmp_path, form, samples=lost)
        return
    paths = made(tmp_path, form, samples=lost)
    texts = [content(path) for path in paths]
    assert not any(re.search(r"\bnan\b", text, re.IGNORECASE) for text in texts)
    if not form.startswith("samples"):  # which hold no metrics
        assert any("no sample gives it a value" in text for text in texts)


@pytest.mark.parametrize("form", plugins().exporters())
def test_the_name_of_a_file_is_no_folder(tmp_path: Path, form: str) -> None:
    folder = write(tmp_path / "run", answers())
    for ending in (".csv", ".json", ".parquet", ".MD"):
        out = tmp_path / f"out{ending}"
        with pytest.raises(UserError, match="looks like a file"):
            harness.export(folder, form, out)
        assert not out.exists()
    (tmp_path / "there.json").mkdir()  # whoever made it means it
    datasets = hub(form).datasets
    assert harness.export(folder, form, tmp_path / "there.json", datasets=datasets)


class Asked(ExportOptions):
    """Options that know which of them an exporter looked at."""

    looked_at: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in {"organization", "datasets"}:
            Asked.looked_at.add(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_says_which_options_it_writes_and_no_other_is_taken(
    tmp_path: Path, form: str
) -> None:
    record = read_evaluation(write(tmp_path / "run", answers()))
    exporter = load_target(plugins().exporters()[form])
    Asked.looked_at.clear()
    exporter([record], tmp_path / "out", Asked("My lab", {"raf_db": "owner/raf"}))
    reads = plugins().exporters()[form].reads
    assert Asked.looked_at == set(reads)
    options = {"organization": "My lab", "datasets": {"raf_db": "owner/raf"}}
    for name, flag in (("organization", "--organization"), ("datasets", "--dataset")):
        if name not in reads:
            with pytest.raises(UserError, match=f"{flag} is written by .*, not by {form}"):
                harness.export(tmp_path / "run", form, tmp_path / "no", **{name: options[name]})
    assert not (tmp_path / "no").exists()


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'lm_eval'"):
        write_records("lm-eval", [], tmp_path)


# --- Every Eval Ever ------------------------------------------------------------------------------


def test_every_eval_ever_is_valid_under_the_published_schema(tmp_path: Path) -> None:
    aggregate, samples = made(tmp_path, "every_eval_ever")
    body = loaded(aggregate)
    schema("eval.schema.json").validate(body)
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        schema("instance_level_eval.schema.json").validate(line)
    assert len(lines) == body["detailed_evaluation_results"]["total_rows"] == 6
    assert str(samples).endswith(body["detailed_evaluation_results"]["file_path"])
    assert body["schema_version"] == "0.3.0"


def test_samples_point_at_the_headline_and_agree_with_it(tmp_path: Path) -> None:
    aggregate, samples = made(tmp_path, "every_eval_ever")
    results = {
        evaluation_result["evaluation_result_id"]: evaluation_result
        for evaluation_result in loaded(aggregate)["evaluation_results"]
    }
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    (key,) = {line["evaluation_result_id"] for line in lines}
    mean = sum(line["evaluation"]["score"] for line in lines) / len(lines)
    assert results[key]["score_details"]["score"] == pytest.approx(mean) == pytest.approx(4 / 6)


def test_intervals_and_counts_stand_beside_the_score(tmp_path: Path) -> None:
    aggregate, _ = made(tmp_path, "every_eval_ever")
    record = read_evaluation(tmp_path / "run")
    result = loaded(aggregate)["evaluation_results"][0]
    content = result["score_details"]["uncertainty"]
    assert record.main.interval is not None
    assert content["confidence_interval"]["lower"] == record.main.interval.low
    assert content["num_samples"] == 6
    assert result["score_details"]["details"]["unparsed"] == "1"


def test_samples_that_errored_have_no_line(tmp_path: Path) -> None:
    arguments = [*answers(), sample("9", "fear", None, error="gone")]
    aggregate, samples = made(tmp_path, "every_eval_ever", samples=arguments)
    assert len(samples.read_text(encoding="utf-8").splitlines()) == 6
    assert loaded(aggregate)["evaluation_results"][0]["score_details"]["details"]["errors"] == "1"


def test_of_several_right_answers_a_full_score_is_right(tmp_path: Path) -> None:
    answered = answers()
    for item, score in zip(answered, (1.0, 0.3, 0.0, 1.0, 1.0, 1.0), strict=True):
        item |= {"target": [item["target"], "other", "other"], "score": score}
    folder = write(tmp_path / "run", answers())
    lines = "".join(json.dumps(item) + "\n" for item in answered)
    (folder / "samples.jsonl").write_text(lines, encoding="utf-8")
    seal(folder)
    _, samples = write_records("every_eval_ever", [read_evaluation(folder)], tmp_path / "out")
    results = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    assert [line["evaluation"]["is_correct"] for line in results] == [
        True,
        False,
        False,
        *[True] * 3,
    ]
    assert results[1]["evaluation"]["score"] == 0.3
    assert results[0]["input"]["reference"] == ["happiness", "other"]


def test_samples_without_a_right_answer_have_no_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", answers())
    lines = "".join(json.dumps(answer | {"target": None}) + "\n" for answer in answers())
    (folder / "samples.jsonl").write_text(lines, encoding="utf-8")
    seal(folder)
    (path,) = write_records("every_eval_ever", [read_evaluation(folder)], tmp_path / "out")
    assert "detailed_evaluation_results" not in loaded(path)


# --- lm-eval --------------------------------------------------------------------------------------


def test_lm_eval_is_valid_under_its_typed_result_schema(tmp_path: Path) -> None:
    (path,) = made(tmp_path, "lm_eval", marks=["limited"])
    body = loaded(path)
    content = json.loads((SCHEMAS / "lm_eval.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(content).validate(body)
    # Every key of the schema is optional; these are what lm-eval always writes.
    wanted = {
        "results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better",
        "n-samples", "config", "date",
    }  # fmt: skip
    assert wanted <= body.keys()
    assert body["results"]["raf_db"]["accuracy,none"] == pytest.approx(4 / 6)
    assert body["higher_is_better"]["raf_db"]["accuracy"] is True
    assert body["n-samples"]["raf_db"] == {"original": 6, "effective": 6}
    assert body["versions"]["raf_db"] == 1.0
    assert path.name == "results_2026-11-01T10-00-00.json"


def test_lm_eval_prints_its_own_table_of_them(tmp_path: Path) -> None:
    utils = pytest.importorskip("lm_eval.utils", reason="needs lm-eval")
    (path,) = made(tmp_path, "lm_eval")
    assert utils.get_results_filenames([str(path)]) == [str(path)]
    table = utils.make_table(loaded(path))
    assert "|accuracy" in table
    assert "0.6667" in table


def test_two_evaluations_of_one_task_do_not_fit_one_file(tmp_path: Path) -> None:
    records = [
        read_evaluation(write(tmp_path / name, arguments))
        for name, arguments in (("a", answers()), ("b", answers({0: "fear"})))
    ]
    with pytest.raises(UserError, match="two evaluations of 'echo' on 'raf_db'"):
        write_records("lm_eval", records, tmp_path / "out")


# --- Hugging Face ---------------------------------------------------------------------------------


def test_eval_results_are_read_by_the_hubs_own_library(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    if not hasattr(hub, "parse_eval_result_entries"):
        pytest.skip("this huggingface_hub does not know the format")
    (path,) = made(tmp_path, "eval_results")
    assert path.parts[-2:] == (".eval_results", "raf_db.yaml")
    (entry,) = hub.parse_eval_result_entries(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert (entry.dataset_id, entry.task_id) == ("owner/raf", "basic")
    assert entry.value == pytest.approx(100 * 4 / 6)
    assert entry.date == "2026-11-01"
    assert "95 % interval" in entry.notes


def test_a_hub_id_is_never_guessed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Hub id") as caught:
        made(tmp_path, "eval_results", ExportOptions())
    assert "--dataset raf_db=OWNER/NAME" in caught.value.fix


# --- card -----------------------------------------------------------------------------------------


def test_a_card_answers_what_a_reader_asks(tmp_path: Path) -> None:
    (path,) = made(tmp_path, "card", marks=["limited"], model="<b>echo|2")
    text = path.read_text(encoding="utf-8")
    for heading in ("Results", "Completeness", "Provenance", "Comparability", "Groups of people"):
        assert f"## {heading}" in text
    assert "not a result on the benchmark" in text
    assert "My lab" in text
    assert "<b>" not in text
    assert "female" in text


# --- the command ----------------------------------------------------------------------------------


def test_the_command_writes_and_names_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "results" / "evaluations" / "one", answers())
    arguments = ["export", "results", "--format", "eval_results", "--out", "out", "--json"]
    assert invoke(main, [*arguments, "--dataset", "raf_db=owner/raf"]) == 0
    (path,) = json.loads(capsys.readouterr().out)["files"]
    assert Path(path).is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere", "--format", "card"],
        ["results", "--format", "nothing"],
        ["results", "--format", "eval_results"],
        ["results", "--format", "eval_results", "--dataset", "raf_db"],
        ["results", "--format", "eval_results", "--dataset", "raf_db=x"],
        ["results"],
    ],
)
def test_mistakes_of_the_user_end_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "results" / "evaluations" / "one", answers())
    assert invoke(main, ["export", *arguments, "--out", "out"]) == 2


def test_a_damaged_evaluation_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write(tmp_path / "results" / "evaluations" / "one", answers())
    (folder / "samples.jsonl").write_text("", encoding="utf-8")
    assert invoke(main, ["export", "results", "--format", "card", "--out", "out"]) == 2
    assert "changed since it was sealed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# --- samples --------------------------------------------------------------------------------------


def test_samples_are_one_table_in_three_formats(tmp_path: Path) -> None:
    import csv

    import pyarrow.parquet as pq

    [table] = made(tmp_path / "csv", "samples_csv")
    [lines] = made(tmp_path / "jsonl", "samples_jsonl")
    [parquet] = made(tmp_path / "parquet", "samples_parquet")
    objects = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [item["id"] for item in objects] == pq.read_table(parquet)["id"].to_pylist()
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == [str(item["answer"] or "") for item in objects]
    assert {"model", "task", "target", "error", "score"} <= set(rows[0])


def test_no_text_of_a_model_is_a_formula_in_the_csv(tmp_path: Path) -> None:
    [table] = made(tmp_path, "samples_csv", samples=[sample("=1+1", "fear", "fear")])
    assert ",=1+1" not in table.read_text(encoding="utf-8")
    assert "'=1+1" in table.read_text(encoding="utf-8")
