"""Opening images: every kind of damage is an error of that sample; every mode becomes RGB."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2
from PIL.TiffTags import RATIONAL

from harness.errors import SampleError
from harness.samples import ImageRef
from harness.samples.images import FRAMES, open_image
from harness.samples.roots import data_root

RED = (200, 30, 40)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def shown(data: bytes) -> Image.Image:
    return open_image(ImageRef("memory", data=data)).pixels


def kind_of(ref: ImageRef) -> str:
    with pytest.raises(SampleError) as caught:
        open_image(ref)
    assert ref.name.split("\x00")[0][:90] in str(caught.value)
    return caught.value.kind


def test_bytes_inside_a_larger_file_are_fetched_when_opened() -> None:
    requested: list[int] = []

    def load() -> bytes:
        requested.append(1)
        if len(requested) > 1:
            raise SampleError("image_missing", "row 7: gone")
        return encoded(Image.new("RGB", (3, 2), RED))

    ref = ImageRef("row 7", load=load)
    assert not requested
    assert open_image(ref).pixels.size == (3, 2)
    assert kind_of(ref) == "image_missing"


def in_memory(data: bytes) -> str:
    return kind_of(ImageRef("memory", data=data))


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that says how large it is and holds nearly nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )  # fmt: skip


# Damage


def test_a_missing_file(tmp_path: Path) -> None:
    assert kind_of(ImageRef("no.png", data_root(tmp_path))) == "image_missing"
    assert kind_of(ImageRef("no.png")) == "image_missing"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert kind_of(ImageRef("a.png", data_root(tmp_path))) == "image_empty"
    assert in_memory(b"") == "image_empty"


def test_a_folder_a_name_that_is_too_long_and_a_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    (tmp_path / "b").write_bytes(b"x")
    assert kind_of(ImageRef("a.png", data_root(tmp_path))) == "image_unreadable"
    assert kind_of(ImageRef("x" * 5000, data_root(tmp_path))) == "image_unreadable"
    assert kind_of(ImageRef("b/c.png", data_root(tmp_path))) in {
        "image_missing",
        "image_unreadable",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert kind_of(ImageRef("a.png", data_root(tmp_path))) == "image_unreadable"


@pytest.mark.parametrize("data", [b"not an image", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM\0\0",
                                  b"<svg xmlns='http://www.w3.org/2000/svg'/>"])  # fmt: skip
def test_a_file_that_is_no_image(data: bytes) -> None:
    assert in_memory(data) == "image_unreadable"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file(kind: str, share: float) -> None:
    rng = np.random.default_rng(0)
    data = encoded(Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)), kind)
    assert in_memory(data[: int(len(data) * share)]) == "image_unreadable"


@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
@settings(deadline=None, max_examples=150)
def test_random_damage_is_an_error_of_the_sample_or_an_image(place: int, damage: bytes) -> None:
    data = bytearray(encoded(Image.new("RGB", (20, 10), RED), "JPEG"))
    data[place : place + len(damage)] = damage
    with contextlib.suppress(SampleError):
        assert shown(bytes(data)).mode == "RGB"


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (100_000, 100_000)])
def test_a_header_over_the_limit_is_not_decoded(width: int, height: int) -> None:
    assert in_memory(png_header(width, height)) == "image_too_large"


def test_the_limit_can_be_set_and_is_inclusive() -> None:
    ref = ImageRef("memory", data=encoded(Image.new("RGB", (10, 10))))
    assert open_image(ref, max_pixels=100).width == 10
    with pytest.raises(SampleError, match="megapixels"):
        open_image(ref, max_pixels=99)


def test_a_large_picture_within_the_limit_opens_without_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    assert shown(encoded(Image.new("RGB", (10, 10)))).size == (10, 10)


def test_a_file_with_too_many_bytes_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.samples.images.MAX_BYTES", 10)
    (tmp_path / "a.png").write_bytes(encoded(Image.new("RGB", (10, 10))))
    assert kind_of(ImageRef("a.png", data_root(tmp_path))) == "image_too_large"


# Staying inside


@pytest.mark.parametrize("name", ["../a.png", "b/../../a.png", "/etc/passwd", "a\x00.png"])
def test_a_name_that_leads_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.new("RGB", (4, 4))))
    (tmp_path / "root").mkdir()
    assert kind_of(ImageRef(name, data_root(tmp_path / "root"))) == "image_outside_root"


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_links_may_stay_inside_and_may_not_lead_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "b").mkdir(parents=True)
    (tmp_path / "out.png").write_bytes(encoded(Image.new("RGB", (4, 4))))
    (root / "b" / "in.png").write_bytes(encoded(Image.new("RGB", (4, 4))))
    (root / "out.png").symlink_to(tmp_path / "out.png")
    (root / "folder").symlink_to(tmp_path)
    (root / "in.png").symlink_to(root / "b" / "in.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    assert kind_of(ImageRef("out.png", data_root(root))) == "image_outside_root"
    assert kind_of(ImageRef("folder/out.png", data_root(root))) == "image_outside_root"
    assert kind_of(ImageRef("loop.png", data_root(root))) == "image_unreadable"
    assert open_image(ImageRef("in.png", data_root(root))).width == 4
    (tmp_path / "link").symlink_to(root)
    assert open_image(ImageRef("in.png", data_root(tmp_path / "link"))).width == 4


# Modes


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "PNG"), ("RGB", "JPEG"), ("CMYK", "JPEG"),
                                            ("RGB", "WEBP"), ("P", "GIF")])  # fmt: skip
def test_colour_survives(mode: str, kind: str) -> None:
    image = Image.new("RGB", (16, 16), RED)
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    array = np.asarray(shown(encoded(image, kind)), dtype=int)
    assert np.abs(array - RED).max() <= 12


@pytest.mark.parametrize("mode", ["L", "1", "LA", "P"])
def test_grey_modes_become_rgb(mode: str) -> None:
    image = shown(encoded(Image.new("L", (4, 4), 255).convert(mode)))
    assert image.mode == "RGB"
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.array([[0, 257 * 64], [257 * 128, 65535]], dtype=np.uint16)
    value = np.asarray(shown(encoded(Image.fromarray(values))))[..., 0]
    np.testing.assert_allclose(value, [[0, 64], [128, 255]], atol=1)


def test_a_dark_sixteen_bit_image_stays_dark() -> None:
    values = np.full((2, 2), 200, dtype=np.uint16)
    assert np.asarray(shown(encoded(Image.fromarray(values)))).max() <= 1


def test_floats_and_wide_integers_become_rgb() -> None:
    floats = np.array([[0.0, 0.5], [1.0, np.nan]], dtype=np.float32)
    result = np.asarray(shown(encoded(Image.fromarray(floats), "TIFF")))[..., 0]
    np.testing.assert_allclose(result, [[0, 127], [255, 0]], atol=1)
    wide = np.array([[0, 65535]], dtype=np.int32)
    result = np.asarray(shown(encoded(Image.fromarray(wide), "TIFF")))[..., 0]
    np.testing.assert_array_equal(result, [[0, 255]])


def test_transparency_goes_onto_white() -> None:
    image = Image.new("RGBA", (2, 1), (*RED, 0))
    image.putpixel((1, 0), (*RED, 255))
    result = shown(encoded(image))
    assert [result.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), RED]


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"])
def test_a_palette_with_transparency_goes_onto_white(transparency: object) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, *RED])
    image.putpixel((1, 0), 1)
    result = shown(encoded(image, transparency=transparency))
    assert [result.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), RED]


def test_a_transparent_colour_of_rgb_and_grey_goes_onto_white() -> None:
    result = shown(encoded(Image.new("RGB", (2, 1), RED), transparency=RED))
    assert result.getpixel((0, 0)) == (255, 255, 255)
    result = shown(encoded(Image.new("L", (2, 1), 9), transparency=9))
    assert result.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_turns_are_undone(turn: int) -> None:
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste(RED, (0, 0, 20, 10))
    stored = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[turn]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    turned = upright if stored is None else upright.transpose(stored)
    loaded = open_image(ImageRef("m", data=encoded(turned, "PNG", exif=exif)))
    assert (loaded.width, loaded.height) == loaded.pixels.size == (40, 20)
    np.testing.assert_array_equal(np.asarray(loaded.pixels), np.asarray(upright))


def test_a_turn_that_is_stored_as_a_fraction_is_known_as_a_turn() -> None:
    directory = ImageFileDirectory_v2()
    directory.tagtype[0x0112] = RATIONAL
    directory[0x0112] = IFDRational(6, 1)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + directory.tobytes(8)
    buffer = io.BytesIO()
    Image.new("RGB", (100, 50)).save(buffer, "JPEG", exif=exif)
    image = open_image(ImageRef("memory", data=buffer.getvalue()))
    assert (image.width, image.height, image.orientation) == (50, 100, 6)


def test_broken_exif_does_not_lose_the_picture() -> None:
    data = encoded(Image.new("RGB", (8, 4), RED), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0")
    assert shown(data).size == (8, 4)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_shows_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, (0, 0, 255))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    array = np.asarray(shown(data), dtype=int)
    assert np.abs(array - RED).max() <= 4


def test_equal_bytes_have_equal_keys() -> None:
    first, other = (encoded(Image.new("RGB", (4, 4), colour)) for colour in (RED, (0, 0, 0)))
    keys = [open_image(ImageRef(name, data=data)).key for name, data in
            (("a", first), ("b", first), ("c", other))]  # fmt: skip
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("further", [0, 2])
def test_frames_and_pages_that_are_not_shown_are_noted(kind: str, further: int) -> None:
    first = Image.new("RGB", (8, 8), "red")
    others = [Image.new("RGB", (8, 8), colour) for colour in ("blue", "lime")[:further]]
    data = encoded(first, kind, save_all=True, append_images=others)
    image = open_image(ImageRef("x", None, data))
    assert image.notes == ({FRAMES: 1} if further else {})
    red, _, blue = np.asarray(image.pixels)[4, 4]
    assert red > 200
    assert blue < 50


def test_the_preview_beside_a_camera_s_image_is_no_further_frame() -> None:
    small = Image.new("RGB", (4, 4))
    data = encoded(Image.new("RGB", (8, 8)), "MPO", save_all=True, append_images=[small])
    assert open_image(ImageRef("x", None, data)).notes == {}
