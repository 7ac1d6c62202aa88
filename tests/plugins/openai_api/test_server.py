"""A real server: transformers' own serving command with a tiny random Qwen2-VL."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.descriptors import is_installed, parse_options
from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Generate, Request, Text, Turn
from tests.plugins.openai_api.conftest import picture

NEEDED = ("torch", "transformers", "fastapi", "uvicorn", "openai")
LACKING = [name for name in NEEDED if not is_installed(name)]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKING), reason=f"transformers serve needs {', '.join(LACKING)}"),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.plugins.hf_vlm.tiny import qwen

    return qwen(tmp_path_factory.mktemp("qwen"), "qwen2_vl")


@pytest.fixture(scope="module")
def url(checkpoint: Path) -> Iterator[str]:
    with serving(checkpoint) as address:
        yield address


@contextmanager
def serving(checkpoint: Path) -> Iterator[str]:
    """Start a server, and return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
    where = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = checkpoint / f"server{port}.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-c", command, "serve", str(checkpoint), *where],
            stdout=out,
            stderr=out,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        ) as server,
    ):
        try:
            _wait(port, server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def ask(url: str, checkpoint: Path, want: Any, *, shown: bool, **options: Any) -> Any:
    (result,) = ask_all(url, checkpoint, [want], shown=shown, **options)
    return result


def ask_all(
    url: str, checkpoint: Path, wants: Sequence[Any], *, shown: bool = True, **options: Any
) -> list[Any]:
    from harness_openai_api import harness_models
    from harness_openai_api.factory import Endpoint

    (descriptor,) = harness_models()
    arguments = {"model": str(checkpoint), "base_url": url, **options}
    answerer = Endpoint(parse_options(descriptor.options, arguments, owner="")).load(Runtime())
    images = (picture(),) if shown else ()
    try:
        turns = (Turn("user", "what is the person doing?", images),)
        responses = answerer.answer(
            [Request(str(at), str(at), "task", turns, want) for at, want in enumerate(wants)]
        )
    finally:
        answerer.close()
    return [response.result for response in responses]


def test_its_greedy_text_is_the_engines(url: str, checkpoint: Path) -> None:
    from harness_qwen_vl.factory import QwenVL

    answerer = QwenVL({"path": str(checkpoint)}).load(Runtime(device="cpu", dtype="float32"))
    turns = (Turn("user", "what is the person doing?"),)
    (expected,) = answerer.answer([Request("1", "1", "task", turns, Generate(8))])
    assert isinstance(expected.result, Text)
    result = ask(url, checkpoint, Generate(8), shown=False)
    assert isinstance(result, Text)
    assert result.text == expected.result.text.strip()


def test_two_servers_of_it_are_one_model(
    url: str, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The third one is down."""
    wants = [Generate(8)] * 8
    alone = ask_all(url, checkpoint, wants)
    with serving(checkpoint) as other:
        urls = f"{url},{other},http://127.0.0.1:9/v1"
        both = ask_all(urls, checkpoint, wants, concurrency=1, max_concurrency=4)
    assert both == alone
    answered = re.search(r"answered: (.*)", capfd.readouterr().err.rsplit("openai_api", 1)[-1])
    assert answered is not None
    numbers = [int(part.split()[1]) for part in re.split(r", (?=http)", answered[1])]
    assert sum(numbers) == len(wants)
    assert min(numbers[:2]) > 0
    assert numbers[2] == 0


def test_a_question_about_a_picture_is_answered(url: str, checkpoint: Path) -> None:
    assert isinstance(ask(url, checkpoint, Generate(3), shown=True), Text)


def test_it_gives_no_log_probabilities_and_that_is_told(url: str, checkpoint: Path) -> None:
    options = Choose(("happy", "sad"))
    for scores in ("prompt_logprobs", "first_token"):
        result = ask(url, checkpoint, options, shown=True, scores=scores)
        assert isinstance(result, Failed)
        assert result.kind in {"no_logprobs", "refused"}
    result = ask(url, checkpoint, options, shown=True, scores="label")
    assert isinstance(result, Text)


def test_scores_with_its_prefix_cache_are_refused(url: str, checkpoint: Path) -> None:
    with pytest.raises(UserError, match=r"does not say|offers no way"):
        ask(url, checkpoint, Choose(("happy", "sad")), shown=True, scores="generated")
