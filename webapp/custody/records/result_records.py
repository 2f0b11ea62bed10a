"""Whether the kept result of an analysis is still what the custody log says of it.

The log's entry holds the SHA-256 of ``manifest.json``, which holds those of all other files, and what the row
holds of its summary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from detector.files import hashed
from reports.bundle import manifest
from reports.custody.format import Entry
from reports.file_names import MANIFEST
from reports.text.translation.language import gettext
from webapp.custody import log_queries
from webapp.custody.altered import AlteredRecord, refuse_forged
from webapp.custody.records import job_records
from webapp.storage.tables import AnalysisRow

_MANIFEST = "manifest sha256"
SUMMARY = "finding sha256"  # called so since the first log
"""In an entry of a finished analysis: of the summary that its row holds beside the verdict."""


@dataclass(frozen=True)
class FinishedAnalysis:
    """What the log says of a finished analysis; nothing of one that was finished before the log began."""

    manifest: str | None = None  # SHA-256
    verdict: str | None = None
    probability: str | None = None
    summary: str | None = None  # SHA-256

    @classmethod
    def of(cls, entry: Entry) -> FinishedAnalysis:
        """What an entry that an analysis finished says."""
        said = {name: entry.details.get(name) for name in (_MANIFEST, "verdict", "probability", SUMMARY)}
        return cls(*(None if value is None else str(value) for value in said.values()))

    def row_problem(self, row: AnalysisRow) -> str | None:
        """How the database contradicts it."""
        if self.verdict is not None and self.verdict != row.verdict:
            return gettext("The verdict in the database is not the one that the custody log holds.")
        if self.probability is not None and self.probability != probability(row.probability):
            return gettext("The probability in the database is not the one that the custody log holds.")
        if self.summary != (None if row.summary is None else sha256_of(row.summary)):
            return gettext("The answers in the database are not those that the custody log holds.")
        return None


def sha256_of(text: str) -> str:
    """The SHA-256 of a text that a row holds."""
    return hashlib.sha256(text.encode()).hexdigest()


def probability(value: float | None) -> str:
    """A probability as an entry holds it, exactly."""
    return "none" if value is None else repr(float(value))


def refuse_altered_row(session: Session, row: AnalysisRow) -> FinishedAnalysis:
    """Raise :class:`AlteredRecord` where a finished row is not the log's; returns what the log says of it."""
    standing = job_records.refuse_unknown(session, row)
    entry = log_queries.latest(session, row.id, "analysis finished")
    if entry is None:
        if standing.known:
            raise AlteredRecord(gettext("The custody log does not say that this analysis was finished."))
        return FinishedAnalysis()
    refuse_forged(session, entry)
    told = FinishedAnalysis.of(entry)
    if problem := told.row_problem(row):
        raise AlteredRecord(problem)
    return told


def manifest_problem(folder: Path, told: FinishedAnalysis) -> str | None:
    """How the manifest of a result differs from what the log says; its files are not looked at."""
    if told.manifest is None:
        return None
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return gettext("The manifest of this analysis is missing.")
    if hashlib.sha256(text).hexdigest() != told.manifest:
        return gettext("The manifest of this analysis is not the one whose SHA-256 the custody log holds.")
    return None


def file_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a result as its manifest has it, by path; none where there is no manifest.

    Raises :class:`~reports.bundle.manifest.ManifestError` for one that cannot be read.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return {}
    return {entry.path: entry.sha256 for entry in manifest.read_manifest(text).files}


def file_problems(folder: Path) -> Iterator[str]:
    """Which files of a result are not what its manifest says, in words; reads all of them."""
    try:
        sums = file_sums(folder)
    except manifest.ManifestError as problem:
        yield str(problem)
        return
    for path, sha256 in sums.items():
        try:
            fits = hashed(folder / path)[1] == sha256
        except OSError:
            fits = False
        if not fits:
            yield gettext("%(name)s of this analysis is missing or was changed since it was made.", name=path)
