"""Output that closes, or cannot show every sign, ends no command."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HARNESS = f"{sys.executable} -m harness"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command", ["tasks", "list models", "run --model random --tasks raf_db --dry-run"]
)
def test_a_reader_that_leaves_is_no_fault(command: str) -> None:
    ended = shell(f"{HARNESS} {command} | true")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_closed_output_is_no_fault() -> None:
    ended = shell(f"{HARNESS} tasks >&-")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_signs_that_an_encoding_lacks_are_replaced() -> None:
    ended = shell(f"{HARNESS} tasks show raf_db", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0, ended.stderr
    ended = shell(f"{HARNESS} run --model random --tasks raf_db --dry-run",
                  LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")  # fmt: skip
    assert ended.returncode == 0, ended.stderr
