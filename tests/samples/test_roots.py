"""Archives read in place: the same files as unpacked, and nothing that could do harm."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import random
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.errors import DataError, SampleError, UserError
from harness.samples import ImageRef
from harness.samples.images import open_image
from harness.samples.roots import DataRoot, data_root

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


def walk(root: DataRoot) -> dict[str, bytes]:
    return {name: root.read_bytes(name) for name in root.walk()}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_archive_is_walked_like_the_folder_it_was_made_of(tmp_path: Path, ending: str) -> None:
    root = data_root(pack(tmp_path / f"release{ending}"))
    assert root.is_dir()
    assert walk(root) == FILES
    assert root.list() == ["image", "notes.txt"]
    file = "image/a/1.bin"
    assert (root.is_file(file), root.is_dir(file), root.exists(file)) == (True, False, True)
    assert root.size(file) == 1400
    assert root.sha256(file) == hashlib.sha256(FILES[file]).hexdigest()
    assert root.local(file) is None
    with root.open(file) as opened:
        opened.seek(3)
        assert opened.read(2) == b"\x01\x00"
        opened.seek(-1, os.SEEK_END)
        assert opened.read() == b"\x01"
        opened.seek(0)
        assert opened.readline(4) == b"\x00\x01\x00\x01"
    assert not root.exists("image/c")
    with pytest.raises(DataError, match="no such file"):
        root.open("image/c")


def test_a_folder_of_the_archive_s_own_name_is_no_extra_level(tmp_path: Path) -> None:
    files = {f"release/{name}": data for name, data in FILES.items()}
    assert walk(data_root(pack(tmp_path / "release.tar", files))) == FILES


def test_an_archive_stands_for_the_folder_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a", encoding="utf-8")
    pack(tmp_path / "image.zip", {"1.jpg": b"one", "deep/2.jpg": b"two"})
    root = data_root(tmp_path)
    assert root.read_text("labels.txt") == "a"
    assert root.read_bytes("image/deep/2.jpg") == b"two"
    assert root.list() == ["image", "image.zip", "labels.txt"]
    assert list(root.walk("image")) == ["image/1.jpg", "image/deep/2.jpg"]
    assert list(root.sub("image").walk()) == ["1.jpg", "deep/2.jpg"]


def test_a_folder_that_is_there_wins_over_the_archive_beside_it(tmp_path: Path) -> None:
    pack(tmp_path / "image.zip", {"1.jpg": b"packed"})
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "1.jpg").write_bytes(b"unpacked")
    assert data_root(tmp_path).read_bytes("image/1.jpg") == b"unpacked"


def test_two_archives_for_one_folder_and_one_outside_are_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    pack(data / "image.zip", {"1.jpg": b"zip"})
    (data / "linked.zip").symlink_to(pack(tmp_path / "other.zip", {"1.jpg": b"out"}))
    with pytest.raises(DataError, match="a link leads out of the data folder"):
        data_root(data)
    (data / "linked.zip").unlink()
    pack(data / "image.tar", {"1.jpg": b"tar"})
    with pytest.raises(DataError, match=r"for the folder 'image': image.tar and image.zip"):
        data_root(data)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tgz"])
def test_a_name_is_one_whichever_form_of_unicode_it_is_written_in(
    tmp_path: Path, ending: str
) -> None:
    composed, decomposed = "\u00e9/\u00e9.txt", "e\u0301/e\u0301.txt"
    folder = tmp_path / "folder"
    (folder / "e\u0301").mkdir(parents=True)
    (folder / decomposed).write_bytes(b"x")
    for form in (composed, decomposed):
        packed = data_root(pack(tmp_path / f"a{ending}", {form: b"x"}))
        for requested in (composed, decomposed):
            assert packed.read_bytes(requested) == data_root(folder).read_bytes(requested) == b"x"
        assert packed.is_dir("e\u0301")
    with pytest.raises(DataError, match="twice"):
        data_root(pack(tmp_path / f"a{ending}", {composed: b"x", decomposed: b"y"}))


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_each_part_of_a_name_may_be_in_its_own_form_of_unicode(tmp_path: Path, ending: str) -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    folder = tmp_path / "folder"
    (folder / composed / decomposed).mkdir(parents=True)
    (folder / composed / decomposed / "a.txt").write_bytes(b"x")
    pack(folder / f"{decomposed}o{ending}", {f"{composed}.txt": b"y"})
    for first in (composed, decomposed):
        for second in (composed, decomposed):
            root = data_root(folder)
            assert root.read_bytes(f"{first}/{second}/a.txt") == b"x"
            assert root.read_bytes(f"{first}o/{second}.txt") == b"y"
    assert list(data_root(folder).walk(f"{decomposed}o")) == [f"{decomposed}o/{composed}.txt"]
    (folder / f"{composed}o").mkdir()
    assert not data_root(folder).is_file(f"{composed}o/{composed}.txt")  # the folder is that folder


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tgz"])
def test_an_archive_that_holds_a_name_twice_is_refused(tmp_path: Path, ending: str) -> None:
    path = pack(tmp_path / f"a{ending}", {"r/a.txt": b"old", "./r/a.txt": b"new"})
    with pytest.raises(DataError, match=r"it holds 'r/a\.txt' twice"):
        data_root(path)
    two = data_root(pack(tmp_path / f"b{ending}", {"r/a.txt": b"small", "r/A.txt": b"large"}))
    assert (two.read_bytes("r/a.txt"), two.read_bytes("r/A.txt")) == (b"small", b"large")


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_what_file_managers_leave_behind_is_no_file(tmp_path: Path, kind: str) -> None:
    files = {f"r/{name}": data for name, data in FILES.items()}
    litter = dict.fromkeys(("r/.DS_Store", "r/image/._a.jpg", "__MACOSX/r/._b", "r/Thumbs.db"), b"")
    if kind == "folder":
        for name, data in (files | litter).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        root = data_root(tmp_path / "r")
    else:
        again = dict.fromkeys(("./r/.DS_Store", "./r/Thumbs.db"), b"")  # a name twice
        root = data_root(pack(tmp_path / f"r.{kind}", files | litter | again))
    assert walk(root) == FILES


def spread(kind: str, folder: Path) -> DataRoot:
    """Return the same files, as a folder, an archive, or a folder with an archive in it."""
    if kind == "folder":
        for name, data in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return data_root(folder)
    if kind == "archive":
        return data_root(pack(folder / "r.zip"))
    (folder / "notes.txt").write_bytes(FILES["notes.txt"])
    inner = {name.removeprefix("image/"): data for name, data in FILES.items() if "/" in name}
    pack(folder / "image.tar.gz", inner)
    return data_root(folder)


@pytest.mark.parametrize("kind", ["folder", "archive", "both"])
def test_every_kind_of_root_answers_alike(tmp_path: Path, kind: str) -> None:
    root = spread(kind, tmp_path)
    assert {name: root.read_bytes(name) for name in root.walk("image")} == {
        name: data for name, data in FILES.items() if name.startswith("image/")
    }
    assert root.list("image") == ["image/a", "image/b"]
    below = root.sub("image").sub("b")
    assert (below.list(), below.read_bytes("2.bin")) == (["2.bin"], b"x")
    again = pickle.loads(pickle.dumps(below))  # noqa: S301  our own
    assert (again, hash(again), again.read_bytes("2.bin")) == (below, hash(below), b"x")
    assert root.where("image/a/1.bin") == f"{root}/image/a/1.bin"
    for name in ("../notes.txt", "image/../../x", "/etc/passwd", "a\0b"):
        with pytest.raises(DataError, match="leads out"):
            root.open(name)
        with pytest.raises(DataError, match="leads out"):
            root.list(name)
        with pytest.raises(DataError, match="leads out"):
            root.sub(name)
        assert not root.exists(name)
    for absent in ("image/c", "notes.txt/x"):
        with pytest.raises(DataError, match="no such folder"):
            list(root.walk(absent))
    for odd in ("\ud800", "x" * 5000):
        with pytest.raises(DataError):
            root.open(odd)
        assert not root.exists(odd)


@pytest.mark.parametrize("kind", ["folder", "archive", "both"])
def test_a_root_used_as_a_path_says_what_to_use_instead(tmp_path: Path, kind: str) -> None:
    root: Any = spread(kind, tmp_path)
    for method in sorted(name for name in dir(Path) if not name.startswith("_")):
        if not hasattr(DataRoot, method):
            with pytest.raises(UserError, match="a data root is not a path"):
                getattr(root, method)
    with pytest.raises(UserError, match=r"walk\(folder\)"):
        root.rglob("*.jpg")
    for use in (lambda: root / "x", lambda: Path(root), lambda: os.listdir(root)):  # noqa: PTH208
        with pytest.raises(UserError, match="a data root is not a path"):
            use()
    with pytest.raises(UserError, match="named by a text, not by PosixPath"):
        root.is_file(tmp_path / "notes.txt")
    assert not hasattr(root, "glob")
    assert not isinstance(root, Path)


def test_links_are_followed_within_the_root_only(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("s", encoding="utf-8")
    folder = tmp_path / "release"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "a.txt").write_text("a", encoding="utf-8")
    (folder / "in.txt").symlink_to("real/a.txt")
    (folder / "out.txt").symlink_to("../secret.txt")
    (folder / "loop").symlink_to("loop")
    (folder / "also").symlink_to("real")
    root = data_root(folder)
    assert root.read_text("in.txt") == root.read_text("also/a.txt") == "a"
    with pytest.raises(DataError, match="a link leads out"):
        root.read_text("out.txt")
    with pytest.raises(DataError):
        root.open("loop")
    assert list(root.walk()) == ["in.txt", "real/a.txt"]


def test_the_hub_s_cache_keeps_a_dataset_s_files_beside_its_snapshot(tmp_path: Path) -> None:
    folder = tmp_path / "datasets--a--b" / "snapshots" / "0"
    (folder / "data").mkdir(parents=True)
    blobs = tmp_path / "datasets--a--b" / "blobs"
    blobs.mkdir()
    (blobs / "1f").write_bytes(b"shard")
    (folder / "data" / "x.bin").symlink_to("../../../blobs/1f")
    (tmp_path / "out").write_bytes(b"no")
    (folder / "out.bin").symlink_to(tmp_path / "out")
    root = data_root(folder)
    assert root.read_bytes("data/x.bin") == b"shard"
    with pytest.raises(DataError, match="a link leads out"):
        root.open("out.bin")


def test_what_is_neither_folder_nor_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    for position, words in ((tmp_path / "no", "no such folder"), (tmp_path / "a.txt", "neither"),
                         (tmp_path / ("x" * 5000), "cannot be read")):  # fmt: skip
        with pytest.raises(DataError, match=words):
            data_root(position)


@pytest.mark.parametrize("ending", ENDINGS)
def test_damage_inside_an_archive_is_one_message(tmp_path: Path, ending: str) -> None:
    """Whatever byte is turned over: the archive or the file is refused, or it is read."""
    chance = random.Random(1)
    files = {"a.bin": chance.randbytes(3000), "b.bin": chance.randbytes(3000)}
    path = pack(tmp_path / f"r{ending}", files)
    content = path.read_bytes()
    messages: list[str] = []
    for at in range(0, len(content), max(1, len(content) // 150)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            walk(data_root(path))
        except DataError as error:
            messages.append(str(error))
    assert all(len(text) < 1000 for text in messages)
    assert messages or ending == ".tar"


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_images_are_opened_out_of_archives_and_nowhere_else(tmp_path: Path, ending: str) -> None:
    data = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(data, "PNG")
    root = data_root(pack(tmp_path / f"r{ending}", {"a/b.png": data.getvalue(), "c.png": b"no"}))
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
    with pytest.raises(DataError, match=r"leads out of the archive|has backslashes"):
        data_root(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(DataError, match="is a link or a device"):
        data_root(tmp_path / "bad.tar")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        data_root(tmp_path / "bad.zip")


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
        data_root(path)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_a_damaged_archive_is_one_message(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bad{ending}"
    path.write_bytes(b"this is no archive at all" * 40)
    with pytest.raises(DataError, match="cannot be read") as caught:
        data_root(path)
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
    assert walk(data_root(path)) == files
