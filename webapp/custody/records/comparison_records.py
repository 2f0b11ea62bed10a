"""Whether the kept result of a comparison is still what the custody log says of it.

Beside ``comparison.json`` and its pictures lies ``sha256sums.txt`` over all of them, whose own SHA-256 the
log's entry holds, as it holds that of ``comparison.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from detector.files import hashed
from reports.custody.format import Entry
from reports.text.translation.language import gettext
from webapp.custody import log_queries
from webapp.custody.altered import AlteredRecord, refuse_forged
from webapp.custody.records import job_records
from webapp.storage.tables import ComparisonRow

RESULT = "comparison.json"
SUMS = "sha256sums.txt"


@dataclass(frozen=True)
class FinishedComparison:
    """What the log says of a finished comparison."""

    sums: str  # SHA-256 of sha256sums.txt
    reference: str
    related: str
    segments: int
    outcome: str | None  # none: it ended before outcomes were kept

    @classmethod
    def of(cls, entry: Entry) -> FinishedComparison:
        """What an entry that a comparison finished says."""
        said = entry.details
        return cls(
            str(said.get("sha256sums sha256")),
            str(said.get("reference")),
            str(said.get("related")),
            int(said.get("segments", 0)),
            None if said.get("outcome") is None else str(said["outcome"]),
        )

    def row_problem(self, row: ComparisonRow) -> str | None:
        """How the database contradicts it."""
        kept = (row.reference.sha256, "yes" if row.related else "no", row.segments, row.outcome)
        if kept != (self.reference, self.related, self.segments, self.outcome):
            return gettext("What the database says of this comparison is not what the custody log holds.")
        return None


def sums_text(folder: Path) -> bytes:
    """The text of ``sha256sums.txt``, as the program sha256sum writes it, of a finished result."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return "".join(f"{hashed(path)[1]}  {path.relative_to(folder).as_posix()}\n" for path in files).encode()


def refuse_altered_row(session: Session, row: ComparisonRow) -> FinishedComparison:
    """Raise :class:`AlteredRecord` where a finished row is not the log's; returns what the log says of it."""
    job_records.refuse_unknown(session, row)
    entry = log_queries.latest(session, row.id, "comparison finished")
    if entry is None:
        raise AlteredRecord(gettext("The custody log does not say that this comparison was finished."))
    refuse_forged(session, entry)
    told = FinishedComparison.of(entry)
    if problem := told.row_problem(row):
        raise AlteredRecord(problem)
    return told


def sums(folder: Path, told: FinishedComparison) -> dict[str, str]:
    """SHA-256 of each file of a result by path; :class:`AlteredRecord` where they are not the log's."""
    try:
        text = (folder / SUMS).read_bytes()
    except FileNotFoundError:
        raise AlteredRecord(gettext("The checksums of this comparison are missing.")) from None
    if hashlib.sha256(text).hexdigest() != told.sums:
        raise AlteredRecord(gettext("The checksums of this comparison are not those the custody log holds."))
    lines = (line.split("  ", 1) for line in text.decode().splitlines())
    return {path: sha256 for sha256, path in lines}


def content(folder: Path, known: dict[str, str], name: str) -> bytes | None:
    """A file of a result, None for a name it has not; raises :class:`AlteredRecord` for a changed one."""
    if name not in known:
        return None
    try:
        found = (folder / name).read_bytes()
    except OSError:
        found = b""
    if hashlib.sha256(found).hexdigest() != known[name]:
        raise AlteredRecord(
            gettext("%(name)s of this comparison is missing or was changed since it was made.", name=name)
        )
    return found


def problems(folder: Path, told: FinishedComparison) -> Iterator[str]:
    """What of a result is not what the log says, in words; reads all of it."""
    try:
        known = sums(folder, told)
        for name in known:
            content(folder, known, name)
    except AlteredRecord as altered:
        yield altered.error
