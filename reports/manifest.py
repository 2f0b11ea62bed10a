"""The list of a result's files with their fingerprints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from detector.analysis import Analysis

MANIFEST_VERSION = "1.0"
NAME = "manifest.json"
FILES = ("analysis.json", "report.html", "report.pdf")


def build_manifest(analysis: Analysis, folder: Path, pictures: Iterable[str]) -> dict[str, Any]:
    """SHA-256 and size of each file of a result, and what they are about.

    ``pictures`` are the analysis's own, relative to ``folder``. Whatever else lies there is not
    part of the result.
    """
    names = sorted({*FILES, *pictures})
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
        "files": [{"path": name, **_fingerprint(folder / name)} for name in names],
    }


def manifest_json(analysis: Analysis, folder: Path, pictures: Iterable[str]) -> bytes:
    """Text of ``manifest.json``: UTF-8, two-space indent."""
    manifest = build_manifest(analysis, folder, pictures)
    return (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
