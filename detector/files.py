"""Size and SHA-256 of a file: how exhibits, weights and results are known."""

from __future__ import annotations

import hashlib
from pathlib import Path


def hashed(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file, read a piece at a time; raises ``OSError`` where it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest
