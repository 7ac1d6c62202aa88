from __future__ import annotations

import pytest

from harness.cli._options import size
from harness.errors import UserError


@pytest.mark.parametrize(
    ("text", "amount"),
    [("2GiB", 2 << 30), ("1.5 kib", 1536), ("500MB", 500_000_000), ("1g", 10**9), ("77", 77)],
)
def test_sizes_are_read_as_written(text: str, amount: int) -> None:
    assert size(text) == amount


@pytest.mark.parametrize("text", ["", "0", "-1", "2 apples", "iB", "1e9", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a size"):
        size(text)
