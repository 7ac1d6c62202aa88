from __future__ import annotations

import pytest
from PIL import Image

from harness.engine.images import check_shape, pad_to_square


@pytest.mark.parametrize(
    ("size", "place"), [((4, 4), (0, 0)), ((6, 3), (0, 1)), ((3, 6), (1, 0)), ((5, 2), (0, 1))]
)
def test_a_picture_stands_in_the_middle_an_odd_rest_at_right_or_bottom(
    size: tuple[int, int], place: tuple[int, int]
) -> None:
    result = pad_to_square(Image.new("RGB", size, (9, 9, 9)), (1, 2, 3))
    side = max(size)
    assert result.size == (side, side)
    seen = [
        (x, y) for x in range(side) for y in range(side) if result.getpixel((x, y)) == (9, 9, 9)
    ]
    assert seen[0] == place
    assert len(seen) == size[0] * size[1]
    assert side * side == len(seen) or result.getpixel((side - 1, side - 1)) == (1, 2, 3)


@pytest.mark.parametrize("size", [(20_001, 900), (201, 1), (1, 300)])
def test_a_picture_that_would_fill_the_memory_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="side"):
        check_shape(Image.new("L", size))


def test_an_ordinary_panorama_is_taken() -> None:
    check_shape(Image.new("L", (19_000, 1_000)))
