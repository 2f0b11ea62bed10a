"""A review bundle that comes back: checked against its manifest, and read.

Nothing is unpacked to the disk: files are read where they are, and only to compute
what the manifest says of them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from reports.bundle.archive import BundleError, NoBundleError, hashed_entry, open_zip
from reports.bundle.manifest import (
    LARGEST_MANIFEST,
    OWN,
    ManifestEntry,
    ManifestError,
    read_manifest,
)
from reports.file_names import ANALYSIS, ANNOTATIONS, MANIFEST
from reports.review.annotation_file import LARGEST_ANNOTATION_FILE, SavedAnnotations, read_file
from reports.text.translation.language import N_

_NAMED = 12  # files in an error message, at most


def annotations_in(path: Path) -> tuple[bytes, SavedAnnotations]:
    """The annotation file in a bundle, as text and read, once every file was found as the manifest says.

    A bundle that was unpacked and packed again will do. Raises :class:`BundleError` that names
    each file that is missing, not listed or changed.
    """
    with open_zip(path) as archive:
        listed = _check(archive)
        if ANNOTATIONS not in listed or ANALYSIS not in listed:
            raise BundleError(f"The bundle holds no {ANNOTATIONS} or no {ANALYSIS}.")
        text = _text(archive, ANNOTATIONS, LARGEST_ANNOTATION_FILE)
    saved = read_file(text)
    if saved.analysis_sha256 != listed[ANALYSIS].sha256:
        raise BundleError(
            f"The bundle's annotations are not about its own {ANALYSIS}: it was put together by hand."
        )
    return text, saved


def _check(archive: zipfile.ZipFile) -> dict[str, ManifestEntry]:
    """What the manifest lists, once all files are as it says."""
    try:
        listed = {
            entry.path: entry for entry in read_manifest(_text(archive, MANIFEST, LARGEST_MANIFEST)).files
        }
    except KeyError:
        words = N_("The zip holds no %(name)s of a Reelproof bundle.") % {"name": MANIFEST}
        raise NoBundleError(words) from None
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


def _same(archive: zipfile.ZipFile, entry: ManifestEntry) -> bool:
    if archive.getinfo(entry.path).file_size != entry.bytes:
        return False
    try:
        return hashed_entry(archive, entry.path)[1] == entry.sha256
    except zipfile.BadZipFile:  # its own checksum already says so
        return False


def _text(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A file of the zip of at most so many bytes; raises KeyError where there is none."""
    if archive.getinfo(name).file_size > most:
        raise BundleError(f"{name} is too large for what it is.")
    with archive.open(name) as stream:
        return stream.read(most)
