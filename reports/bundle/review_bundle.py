"""Write review bundles and read those that reviewers return; ``docs/evidence-format.md`` has the format."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from detector.files import FILES
from language.translation import N_
from reports.bundle.archive import BundleError, NoBundleError, add_entry, chunks, hashed_entry, open_zip
from reports.bundle.manifest import (
    LARGEST_MANIFEST,
    OWN,
    Manifest,
    ManifestEntry,
    ManifestError,
    Signer,
    manifest_files,
    read_manifest,
)
from reports.file_names import ANALYSIS, ANNOTATIONS, CASE, CHECKSUMS, CUSTODY, MANIFEST, VERIFIER
from reports.review.annotation_file import LARGEST_ANNOTATION_FILE, SavedAnnotations, read_file

_VERIFIER = FILES / "docs" / "verify_bundle.py"


def write_bundle(
    to: Path, files: Mapping[str, bytes | Path], manifest: Manifest, signer: Signer | None = None
) -> None:
    """Write a bundle of ``files``, contents or paths by name; ``manifest`` describes them.

    A verification program, the sums for ``sha256sum`` and the manifest with its own sum are added. The same
    files give the same bytes, apart from the time of a signature.
    """
    entries: list[ManifestEntry] = []
    with zipfile.ZipFile(to, "w") as archive:

        def add(name: str, content: bytes | Path) -> None:
            entries.append(_put(archive, name, content))

        everything = {**files, VERIFIER: _VERIFIER}
        for name in sorted(everything):
            add(name, everything[name])
        add(CHECKSUMS, sums_of(entries))
        case, custody = (_bytes(files[name]) if name in files else None for name in (CASE, CUSTODY))
        whole = manifest.model_copy(update={"files": tuple(entries)})
        for name, data in manifest_files(whole, case=case, custody=custody, signer=signer).items():
            _put(archive, name, data)


def sums_of(entries: Iterable[ManifestEntry]) -> bytes:
    """Return the text of ``sha256sums.txt`` over files."""
    return "".join(f"{entry.sha256}  {entry.path}\n" for entry in entries).encode()


def _bytes(content: bytes | Path) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


def _put(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> ManifestEntry:
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
    return ManifestEntry.model_construct(path=name, bytes=size, sha256=digest.hexdigest())


_NAMED = 12  # files in an error message, at most


def annotations_in(path: Path) -> tuple[bytes, SavedAnnotations]:
    """Return the annotation file in a bundle, as text and parsed, once every file fits the manifest.

    A bundle that was unpacked and packed again is accepted. Raise :class:`BundleError` that names each
    missing, unlisted or changed file.
    """
    with open_zip(path) as archive:
        entries = _check(archive)
        if ANNOTATIONS not in entries or ANALYSIS not in entries:
            raise BundleError(f"The bundle holds no {ANNOTATIONS} or no {ANALYSIS}.")
        text = _text(archive, ANNOTATIONS, LARGEST_ANNOTATION_FILE)
    saved = read_file(text)
    if saved.analysis_sha256 != entries[ANALYSIS].sha256:
        raise BundleError(
            f"The bundle's annotations are not about its own {ANALYSIS}: it was put together by hand."
        )
    return text, saved


def _check(archive: zipfile.ZipFile) -> dict[str, ManifestEntry]:
    """Check all files against the manifest and return its entries."""
    try:
        entries = {
            entry.path: entry for entry in read_manifest(_text(archive, MANIFEST, LARGEST_MANIFEST)).files
        }
    except KeyError:
        words = N_("The zip does not contain the %(name)s of a Reelproof bundle.") % {"name": MANIFEST}
        raise NoBundleError(words) from None
    except ManifestError as problem:
        raise BundleError(str(problem)) from None
    names = {entry.filename for entry in archive.infolist() if not entry.is_dir()} - set(OWN)
    problems = [f"{name} is missing" for name in entries if name not in names]
    problems += [f"{name} is not in the manifest" for name in sorted(names - set(entries))]
    problems += [
        f"{name} was changed" for name in sorted(names & set(entries)) if not _same(archive, entries[name])
    ]
    if problems:
        more = f", and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise BundleError(f"The bundle is not as it was made: {', '.join(problems[:_NAMED])}{more}.")
    return entries


def _same(archive: zipfile.ZipFile, entry: ManifestEntry) -> bool:
    if archive.getinfo(entry.path).file_size != entry.bytes:
        return False
    try:
        return hashed_entry(archive, entry.path)[1] == entry.sha256
    except zipfile.BadZipFile:  # its own checksum already says so
        return False


def _text(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Read a file of the zip with a size limit; raise KeyError without it."""
    if archive.getinfo(name).file_size > most:
        raise BundleError(f"{name} is too large for what it is.")
    with archive.open(name) as stream:
        return stream.read(most)
