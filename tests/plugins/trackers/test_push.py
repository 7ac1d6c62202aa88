"""Results go to the hub when they are asked for, by the hub's own client, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.cli.main import invoke, main
from tests.plugins.trackers.fake_hub import running


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    harness.run("random", "raf_db", results=folder, profile="demo", limit=3)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_a_folder_gets_records_without_samples_and_a_card(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert invoke(main, ["push", str(results), "--to", str(out), "--yes"]) == 0
    assert names(out) == {
        "evaluation.json", "metrics.json", "spec.yaml", "seal.json", "evaluation_card.md",
    }  # fmt: skip
    more = ["push", str(results), "--to", str(out), "--yes", "--with-samples", "--what", "records"]
    assert invoke(main, more) == 0
    assert "samples.jsonl" in names(out)


def test_nothing_is_sent_without_being_asked(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert invoke(main, ["push", str(results), "--to", str(out)]) == 2
    assert "there is no terminal to ask on" in capsys.readouterr().err
    assert invoke(main, ["push", str(results), "--to", str(out), "--dry-run"]) == 0
    assert "evaluation_card.md" in capsys.readouterr().out
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "results"], "neither OWNER/NAME nor a folder"),
        (["--to", "a/b", "--what", "cards"], "not one of records, card, eval_results"),
        (["--to", "./x", "--dataset", "raf_db", "--what", "eval_results"], "not TASK=OWNER/NAME"),
        (
            ["--to", "./x", "--dataset", "raf=a/b", "--what", "eval_results"],
            "mean 'raf_db'",
        ),
        (["--to", "./x", "--what", ","], "say what to send"),
        (["--to", "./x", "--dataset", "raf_db=a/b"], "--dataset is for eval_results"),
        (["--to", "./x", "--with-samples", "--what", "card"], "--with-samples is for records"),
        (["--to", "./x", "--create"], "--create is for the hub, and --to is a folder"),
        (["--to", "a/b", "--public"], "--public is for a repository that --create makes"),
    ],
)
def test_what_is_no_target_is_refused(
    results: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["push", str(results), *arguments, "--yes"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_hub_gets_what_is_asked_for_and_the_token_is_never_said(
    results: Path, tmp_path: Path
) -> None:
    with running() as (hub, address):
        environment = {
            **os.environ, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0",
            "HF_TOKEN": "hf_TESTTOKENTESTTOKEN", "HF_HOME": str(tmp_path),
            "HF_HUB_DISABLE_XET": "1",
        }  # fmt: skip

        def push(*more: str) -> subprocess.CompletedProcess[str]:
            command = ["push", str(results), "--to", "lab/results", "--yes", *more]
            return subprocess.run(
                [sys.executable, "-m", "harness", *command],
                env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip

        missing = push()
        assert missing.returncode == 2, missing.stderr
        assert "--create makes the repository" in missing.stderr
        done = push("--create", "--what", "records,card,eval_results", "--dataset", "raf_db=a/raf")
        assert done.returncode == 0, done.stderr
        assert f"{address}/datasets/lab/results/commit" in done.stdout
        assert "private" in {hub.created[0].get("visibility"), *hub.created[0]}
        assert {Path(name).name for name in hub.files} >= {"evaluation.json", "seal.json"}
        assert not [name for name in hub.files if name.endswith("samples.jsonl")]
        assert any(name.startswith(".eval_results/") for name in hub.files)
        assert hub.tokens == {"Bearer hf_TESTTOKENTESTTOKEN"}
        assert "hf_" not in (missing.stdout + missing.stderr + done.stdout + done.stderr).replace(
            "hf_***", ""
        )
