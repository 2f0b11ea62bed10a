"""The review bundle, a zip: how it is written, and how one that comes back is checked.

Nothing is ever unpacked to the disk: files are read where they are, and only to compute
what the manifest says of them. ``docs/bundle.md`` defines the format.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from reports.errors import ReportError
from reports.judgements import read_file

VERSION = "1.0"
MANIFEST = "manifest.json"
SUMS = "sha256sums.txt"
JUDGEMENTS = "annotations.json"
ANALYSIS = "analysis.json"
_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name
_MODE = 0o100644 << 16
# These are compressed already.
_STORED = {".png", ".jpg", ".webp", ".mp4", ".webm", ".pdf"}
_MOST_FILES = 20_000
_LARGEST_TEXT = 32_000_000  # of the files that are read into memory
_RATIO = 250  # analysis.json, the most repetitive, stays below 30
_NAMED = 12


class BundleError(ReportError):
    """A bundle cannot be used: it is damaged, was changed, or is no bundle."""


def write(to: Path, files: Mapping[str, bytes | Path], about: Mapping[str, Any]) -> None:
    """Write a bundle of ``files``, contents or paths by name.

    What other programs check it by is added: a manifest, which also holds ``about``, and the same
    sums as ``sha256sum`` reads them. The same files make the same bytes.
    """
    listed = []
    with zipfile.ZipFile(to, "w") as archive:

        def put(name: str, content: bytes | Path) -> None:
            size, sha256 = _put(archive, name, content)
            listed.append({"path": name, "bytes": size, "sha256": sha256})

        for name in sorted(files):
            put(name, files[name])
        put(SUMS, "".join(f"{entry['sha256']}  {entry['path']}\n" for entry in listed).encode())
        manifest = {"bundle_version": VERSION, **about, "files": listed}
        _put(archive, MANIFEST, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())


def _put(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> tuple[int, str]:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system, entry.external_attr = 3, _MODE
    stored = PurePosixPath(name).suffix in _STORED
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    digest, size = hashlib.sha256(), 0
    entry.file_size = len(content) if isinstance(content, bytes) else content.stat().st_size
    with archive.open(entry, "w") as target:
        for chunk in (content,) if isinstance(content, bytes) else _chunks(content):
            target.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def is_zip(path: Path) -> bool:
    """Whether a file starts as a zip does."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def judgements_of(path: Path) -> bytes:
    """The file of judgements in a bundle, once every file of it was found as its manifest says.

    Raises :class:`BundleError` that names each file that is missing, not listed or changed.
    """
    with _opened(path) as archive:
        listed = {entry["path"]: entry["sha256"] for entry in _check(archive)["files"]}
        if JUDGEMENTS not in listed or ANALYSIS not in listed:
            raise BundleError(f"The bundle holds no {JUDGEMENTS} or no {ANALYSIS}.")
        text = _text(archive, JUDGEMENTS)
    if read_file(text).analysis_sha256 != listed[ANALYSIS]:
        raise BundleError(
            f"The bundle's judgements are not about its own {ANALYSIS}: it was put together by hand."
        )
    return text


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_hostile(archive, path.stat().st_size)
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, OSError) as problem:
        raise BundleError("The zip is damaged or was copied only in part. Copy it again.") from problem


def _refuse_hostile(archive: zipfile.ZipFile, size: int) -> None:
    """Raise :class:`BundleError` for what no bundle is like, before anything of it is read."""
    entries = archive.infolist()
    if len(entries) > _MOST_FILES:
        raise BundleError(f"The zip holds more than {_MOST_FILES:,} files; it is no bundle.")
    for name, count in Counter(entry.filename for entry in entries).items():
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or any(char in name for char in "\\:\0"):
            raise BundleError(f"The zip names a file outside itself, {name[:80]!r}; it is no bundle.")
        if count > 1:
            raise BundleError(f"The zip holds {name[:80]} twice; it is no bundle.")
    if any(entry.flag_bits & 1 for entry in entries):
        raise BundleError("The zip has a password. Pack it without one.")
    if sum(entry.file_size for entry in entries) > _RATIO * size:
        raise BundleError("The zip claims to hold far more than fits into it; it is no bundle.")


def _check(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The manifest, once all files are as it says."""
    manifest = _manifest(archive)
    listed = {entry["path"]: entry for entry in manifest["files"]}
    there = {entry.filename for entry in archive.infolist() if not entry.is_dir()} - {MANIFEST}
    problems = [f"{name} is missing" for name in listed if name not in there]
    problems += [f"{name} is not in the manifest" for name in sorted(there - set(listed))]
    problems += [
        f"{name} was changed" for name in sorted(there & set(listed)) if not _same(archive, listed[name])
    ]
    if problems:
        more = f", and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise BundleError(f"The bundle is not as it was made: {', '.join(problems[:_NAMED])}{more}.")
    return manifest


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        manifest = json.loads(_text(archive, MANIFEST))
        version = str(manifest["bundle_version"])
        entries = [(str(e["path"]), int(e["bytes"]), str(e["sha256"])) for e in manifest["files"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise BundleError(f"The zip holds no {MANIFEST} of a Reelproof bundle.") from None
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise BundleError("A newer Reelproof made this bundle. Update this one, then import it again.")
    return {"files": [{"path": path, "bytes": size, "sha256": sha256} for path, size, sha256 in entries]}


def _same(archive: zipfile.ZipFile, entry: Mapping[str, Any]) -> bool:
    if archive.getinfo(entry["path"]).file_size != entry["bytes"]:
        return False
    digest = hashlib.sha256()
    try:
        with archive.open(entry["path"]) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except zipfile.BadZipFile:  # its own checksum already says so
        return False
    return digest.hexdigest() == entry["sha256"]


def _text(archive: zipfile.ZipFile, name: str) -> bytes:
    """A small file of the zip; raises KeyError where there is none."""
    if archive.getinfo(name).file_size > _LARGEST_TEXT:
        raise BundleError(f"{name} is too large for what it is.")
    stream: BinaryIO
    with archive.open(name) as stream:  # type: ignore[assignment]
        return stream.read(_LARGEST_TEXT)
