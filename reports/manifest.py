"""The list of a result's files with their fingerprints."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from detector.analysis import Analysis
from reports.files import TEMPORARY

MANIFEST_VERSION = "1.0"
NAME = "manifest.json"


def build_manifest(analysis: Analysis, folder: Path) -> dict[str, Any]:
    """SHA-256 and size of each file below ``folder`` except the manifest, and what they are about.

    Symbolic links are left out: the manifest vouches for bytes in the folder only.
    """
    files = [
        {"path": path.relative_to(folder).as_posix(), **_fingerprint(path)}
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path != folder / NAME and not _is_temporary(path)
    ]
    return {
        "manifest_version": MANIFEST_VERSION,
        "schema_version": analysis.schema_version,
        "software_version": analysis.software.reelproof,
        "created": analysis.software.created,
        "exhibit": {
            "file": analysis.media.file,
            "bytes": analysis.media.bytes,
            "sha256": analysis.media.sha256,
        },
        "model": {"name": analysis.model.name, "sha256": analysis.model.sha256},
        "files": sorted(files, key=lambda entry: entry["path"]),
    }


def manifest_json(analysis: Analysis, folder: Path) -> bytes:
    """Text of ``manifest.json``: UTF-8, two-space indent."""
    return (json.dumps(build_manifest(analysis, folder), indent=2, ensure_ascii=False) + "\n").encode()


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(TEMPORARY)


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
