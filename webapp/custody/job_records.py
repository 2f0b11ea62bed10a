"""Compare stored jobs, results and comparisons with what the custody log recorded about them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from detector.files import hash_file
from reports.bundle import manifest
from reports.custody.format import Action, Entry
from reports.file_names import MANIFEST
from reports.language.translation import N_, gettext, translated
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.storage.tables import AnalysisRow, ComparisonRow, CustodyRow

_Read = TypeVar("_Read")
_SAID: tuple[Action, ...] = ("annotation", "second review", "case details", "deletion")


class AlteredRecord(UserError):
    """Something kept is not what the custody log says of it; it is neither shown nor handed out."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            500,
            gettext("%(problem)s Nothing of it is shown or handed out.", problem=translated(str(problem))),
            gettext(
                "Put it back from a backup of the data folder and the database. `python -m webapp "
                "verify-log` names everything that differs."
            ),
        )


def read_consistently(session: Session, analysis_id: str, read: Callable[[], _Read]) -> _Read:
    """What ``read`` returns, which reads rows, compares them with the log, and raises where they differ.

    Somebody may record something of the analysis, or who reviews a case, between its questions. So where they
    have it reads again, and must not use rows that the session still holds. Other entries do not count: the
    log of a busy laboratory never stands still.
    """
    before = -1
    while True:
        try:
            return read()
        except AlteredRecord:
            before, last = _newest_said(session, analysis_id), before
            if before == last:
                raise


def _newest_said(session: Session, analysis_id: str) -> int:
    """Number of the last entry about what people said of an analysis, or about who reviews a case."""
    said = (CustodyRow.analysis == analysis_id) & CustodyRow.action.in_(_SAID)
    naming = CustodyRow.action == "reviewers named"
    return session.scalar(select(func.max(CustodyRow.number)).where(or_(said, naming))) or 0


def refuse_forged(session: Session, entry: Entry) -> None:
    """Raise :class:`AlteredRecord` for an entry that was not written with the log's key."""
    if not custody_log.is_authentic(session, entry):
        raise AlteredRecord(
            gettext("Entry %(number)s of the custody log was not written with its key.", number=entry.number)
        )


_DELETED = {
    "analysis": N_("The custody log says that this analysis was deleted, and the database has it again."),
    "comparison": N_("The custody log says that this comparison was deleted, and the database has it again."),
}
_ADDED = {
    "analysis": N_("The custody log does not know this analysis: it was added to the database."),
    "comparison": N_("The custody log does not know this comparison: it was added to the database."),
}
_QUEUED = ("analysis queued", "comparison queued")
_FINISHED = ("analysis finished", "comparison finished")


@dataclass
class LoggedJob:
    """What the entries about one job say of whether it is there."""

    made: bool = False  # it was queued for the first time since the log began
    known: bool = False  # or again, or was finished since then
    deleted: bool = False
    older: bool = False  # it was there before the log began, as a later entry shows

    def note(self, entry: Entry) -> None:
        """Take in the next entry about it."""
        if entry.action in _QUEUED and "reason" not in entry.details:
            # An id comes again where a request whose answer was cut off is sent again.
            self.made, self.deleted = True, False
        elif entry.action == "deletion":
            self.deleted = True
            self.older |= not self.made and entry.details.get("what") != "comparison"
        elif entry.action in _FINISHED:
            self.older |= not self.made
        self.known |= entry.action in (*_QUEUED, *_FINISHED)

    def problem(self, noun: str, *, may_be_older: bool) -> str | None:
        """Why there should be no row of it, if so."""
        if self.deleted:
            return gettext(_DELETED[noun])
        return None if self.known or may_be_older else gettext(_ADDED[noun])


def refuse_unknown_job(session: Session, row: AnalysisRow | ComparisonRow) -> LoggedJob:
    """What the log says of a job; raises :class:`AlteredRecord` where there should be no row of it."""
    standing = LoggedJob()
    about = CustodyRow.action.in_((*_QUEUED, *_FINISHED, "deletion"))
    for entry in custody_log.iter_entries_where(session, CustodyRow.analysis == row.id, about):
        refuse_forged(session, entry)
        standing.note(entry)
    if standing.deleted and not session.scalar(select(exists().where(type(row).id == row.id))):
        return standing  # with its entry, since the row was read
    may_be_older = isinstance(row, AnalysisRow) and _may_be_older(session, row.exhibit.sha256)
    if problem := standing.problem(row.noun, may_be_older=may_be_older):
        raise AlteredRecord(problem)
    return standing


def may_be_from_before_the_log(session: Session, analysis_id: str) -> bool:
    """Whether an analysis may have been there before the log began, so that the log lacks what was said."""
    if custody_log.latest_entry(session, analysis_id, "analysis queued") is not None:
        return False
    row = session.get(AnalysisRow, analysis_id)
    return row is None or _may_be_older(session, row.exhibit.sha256)


def _may_be_older(session: Session, exhibit: str) -> bool:
    """Whether an analysis of this exhibit may be older than the log: there were some, and it may be too."""
    begun = custody_log.first_entry(session)
    if begun is None or not int(begun.details.get("analyses", 0)):
        return False
    refuse_forged(session, begun)
    taken_in = CustodyRow.exhibit == exhibit, CustodyRow.action == "intake"
    return not session.scalar(select(exists().where(*taken_in)))


_MANIFEST = "manifest sha256"
SUMMARY_SHA256 = "finding sha256"  # called so since the first log
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
        said = {
            name: entry.details.get(name) for name in (_MANIFEST, "verdict", "probability", SUMMARY_SHA256)
        }
        return cls(*(None if value is None else str(value) for value in said.values()))

    def row_problem(self, row: AnalysisRow) -> str | None:
        """How the database contradicts it."""
        if self.verdict is not None and self.verdict != row.verdict:
            return gettext("The verdict in the database is not the one that the custody log holds.")
        if self.probability is not None and self.probability != format_probability(row.probability):
            return gettext("The probability in the database is not the one that the custody log holds.")
        if self.summary != (None if row.summary is None else sha256_of_text(row.summary)):
            return gettext("The answers in the database are not those that the custody log holds.")
        return None


def sha256_of_text(text: str) -> str:
    """The SHA-256 of a text that a row holds."""
    return hashlib.sha256(text.encode()).hexdigest()


def format_probability(value: float | None) -> str:
    """A probability as an entry holds it, exactly."""
    return "none" if value is None else repr(float(value))


def refuse_altered_analysis(session: Session, row: AnalysisRow) -> FinishedAnalysis:
    """Raise :class:`AlteredRecord` where a finished row is not the log's; returns what the log says of it."""
    standing = refuse_unknown_job(session, row)
    entry = custody_log.latest_entry(session, row.id, "analysis finished")
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


def result_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a result as its manifest has it, by path; none where there is no manifest.

    Raises :class:`~reports.bundle.manifest.ManifestError` for one that cannot be read.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return {}
    return {entry.path: entry.sha256 for entry in manifest.read_manifest(text).files}


def result_problems(folder: Path) -> Iterator[str]:
    """Which files of a result are not what its manifest says, in words; reads all of them."""
    try:
        sums = result_sums(folder)
    except manifest.ManifestError as problem:
        yield str(problem)
        return
    for path, sha256 in sums.items():
        try:
            fits = hash_file(folder / path)[1] == sha256
        except OSError:
            fits = False
        if not fits:
            yield gettext("%(name)s of this analysis is missing or was changed since it was made.", name=path)


COMPARISON_FILE = "comparison.json"
COMPARISON_SUMS_FILE = "sha256sums.txt"


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


def comparison_sums_text(folder: Path) -> bytes:
    """The text of ``sha256sums.txt``, as the program sha256sum writes it, of a finished result."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != COMPARISON_SUMS_FILE)
    return "".join(
        f"{hash_file(path)[1]}  {path.relative_to(folder).as_posix()}\n" for path in files
    ).encode()


def refuse_altered_comparison(session: Session, row: ComparisonRow) -> FinishedComparison:
    """Raise :class:`AlteredRecord` where a finished row is not the log's; returns what the log says of it."""
    refuse_unknown_job(session, row)
    entry = custody_log.latest_entry(session, row.id, "comparison finished")
    if entry is None:
        raise AlteredRecord(gettext("The custody log does not say that this comparison was finished."))
    refuse_forged(session, entry)
    told = FinishedComparison.of(entry)
    if problem := told.row_problem(row):
        raise AlteredRecord(problem)
    return told


def comparison_sums(folder: Path, told: FinishedComparison) -> dict[str, str]:
    """SHA-256 of each file of a result by path; :class:`AlteredRecord` where they are not the log's."""
    try:
        text = (folder / COMPARISON_SUMS_FILE).read_bytes()
    except FileNotFoundError:
        raise AlteredRecord(gettext("The checksums of this comparison are missing.")) from None
    if hashlib.sha256(text).hexdigest() != told.sums:
        raise AlteredRecord(gettext("The checksums of this comparison are not those the custody log holds."))
    lines = (line.split("  ", 1) for line in text.decode().splitlines())
    return {path: sha256 for sha256, path in lines}


def read_comparison_file(folder: Path, known: dict[str, str], name: str) -> bytes | None:
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


def comparison_problems(folder: Path, told: FinishedComparison) -> Iterator[str]:
    """What of a result is not what the log says, in words; reads all of it."""
    try:
        known = comparison_sums(folder, told)
        for name in known:
            read_comparison_file(folder, known, name)
    except AlteredRecord as altered:
        yield altered.error
