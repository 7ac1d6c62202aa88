"""What an error says is not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.engine.packages import missing_package


def test_an_import_names_its_package() -> None:
    with pytest.raises(ImportError) as caught:
        __import__("no_such_package_at_all.inner")
    assert missing_package(caught.value) == "pip install no-such-package-at-all"
    assert missing_package(ModuleNotFoundError("x", name="PIL.Image")) == "pip install pillow"


@pytest.mark.parametrize(
    ("text", "install"),
    [
        ("Install it with `pip install num2words`.", "num2words"),
        ("You can install it with pip:\n`pip install timm`. Please note", "timm"),
        ("run pip install -U flash-attn>=2.1", "flash-attn"),
        ("pip install transformers[sentencepiece]", "transformers[sentencepiece]"),
    ],
)
def test_the_command_in_a_library_s_own_words_is_found(text: str, install: str) -> None:
    assert missing_package(ImportError(text)) == f"pip install {install}"


def test_errors_behind_an_error_are_looked_at() -> None:
    error = ValueError("cannot read the processor")
    error.__cause__ = ImportError("pip install num2words")
    assert missing_package(error) == "pip install num2words"


def test_other_errors_ask_for_nothing() -> None:
    assert missing_package(ValueError("a file is damaged")) == ""
    assert missing_package(ImportError("cannot import name 'x' from 'y'")) == ""


@pytest.mark.slow
def test_the_engine_loads_no_compiler_and_no_library_of_towers() -> None:
    heavy = ("torch._dynamo", "torch._inductor", "sympy", "torchvision", "timm", "peft")
    code = f"import sys, harness.engine.answerer; print([n for n in {heavy!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
