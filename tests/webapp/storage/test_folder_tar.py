"""Folders as tars: only plain files inside the folder are unpacked, none larger than the tar."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from webapp.storage.object_store import DamagedTar, pack_folder, unpack_folder

FILES = {"analysis.json": b"{}", "overlays/A1.png": bytes(5000), "empty": b"", "whole block": bytes(512)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "result"
    for name, content in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def unpacked(tar: Path) -> dict[str, bytes]:
    to = tar.with_name("unpacked")
    to.mkdir()
    unpack_folder(tar, to)
    return contents(to)


def test_pack_and_unpack_round_trip(folder, tmp_path):
    pack_folder(folder, tmp_path / "tar")
    assert unpacked(tmp_path / "tar") == FILES
    with tarfile.open(tmp_path / "tar") as as_any:
        assert {entry.name: as_any.extractfile(entry).read() for entry in as_any} == FILES


def test_unpack_tars_of_earlier_versions(folder, tmp_path):
    """They said when each file was written, to the nanosecond, which takes a header more."""
    with tarfile.open(tmp_path / "tar", "w") as tar:
        for path in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
            tar.add(path, path.relative_to(folder).as_posix())
    assert b"mtime=" in (tmp_path / "tar").read_bytes()
    assert unpacked(tmp_path / "tar") == FILES


def member(name: str, kind: bytes = tarfile.REGTYPE, *, to: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, to, size
    return made


def written(tar: Path, *members: tarfile.TarInfo, how: str = "w") -> Path:
    with tarfile.open(tar, how) as made:  # type: ignore[call-overload]
        for entry in members:
            made.addfile(entry, io.BytesIO(b"x" * entry.size) if entry.isreg() else None)
    return tar


def stated_size(size: int) -> Callable[[Path], None]:
    """Makes a tar whose one file says it has ``size`` bytes."""

    def make(tar: Path) -> None:
        head = member("a", size=size).tobuf(tarfile.GNU_FORMAT)
        tar.write_bytes(head + bytes(2048))

    return make


@pytest.mark.parametrize(
    "make",
    [
        lambda tar: written(tar, member("../outside", size=1)),
        lambda tar: written(tar, member("a/../../outside", size=1)),
        lambda tar: written(tar, member(str(tar.parent / "outside"), size=1)),
        lambda tar: written(tar, member("a", tarfile.SYMTYPE, to="..")),
        lambda tar: written(tar, member("a", tarfile.LNKTYPE, to="outside")),
        lambda tar: written(tar, member("a", tarfile.FIFOTYPE)),
        lambda tar: written(tar, member("a", tarfile.DIRTYPE)),
        lambda tar: written(tar, member("a", tarfile.GNUTYPE_SPARSE)),
        lambda tar: written(tar, member("a", size=1), member("a", size=1)),
        lambda tar: written(tar, member("a", size=1), member("a/b", size=1)),
        lambda tar: written(tar, member("a", size=1), how="w:xz"),
        lambda tar: written(tar, member("a", size=1), how="w:gz"),
        lambda tar: tar.write_bytes(written(tar, member("a", size=5000)).read_bytes()[:3000]),
        lambda tar: tar.write_bytes(b"no tar"),
        lambda tar: tar.write_bytes(b""),
        stated_size(-1024),
        stated_size(2**70),
    ],
)
def test_other_tars_are_rejected(make, tmp_path):
    make(tmp_path / "tar")
    (tmp_path / "outside").write_bytes(b"kept")
    with pytest.raises(DamagedTar):
        unpacked(tmp_path / "tar")
    assert (tmp_path / "outside").read_bytes() == b"kept"


def test_long_links_are_rejected(tmp_path):
    """CVE-2025-4517: beyond the longest path Python's own filter no longer sees where links lead."""
    long, steps, path = "d" * 247, "abcdefghijklmnop", ""
    members = []
    for step in steps:
        members.append(member(os.path.join(path, long), tarfile.DIRTYPE))
        members.append(member(os.path.join(path, step), tarfile.SYMTYPE, to=long))
        path = os.path.join(path, long)
    deep = os.path.join("/".join(steps), "l" * 254)
    members.append(member(deep, tarfile.SYMTYPE, to="../" * len(steps)))
    members.append(member("out", tarfile.SYMTYPE, to=f"{deep}/../outside"))
    members.append(member("out/written", size=1))
    written(tmp_path / "tar", *members)
    (tmp_path / "outside").mkdir()
    with pytest.raises(DamagedTar):
        unpacked(tmp_path / "tar")
    assert not list((tmp_path / "outside").iterdir())
    assert not list((tmp_path / "unpacked").iterdir())
