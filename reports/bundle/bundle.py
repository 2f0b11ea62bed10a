"""The review bundle, a zip: how it is written, and how one that comes back is taken in.

Nothing is ever unpacked to the disk: files are read where they are, and only to compute
what the manifest says of them. ``docs/evidence.md`` defines the format.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from detector.paths import ROOT
from reports.bundle.archive import BundleError, add_entry, chunks, is_zip, open_zip
from reports.bundle.manifest import (
    ANALYSIS,
    CASE,
    CUSTODY,
    NAME,
    OWN,
    Entry,
    Manifest,
    ManifestError,
    Signer,
    manifest_files,
    read_manifest,
)
from reports.review.annotation_file import read_file

__all__ = ["BundleError", "is_zip", "annotations_in", "write"]

SUMS = "sha256sums.txt"
VERIFIER = "verify.py"
_VERIFIER = ROOT / "docs" / "verify_bundle.py"
ANNOTATIONS = "annotations.json"
_LARGEST_TEXT = 32_000_000  # of the files that are read into memory
_NAMED = 12


def write(
    to: Path, files: Mapping[str, bytes | Path], manifest: Manifest, signer: Signer | None = None
) -> None:
    """Write a bundle of ``files``, contents or paths by name; ``manifest`` says what they are about.

    What others check it by is added: a program in sixty lines, the sums as ``sha256sum`` reads
    them, and the manifest with its own. The same files make the same bytes, but for a signature's moment.
    """
    listed: list[Entry] = []
    with zipfile.ZipFile(to, "w") as archive:

        def add(name: str, content: bytes | Path) -> None:
            listed.append(_put(archive, name, content))

        everything = {**files, VERIFIER: _VERIFIER}
        for name in sorted(everything):
            add(name, everything[name])
        add(SUMS, "".join(f"{entry.sha256}  {entry.path}\n" for entry in listed).encode())
        case, custody = (_bytes(files[name]) if name in files else None for name in (CASE, CUSTODY))
        whole = manifest.model_copy(update={"files": tuple(listed)})
        for name, data in manifest_files(whole, case=case, custody=custody, signer=signer).items():
            _put(archive, name, data)


def _bytes(content: bytes | Path) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


def _put(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> Entry:
    digest, size = hashlib.sha256(), 0

    def counted(pieces: Iterable[bytes]) -> Iterable[bytes]:
        nonlocal size
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            yield piece

    if isinstance(content, bytes):
        add_entry(archive, name, len(content), counted([content]))
    else:
        with content.open("rb") as stream:
            add_entry(archive, name, content.stat().st_size, counted(chunks(stream)))
    return Entry.model_construct(path=name, bytes=size, sha256=digest.hexdigest())


def annotations_in(path: Path) -> bytes:
    """The annotation file in a bundle, once every file of it was found as its manifest says.

    A bundle that was unpacked and packed again will do. Raises :class:`BundleError` that names
    each file that is missing, not listed or changed.
    """
    with open_zip(path) as archive:
        listed = _check(archive)
        if ANNOTATIONS not in listed or ANALYSIS not in listed:
            raise BundleError(f"The bundle holds no {ANNOTATIONS} or no {ANALYSIS}.")
        text = _text(archive, ANNOTATIONS)
    if read_file(text).analysis_sha256 != listed[ANALYSIS].sha256:
        raise BundleError(
            f"The bundle's annotations are not about its own {ANALYSIS}: it was put together by hand."
        )
    return text


def _check(archive: zipfile.ZipFile) -> dict[str, Entry]:
    """What the manifest lists, once all files are as it says."""
    try:
        listed = {entry.path: entry for entry in read_manifest(_text(archive, NAME)).files}
    except KeyError:
        raise BundleError(f"The zip holds no {NAME} of a Reelproof bundle.") from None
    except ManifestError as problem:
        raise BundleError(str(problem)) from None
    there = {entry.filename for entry in archive.infolist() if not entry.is_dir()} - set(OWN)
    problems = [f"{name} is missing" for name in listed if name not in there]
    problems += [f"{name} is not in the manifest" for name in sorted(there - set(listed))]
    problems += [
        f"{name} was changed" for name in sorted(there & set(listed)) if not _same(archive, listed[name])
    ]
    if problems:
        more = f", and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise BundleError(f"The bundle is not as it was made: {', '.join(problems[:_NAMED])}{more}.")
    return listed


def _same(archive: zipfile.ZipFile, entry: Entry) -> bool:
    if archive.getinfo(entry.path).file_size != entry.bytes:
        return False
    digest = hashlib.sha256()
    try:
        with archive.open(entry.path) as stream:
            for chunk in chunks(stream):
                digest.update(chunk)
    except zipfile.BadZipFile:  # its own checksum already says so
        return False
    return digest.hexdigest() == entry.sha256


def _text(archive: zipfile.ZipFile, name: str) -> bytes:
    """A small file of the zip; raises KeyError where there is none."""
    if archive.getinfo(name).file_size > _LARGEST_TEXT:
        raise BundleError(f"{name} is too large for what it is.")
    with archive.open(name) as stream:
        return stream.read(_LARGEST_TEXT)
