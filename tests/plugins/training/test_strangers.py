"""A training's folder from a stranger: whatever ``train.json`` holds, one message says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import invoke, main

WHOLE: dict[str, Any] = {
    "format": 1,
    "model": {"identity": {}},
    "recipe": {"id": "ft", "options": {}},
    "data": {"tasks": ["raf_db"]},
    "settings": {"seed": 0},
    "trained": {"parts": ["lora"]},
    "fingerprint": "0" * 64,
    "marks": [],
}
BAD = {
    "brackets": b"[" * 100_000,
    "digits": b'{"format": ' + b"1" * 5_000 + b"}",
    "constant": json.dumps({**WHOLE, "seed": float("nan")}).encode(),
    "repeated key": json.dumps(WHOLE)[:-1].encode() + b', "format": 1}',
    "encoding": json.dumps(WHOLE).encode("utf-16"),
    "list": b"[]",
    "recipe": json.dumps({**WHOLE, "recipe": "ft"}).encode(),
    "data": json.dumps({**WHOLE, "data": {}}).encode(),
    "settings": json.dumps({**WHOLE, "settings": None}).encode(),
    "marks": json.dumps({**WHOLE, "marks": 3}).encode(),
    "format": json.dumps({**WHOLE, "format": 99}).encode(),
    "nothing": b"",
    "folder": None,
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["run", "plot"])
def test_one_message_says_why_not(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    content, path = BAD[name], tmp_path / "t" / "train.json"
    path.parent.mkdir()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    arguments = {
        "run": ["run", "--model", "majority", "--tasks", "raf_db", "--checkpoint", "t"],
        "plot": ["plot", "loss", "t", "--out", "a.pdf"],
    }[command]
    code = invoke(main, arguments)
    err = capsys.readouterr().err
    assert (code, err.count("error:")) == (2, 1), err
    assert "train.json" in err
    assert len(err) < 500
