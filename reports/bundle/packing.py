"""The review bundle, a zip, and how it is written. ``docs/evidence-format.md`` defines the format."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from detector.paths import FILES
from reports.bundle.archive import add_entry, chunks
from reports.bundle.manifest import (
    Manifest,
    ManifestEntry,
    Signer,
    manifest_files,
)
from reports.file_names import CASE, CHECKSUMS, CUSTODY, VERIFIER

_VERIFIER = FILES / "docs" / "verify_bundle.py"


def write(
    to: Path, files: Mapping[str, bytes | Path], manifest: Manifest, signer: Signer | None = None
) -> None:
    """Write a bundle of ``files``, contents or paths by name; ``manifest`` says what they are about.

    What others check it by is added: a program of ninety lines, the sums as ``sha256sum`` reads
    them, and the manifest with its own. The same files make the same bytes, but for a signature's moment.
    """
    listed: list[ManifestEntry] = []
    with zipfile.ZipFile(to, "w") as archive:

        def add(name: str, content: bytes | Path) -> None:
            listed.append(_put(archive, name, content))

        everything = {**files, VERIFIER: _VERIFIER}
        for name in sorted(everything):
            add(name, everything[name])
        add(CHECKSUMS, sums_of(listed))
        case, custody = (_bytes(files[name]) if name in files else None for name in (CASE, CUSTODY))
        whole = manifest.model_copy(update={"files": tuple(listed)})
        for name, data in manifest_files(whole, case=case, custody=custody, signer=signer).items():
            _put(archive, name, data)


def sums_of(entries: Iterable[ManifestEntry]) -> bytes:
    """The text of ``sha256sums.txt`` over files."""
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
