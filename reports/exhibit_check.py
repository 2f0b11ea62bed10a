"""Is the exhibit still the file that was taken in? Measured by whoever makes a report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from detector.analysis import Media
from reports.facts import Fact
from reports.moments import in_utc
from reports.words import plural


@dataclass(frozen=True)
class ExhibitCheck:
    """The exhibit at a ``moment`` (UTC, ISO 8601) of a report; ``sha256`` None: it was not there."""

    sha256: str | None
    bytes: int | None
    moment: str


def check_exhibit(path: Path) -> ExhibitCheck:
    """Measure the file at ``path`` now; one that is missing or cannot be read is said to be so."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return ExhibitCheck(digest, file.tell(), moment)
    except OSError:
        return ExhibitCheck(None, None, moment)


def compared(media: Media, now: ExhibitCheck | None) -> tuple[Fact, ...]:
    """The fingerprint at intake and at the time of the report, and whether they agree."""
    found = [Fact("SHA-256 at intake", media.sha256, exact=True)]
    if now is None:
        said = (
            "not measured again for this report; compare the file with the value above before relying on it"
        )
        return (*found, Fact("SHA-256 at the report", said))
    when = in_utc(now.moment)[0]
    if now.sha256 is None:
        return (*found, Fact("SHA-256 at the report", f"the exhibit was not there at {when}"))
    found.append(Fact("SHA-256 at the report", now.sha256, f"measured {when}", exact=True))
    if agrees(media, now):
        return (*found, Fact("Comparison", "the same: the exhibit is unchanged since it was taken in"))
    size = f" It has {plural(now.bytes or 0, 'byte')} now and had {media.bytes:,}."
    return (
        *found,
        Fact(
            "Comparison",
            "NOT THE SAME. The file is not the one that was analysed; this report does not apply to it."
            + (size if now.bytes != media.bytes else ""),
        ),
    )


def agrees(media: Media, now: ExhibitCheck) -> bool:
    """Whether fingerprint and size are those of intake."""
    return (now.sha256, now.bytes) == (media.sha256, media.bytes)
