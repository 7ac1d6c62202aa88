"""Archives read in place: the same files as unpacked, and nothing that could do harm."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import DataError, SampleError
from harness.samples import ImageRef
from harness.samples.images import open_image
from harness.samples.mounts import MountedPath, mounted

FILES = {"notes.txt": b"one\ntwo\n", "image/a/1.bin": b"\x00\x01" * 700, "image/b/2.bin": b"x"}
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def pack(path: Path, files: dict[str, bytes] = FILES) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    mode = {".tar": "w", ".tgz": "w:gz", ".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def walk(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in folder.iterdir():
        if path.is_dir():
            found |= {f"{path.name}/{name}": data for name, data in walk(path).items()}
        else:
            found[path.name] = path.read_bytes()
    return found


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_archive_is_walked_like_the_folder_it_was_made_of(tmp_path: Path, ending: str) -> None:
    root = mounted(pack(tmp_path / f"release{ending}"))
    assert root.is_dir()
    assert walk(root) == FILES
    assert [path.name for path in root.iterdir()] == ["image", "notes.txt"]
    file = root / "image" / "a" / "1.bin"
    assert (file.is_file(), file.is_dir(), file.exists()) == (True, False, True)
    assert file.relative_to(root).as_posix() == "image/a/1.bin"
    assert (file.name, file.stem, file.parent) == ("1.bin", "1", root / "image" / "a")
    assert file.stat().st_size == 1400
    assert stat.S_ISDIR((root / "image").stat().st_mode)
    with file.open("rb") as opened:
        opened.seek(3)
        assert opened.read(2) == b"\x01\x00"
        opened.seek(-1, os.SEEK_END)
        assert opened.read() == b"\x01"
    absent = root / "image" / "c"
    assert not absent.exists()
    with pytest.raises(FileNotFoundError):
        absent.open("rb")
    with pytest.raises(io.UnsupportedOperation):
        file.open("wb")


def test_a_folder_of_the_archive_s_own_name_is_no_extra_level(tmp_path: Path) -> None:
    files = {f"release/{name}": data for name, data in FILES.items()}
    assert walk(mounted(pack(tmp_path / "release.tar", files))) == FILES


def test_an_archive_stands_for_the_folder_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a", encoding="utf-8")
    pack(tmp_path / "image.zip", {"1.jpg": b"one", "deep/2.jpg": b"two"})
    root = mounted(tmp_path)
    assert isinstance(root, MountedPath)
    assert (root / "labels.txt").read_bytes() == b"a"
    assert (root / "image" / "deep" / "2.jpg").read_bytes() == b"two"
    assert {path.name for path in root.iterdir()} == {"labels.txt", "image.zip", "image"}


def test_a_folder_that_is_there_wins_over_the_archive_beside_it(tmp_path: Path) -> None:
    pack(tmp_path / "image.zip", {"1.jpg": b"packed"})
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "1.jpg").write_bytes(b"unpacked")
    assert (mounted(tmp_path) / "image" / "1.jpg").read_bytes() == b"unpacked"


def test_other_paths_are_left_as_they_are(tmp_path: Path) -> None:
    assert mounted(tmp_path) is tmp_path
    assert mounted(tmp_path / "absent") == tmp_path / "absent"


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_images_are_opened_out_of_archives_and_nowhere_else(tmp_path: Path, ending: str) -> None:
    data = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(data, "PNG")
    root = mounted(pack(tmp_path / f"r{ending}", {"a/b.png": data.getvalue(), "c.png": b"no"}))
    assert open_image(ImageRef("a/b.png", root)).pixels.size == (3, 2)
    with pytest.raises(SampleError, match="no such file"):
        open_image(ImageRef("a/c.png", root))
    with pytest.raises(SampleError, match="not an image"):
        open_image(ImageRef("c.png", root))
    (tmp_path / "secret.png").write_bytes(data.getvalue())
    with pytest.raises(SampleError, match="leads out"):
        open_image(ImageRef("../secret.png", root))


@pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "a/../../out.txt", "a\\..\\b"])
@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_names_that_lead_out_are_refused(tmp_path: Path, ending: str, name: str) -> None:
    path = pack(tmp_path / f"bad{ending}", {"fine.txt": b"", name: b"x"})
    with pytest.raises(DataError, match="leads out of the archive"):
        mounted(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(DataError, match="is a link or a device"):
        mounted(tmp_path / "bad.tar")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        mounted(tmp_path / "bad.zip")


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_what_unpacks_a_thousandfold_is_refused(tmp_path: Path, ending: str) -> None:
    path = pack(tmp_path / f"bomb{ending}", {"zeros": bytes(8 << 20)})
    assert path.stat().st_size < 16_000
    if ending == ".zip":  # deflate alone stays a little above: bz2 is what bombs are made of
        with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
            archive.writestr("zeros", bytes(8 << 20))
    else:
        path = pack(tmp_path / "bomb.tar.bz2", {"zeros": bytes(8 << 20)})
    with pytest.raises(DataError, match="1000 times"):
        mounted(path)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_a_damaged_archive_is_one_message(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bad{ending}"
    path.write_bytes(b"this is no archive at all" * 40)
    with pytest.raises(DataError, match="cannot be read") as caught:
        mounted(path)
    assert str(path) in str(caught.value)


NAMES = st.lists(st.sampled_from(["a", "b", "a.b", "c0", "c"]), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.sets(NAMES.map("/".join), min_size=1, max_size=8))
def test_folders_list_what_they_hold(
    tmp_path_factory: pytest.TempPathFactory, raw: set[str]
) -> None:
    names = {name for name in raw if not any(other.startswith(f"{name}/") for other in raw)}
    files = {name: name.encode() for name in sorted(names)}
    path = pack(tmp_path_factory.mktemp("t") / "release.zip", files)
    assert walk(mounted(path)) == files
