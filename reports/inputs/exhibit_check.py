"""The exhibit looked at again: its hash computed anew, long after it was handed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from detector.files import hashed


@dataclass(frozen=True)
class ExhibitCheck:
    """What the kept file was found to hold, for comparison with what was handed in.

    ``sha256`` is blank and ``bytes`` 0 where the file is missing or cannot be read.
    """

    sha256: str
    bytes: int
    checked: datetime  # UTC

    def fits(self, sha256: str, size: int) -> bool:
        """Whether these are still the bytes that were handed in."""
        return (self.sha256, self.bytes) == (sha256, size)


def check_exhibit(path: Path) -> ExhibitCheck:
    """Hash the file at ``path`` now; one that is missing or cannot be read is found to be so."""
    moment = datetime.now(UTC)
    try:
        size, digest = hashed(path)
    except OSError:
        return ExhibitCheck("", 0, moment)
    return ExhibitCheck(digest, size, moment)
