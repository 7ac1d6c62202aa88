"""Views: what is cropped, what is drawn, and which boxes cannot be shown."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import SampleError
from harness.samples import Box, ImageRef
from harness.samples.images import LoadedImage, open_image
from harness.samples.views import BEYOND, INVERTED, SAME, SCALED, TURNED, View, apply_view

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(width: int = 100, height: int = 50, orientation: int = 1) -> LoadedImage:
    """Return an image that is stored with these sides."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height), "white").save(buffer, "PNG", exif=exif)
    return open_image(ImageRef("memory", data=buffer.getvalue()))


def drawn(image: LoadedImage, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return the first and last column and row that hold a colour."""
    result = np.argwhere((np.asarray(image.pixels) == colour).all(axis=-1))
    (top, left), (bottom, right) = result.min(axis=0), result.max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def test_the_full_view_is_the_image_itself() -> None:
    image = picture()
    assert apply_view(image, View(), ()) is image


def test_marks_are_drawn_in_the_order_of_boxes() -> None:
    boxes = (Box("a", 10, 5, 30, 40), Box("b", 50, 10, 90, 45))
    viewed = apply_view(picture(), View(colours=("red", "blue")), boxes)
    assert drawn(viewed, RED) == (10, 5, 30, 40)
    assert drawn(viewed, BLUE) == (50, 10, 90, 45)
    assert viewed.pixels.getpixel((20, 20)) == (255, 255, 255)
    assert (viewed.width, viewed.height) == (100, 50)


def test_the_original_is_left_alone() -> None:
    image = picture()
    before = image.pixels.tobytes()
    apply_view(image, View(crop=True, colours=("red",)), (Box("a", 10, 5, 30, 40),))
    assert image.pixels.tobytes() == before


@pytest.mark.parametrize("box", [Box("a", 30, 40, 10, 5), Box("a", 0.3, 0.8, 0.1, 0.1, "relative")])
def test_inverted_and_relative_boxes_are_the_same_box(box: Box) -> None:
    viewed = apply_view(picture(), View(colours=("red",)), (box,))
    assert drawn(viewed, RED) == (10, 5, 30, 40)


def test_boxes_are_clipped_to_the_image() -> None:
    viewed = apply_view(picture(), View(colours=("red",)), (Box("a", -50, -50, 500, 500),))
    assert drawn(viewed, RED) == (0, 0, 99, 49)


def test_crop_is_the_union_with_a_margin_of_its_larger_side() -> None:
    boxes = (Box("a", 40, 20, 50, 30), Box("b", 50, 20, 60, 30))
    viewed = apply_view(picture(), View(crop=True, margin=0.5), boxes)
    assert viewed.pixels.size == (41, 31)
    viewed = apply_view(picture(), View(crop=True, margin=0.0), boxes)
    assert viewed.pixels.size == (21, 11)
    viewed = apply_view(picture(), View(crop=True, margin=9.0), boxes)
    assert viewed.pixels.size == (100, 50)


def test_marks_follow_the_crop() -> None:
    view = View(crop=True, margin=0.25, colours=("red",))
    viewed = apply_view(picture(), view, (Box("a", 40, 20, 60, 30),))
    assert drawn(viewed, RED) == (5, 5, 25, 15)


def test_a_line_is_at_least_a_pixel_and_grows_with_the_image() -> None:
    box = (Box("a", 0.2, 0.2, 0.8, 0.8, "relative"),)
    for size, width in ((20, 1), (1000, 10)):
        array = np.asarray(apply_view(picture(size, size), View(colours=("red",)), box).pixels)
        row = (array[size // 2] == RED).all(axis=-1)
        assert row.sum() == 2 * width


@pytest.mark.parametrize(
    "box",
    [Box("a", 10, 10, 10, 20), Box("a", 200, 10, 300, 20), Box("a", -9, -9, -1, -1),
     Box("a", float("nan"), 0, 10, 10), Box("a", 0, 0, float("inf"), float("nan"))],
)  # fmt: skip
def test_a_box_without_a_pixel_is_an_error_of_the_sample(box: Box) -> None:
    for view in (View(crop=True), View(colours=("red",))):
        with pytest.raises(SampleError, match="empty or outside") as caught:
            apply_view(picture(), view, (box,))
        assert caught.value.kind == "box_empty"


def test_too_few_boxes_are_an_error_of_the_sample() -> None:
    for view, boxes in (
        (View(crop=True), ()),
        (View(colours=("red", "blue")), (Box("a", 1, 1, 9, 9),)),
    ):
        with pytest.raises(SampleError) as caught:
            apply_view(picture(), view, boxes)
        assert caught.value.kind == "box_missing"


MARK = View(colours=("red",))


@pytest.mark.parametrize(("width", "height"), [(50, 25), (200, 100), (33, 17), (33, 16), (67, 33)])
def test_a_box_is_scaled_to_a_copy_of_another_size_and_told(width: int, height: int) -> None:
    box = Box("a", 10, 5, 30, 40, size=(100, 50))
    viewed = apply_view(picture(width, height), MARK, (box, replace(box, y2=41)))
    share = Box("a", 0.1, 0.1, 0.3, 0.8, "relative")
    assert drawn(viewed, RED) == drawn(apply_view(picture(width, height), MARK, (share,)), RED)
    assert viewed.notes == {SCALED: 2}
    as_marked = apply_view(picture(), MARK, (box,))
    assert (drawn(as_marked, RED), as_marked.notes) == ((10, 5, 30, 40), {})


@pytest.mark.parametrize("size", [(100, 60), (50, 100), (104, 50), (0, 0), (100, -50)])
def test_a_box_of_an_image_of_another_shape_is_an_error(
    size: tuple[int, int],
) -> None:
    with pytest.raises(SampleError, match=f"marked on an image of {size[0]} x {size[1]}") as caught:
        apply_view(picture(), MARK, (Box("a", 10, 5, 30, 40, size=size),))
    assert caught.value.kind == "box_of_other_image"


def test_an_exif_turn_the_annotators_did_not_see_is_an_error_of_the_sample() -> None:
    turned = picture(100, 50, orientation=6)
    assert (turned.width, turned.height) == (50, 100)
    with pytest.raises(SampleError, match="EXIF orientation turns it"):
        apply_view(turned, MARK, (Box("a", 10, 5, 30, 40, size=(100, 50)),))
    seen = apply_view(turned, MARK, (Box("a", 5, 10, 40, 30, size=(50, 100)),))
    assert (drawn(seen, RED), seen.notes) == ((5, 10, 40, 30), {})


@pytest.mark.parametrize(
    ("image", "box"),
    [(picture(100, 50, 3), Box("a", 10, 5, 30, 40, size=(100, 50))),
     (picture(50, 50, 6), Box("a", 10, 5, 30, 40, size=(50, 50))),
     (picture(100, 50, 6), Box("a", 10, 5, 30, 40)),
     (picture(100, 50, 2), Box("a", 0.1, 0.2, 0.5, 0.6, "relative"))],
)  # fmt: skip
def test_a_turn_that_nothing_tells_the_annotators_saw_is_told(image: LoadedImage, box: Box) -> None:
    assert apply_view(image, MARK, (box,)).notes == {TURNED: 1}


@pytest.mark.parametrize(
    ("box", "times"),
    [(Box("a", -1, 0, 101, 51), 0), (Box("a", -2, 0, 50, 50), 1), (Box("a", 9, 9, 102, 20), 1),
     (Box("a", 9, 9, 20, 60), 1), (Box("a", 0.1, 0.1, 1.2, 0.5, "relative"), 1)],
)  # fmt: skip
def test_boxes_that_reach_beyond_their_image_are_told(box: Box, times: int) -> None:
    assert apply_view(picture(), MARK, (box,)).notes == ({BEYOND: times} if times else {})


@pytest.mark.parametrize("box", [(40, 5, 30, 40), (10, 40, 30, 5), (40, 40, 10, 5)])
def test_inverted_boxes_are_told(box: tuple[float, float, float, float]) -> None:
    assert apply_view(picture(), MARK, (Box("a", *box),)).notes == {INVERTED: 1}


def test_two_boxes_that_are_one_are_told() -> None:
    first, second = Box("a", 10, 5, 30, 40), Box("b", 10, 5, 30, 40)
    assert apply_view(picture(), View(colours=("red", "blue")), (first, second)).notes == {SAME: 1}


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.1, 0.2, 0.9, 0.8), (0.5, 0.5, 0.5, 0.6)])
def test_shares_given_as_pixels_are_an_error_of_the_sample(
    box: tuple[float, float, float, float],
) -> None:
    with pytest.raises(SampleError, match="shares of the image"):
        apply_view(picture(), MARK, (Box("a", *box),))


def test_keys_tell_views_and_boxes_apart() -> None:
    image, box, other = picture(), (Box("a", 10, 5, 30, 40),), (Box("a", 10, 5, 30, 41),)
    views = [View(), View(crop=True), View(colours=("red",)), View(colours=("blue",)),
             View(crop=True, margin=0.3), View(colours=("red",), line=0.1)]  # fmt: skip
    keys = {apply_view(image, view, boxes).key for view in views for boxes in (box, other)}
    assert len(keys) == 2 * len(views) - 1
    assert apply_view(image, views[1], box).key == apply_view(image, views[1], box).key


corner = st.floats(-300, 300)
side = st.integers(1, 60)


@given(st.tuples(corner, corner, corner, corner), st.tuples(side, side), st.floats(0, 2))
@settings(deadline=None)
def test_any_box_shows_part_of_the_image_or_is_an_error_of_the_sample(
    corners: tuple[float, float, float, float], size: tuple[int, int], margin: float
) -> None:
    view = View(crop=True, margin=margin, colours=("red",))
    x1, y1, x2, y2 = corners
    with contextlib.suppress(SampleError):
        viewed = apply_view(picture(*size), view, (Box("a", x1, y1, x2, y2),))
        assert 1 <= viewed.pixels.width <= size[0]
        assert 1 <= viewed.pixels.height <= size[1]
