"""What errors quote of files from strangers is short, and every error is."""

from __future__ import annotations

import pytest

from harness.errors import LONGEST, DataError, HarnessError, nearest, quoted, unknown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("kite", "'kite'"),
        ("x" * 61, f"'{'x' * 60}'... (1 characters more)"),
        (7, "7"),
        ([1, "a"], "[1, 'a']"),
        ("\ud800", r"'\ud800'"),
    ],
)
def test_what_is_quoted_is_short(value: object, text: str) -> None:
    assert quoted(value) == text
    quoted(value).encode()


def test_a_number_that_python_does_not_write_is_named() -> None:
    assert quoted(10**9999) == "a int"


def test_a_long_value_shows_both_ends() -> None:
    message = quoted(list(range(10_000)))
    assert message.startswith("[0, 1, ")
    assert message.endswith("9999]")
    assert len(message) < 120


@pytest.mark.parametrize("kind", [HarnessError, DataError])
def test_every_error_is_short(kind: type[HarnessError]) -> None:
    error = kind("y" * 10**6, where="z" * 10**6, fix="w" * 10**6)
    assert len(error.message) < LONGEST + 60
    assert len(str(error)) < 4 * LONGEST


def test_a_long_name_is_compared_and_quoted_in_short() -> None:
    assert len(str(unknown("task", "x" * 10**6, ["raf_db"]))) < 300
    assert nearest("raf_dbb" + "y" * 0, ["raf_db"]) == "did you mean 'raf_db'?"


def test_names_that_are_offered_are_short() -> None:
    long = "x" * 100_000
    assert nearest("csv", ["card", "samples_csv"]) == "did you mean 'samples_csv'?"
    assert nearest("cs", ["card", "samples_csv"]) == "known: card, samples_csv"
    assert len(nearest("NEG", ["POS", long])) < 200
    assert len(nearest(f"{long}y", [long])) < 200
