"""Compare stored jobs, results and comparisons with what the custody log recorded about them.

Whoever can write to the data folder or the database can change what the app shows and recompute every hash
beside it, but cannot rewrite an entry of the log without its key. So records are compared with their entries
when they are loaded and before they are handed out. Differences are refused and never repaired.
:mod:`webapp.custody.audit` compares everything at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from detector.files import hash_file
from language.translation import N_, gettext, translated
from reports.bundle import manifest
from reports.custody.format import Action, Entry
from reports.file_names import MANIFEST
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.storage.finding_columns import finding_columns
from webapp.storage.tables import AnalysisRow, ComparisonRow, CustodyRow, State

_Record = TypeVar("_Record")
_STATEMENTS: tuple[Action, ...] = ("annotation", "second review", "case details", "deletion")
_DELETED = {
    "analysis": N_("The custody log says that this analysis was deleted, and the database has it again."),
    "comparison": N_("The custody log says that this comparison was deleted, and the database has it again."),
}
_ADDED = {
    "analysis": N_("The custody log has no entry about this analysis: it was added to the database."),
    "comparison": N_("The custody log has no entry about this comparison: it was added to the database."),
}
_QUEUED = ("analysis queued", "comparison queued")
_FINISHED = ("analysis finished", "comparison finished")
_MANIFEST_SHA256 = "manifest sha256"
SUMMARY_SHA256 = "finding sha256"  # the name since the first log
"""Detail of an entry "analysis finished": SHA-256 of the summary stored in the row beside the verdict."""
COMPARISON_FILE = "comparison.json"
COMPARISON_SUMS_FILE = "sha256sums.txt"


class AlteredRecord(UserError):
    """A stored record differs from the custody log. It is neither shown nor handed out."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            500,
            gettext("%(problem)s It is neither shown nor delivered.", problem=translated(str(problem))),
            gettext(
                "Restore it from a backup of the data folder and the database. `reelproof verify-log` "
                "names everything that differs."
            ),
        )


def read_consistently(session: Session, analysis_id: str, read: Callable[[], _Record]) -> _Record:
    """Return the result of ``read``, which reads rows and raises if they differ from the log.

    Somebody may record something about the analysis, or about the reviewers of a case, between the queries of
    ``read``. In that case it is called again, so it must not use rows cached in the session. Other entries
    are ignored: the log of a busy laboratory never stands still.
    """
    before = -1
    while True:
        try:
            return read()
        except AlteredRecord:
            before, last = _last_statement(session, analysis_id), before
            if before == last:
                raise


def _last_statement(session: Session, analysis_id: str) -> int:
    """Return the number of the last entry about people's statements on an analysis, or about reviewers."""
    statement = (CustodyRow.analysis == analysis_id) & CustodyRow.action.in_(_STATEMENTS)
    naming = CustodyRow.action == "reviewers named"
    return session.scalar(select(func.max(CustodyRow.number)).where(or_(statement, naming))) or 0


def refuse_forged(session: Session, entry: Entry) -> None:
    """Raise :class:`AlteredRecord` for an entry that was not written with the log's key."""
    if not custody_log.is_authentic(session, entry):
        raise AlteredRecord(
            gettext("Entry %(number)s of the custody log was not written with its key.", number=entry.number)
        )


@dataclass
class LoggedJob:
    """Whether a job should exist according to the entries about it.

    Every job appears and disappears with an entry. Somebody who adds a row, or puts back a deleted one, can
    neither write the first entry nor remove the last. Of the jobs that existed before the log began, the log
    only has the number.
    """

    made: bool = False  # queued for the first time since the log began
    known: bool = False  # queued (again) or finished since the log began
    deleted: bool = False
    older: bool = False  # existed before the log began, as a later entry shows

    def note(self, entry: Entry) -> None:
        """Process the next entry about the job."""
        if entry.action in _QUEUED and "reason" not in entry.details:
            # An id can be queued again: a request is repeated if its response was cut off.
            self.made, self.deleted = True, False
        elif entry.action == "deletion":
            self.deleted = True
            self.older |= not self.made and entry.details.get("what") != "comparison"
        elif entry.action in _FINISHED:
            self.older |= not self.made
        self.known |= entry.action in (*_QUEUED, *_FINISHED)

    def problem(self, noun: str, *, may_be_older: bool) -> str | None:
        """Return why the job should have no row; None if it should."""
        if self.deleted:
            return gettext(_DELETED[noun])
        return None if self.known or may_be_older else gettext(_ADDED[noun])


def refuse_unknown_job(session: Session, row: AnalysisRow | ComparisonRow) -> LoggedJob:
    """Return what the log says about a job; raise :class:`AlteredRecord` if it should have no row."""
    job = LoggedJob()
    relevant = CustodyRow.action.in_((*_QUEUED, *_FINISHED, "deletion"))
    for entry in custody_log.iter_entries_where(session, CustodyRow.analysis == row.id, relevant):
        refuse_forged(session, entry)
        job.note(entry)
    if job.deleted and not session.scalar(select(exists().where(type(row).id == row.id))):
        return job  # deleted, with its entry, since the row was read
    may_be_older = isinstance(row, AnalysisRow) and _may_be_older(session, row.exhibit.sha256)
    if problem := job.problem(row.noun, may_be_older=may_be_older):
        raise AlteredRecord(problem)
    return job


def may_be_from_before_the_log(session: Session, analysis_id: str) -> bool:
    """Return whether an analysis may be older than the log, which then lacks entries about it."""
    if custody_log.latest_entry(session, analysis_id, "analysis queued") is not None:
        return False
    row = session.get(AnalysisRow, analysis_id)
    return row is None or _may_be_older(session, row.exhibit.sha256)


def _may_be_older(session: Session, exhibit: str) -> bool:
    """Return whether analyses of an exhibit may be older than the log.

    This is the case if there were analyses before it, and the exhibit was not uploaded since.
    """
    first = custody_log.first_entry(session)
    if first is None or not int(first.details.get("analyses", 0)):
        return False
    refuse_forged(session, first)
    intake = CustodyRow.exhibit == exhibit, CustodyRow.action == "intake"
    return not session.scalar(select(exists().where(*intake)))


@dataclass(frozen=True)
class FinishedAnalysis:
    """What the log says about a finished analysis; all None if it finished before the log began.

    The entry has the SHA-256 of ``manifest.json``, which has those of all other files, and what the row
    stores of the summary.
    """

    manifest: str | None = None  # SHA-256
    verdict: str | None = None
    probability: str | None = None
    summary: str | None = None  # SHA-256

    @classmethod
    def of(cls, entry: Entry) -> FinishedAnalysis:
        """Return the content of an entry "analysis finished" or "finding published"."""
        names = (_MANIFEST_SHA256, "verdict", "probability", SUMMARY_SHA256)
        details = [entry.details.get(name) for name in names]
        return cls(*(None if value is None else str(value) for value in details))

    def row_problem(self, row: AnalysisRow) -> str | None:
        """Return how the row differs from the entry."""
        if self.verdict is not None and self.verdict != row.verdict:
            return gettext("The verdict in the database differs from that in the custody log.")
        if self.probability is not None and self.probability != format_probability(row.probability):
            return gettext("The score in the database differs from that in the custody log.")
        if self.summary != (None if row.summary is None else sha256_of_text(row.summary)):
            return gettext("The answers in the database differ from those in the custody log.")
        derived = finding_columns(row.verdict, row.summary)
        if any(getattr(row, name) != value for name, value in derived.items()):
            return gettext("The outcome in the database does not follow from the verdicts of the analysis.")
        return None


def sha256_of_text(text: str) -> str:
    """Return the SHA-256 of a text stored in a row."""
    return hashlib.sha256(text.encode()).hexdigest()


def format_probability(value: float | None) -> str:
    """Format a probability exactly, as entries store it."""
    return "none" if value is None else repr(float(value))


def refuse_altered_analysis(session: Session, row: AnalysisRow) -> FinishedAnalysis:
    """Return the log's entry about a finding; raise :class:`AlteredRecord` if its row differs.

    It is the entry "analysis finished", or "finding published" while pictures are being made.
    """
    job = refuse_unknown_job(session, row)
    is_explaining = row.shown_state is State.EXPLAINING
    action: Action = "finding published" if is_explaining else "analysis finished"
    entry = custody_log.latest_entry(session, row.id, action)
    if entry is None:
        if job.known or is_explaining:
            raise AlteredRecord(gettext("The custody log does not say that this analysis was finished."))
        return FinishedAnalysis()
    refuse_forged(session, entry)
    finished = FinishedAnalysis.of(entry)
    if problem := finished.row_problem(row):
        raise AlteredRecord(problem)
    return finished


def manifest_problem(folder: Path, finished: FinishedAnalysis) -> str | None:
    """Return how the manifest of a result differs from the log; does not read the other files."""
    if finished.manifest is None:
        return None
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return gettext("The manifest of this analysis is missing.")
    if hashlib.sha256(text).hexdigest() != finished.manifest:
        return gettext("The manifest of this analysis does not have the SHA-256 that is in the custody log.")
    return None


def result_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a result, as its manifest has them; empty without a manifest.

    Raises :class:`~reports.bundle.manifest.ManifestError` if the manifest cannot be read.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return {}
    return {entry.path: entry.sha256 for entry in manifest.read_manifest(text).files}


def result_problems(folder: Path) -> Iterator[str]:
    """Read all files of a result and yield how they differ from its manifest."""
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


@dataclass(frozen=True)
class FinishedComparison:
    """What the log says about a finished comparison.

    The entry has the SHA-256 of ``sha256sums.txt``, which covers ``comparison.json`` and its pictures.
    """

    sums: str  # SHA-256 of sha256sums.txt
    reference: str
    related: str
    segments: int
    outcome: str | None  # None: it finished before outcomes were stored

    @classmethod
    def of(cls, entry: Entry) -> FinishedComparison:
        """Return the content of an entry "comparison finished"."""
        details = entry.details
        return cls(
            str(details.get("sha256sums sha256")),
            str(details.get("reference")),
            str(details.get("related")),
            int(details.get("segments", 0)),
            None if details.get("outcome") is None else str(details["outcome"]),
        )

    def row_problem(self, row: ComparisonRow) -> str | None:
        """Return how the row differs from the entry."""
        stored = (row.reference.sha256, "yes" if row.related else "no", row.segments, row.outcome)
        if stored != (self.reference, self.related, self.segments, self.outcome):
            return gettext("The database record of this comparison differs from the custody log.")
        return None


def comparison_sums_text(folder: Path) -> bytes:
    """Return the content of ``sha256sums.txt`` for a result, in the format of the program sha256sum."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != COMPARISON_SUMS_FILE)
    return "".join(
        f"{hash_file(path)[1]}  {path.relative_to(folder).as_posix()}\n" for path in files
    ).encode()


def refuse_altered_comparison(session: Session, row: ComparisonRow) -> FinishedComparison:
    """Return the log's entry about a finished comparison; raise :class:`AlteredRecord` if its row differs."""
    refuse_unknown_job(session, row)
    entry = custody_log.latest_entry(session, row.id, "comparison finished")
    if entry is None:
        raise AlteredRecord(gettext("The custody log does not say that this comparison was finished."))
    refuse_forged(session, entry)
    finished = FinishedComparison.of(entry)
    if problem := finished.row_problem(row):
        raise AlteredRecord(problem)
    return finished


def comparison_sums(folder: Path, finished: FinishedComparison) -> dict[str, str]:
    """Return the SHA-256 of each file of a result; raise :class:`AlteredRecord` if not as logged."""
    try:
        text = (folder / COMPARISON_SUMS_FILE).read_bytes()
    except FileNotFoundError:
        raise AlteredRecord(gettext("The checksums of this comparison are missing.")) from None
    if hashlib.sha256(text).hexdigest() != finished.sums:
        raise AlteredRecord(gettext("The checksums of this comparison differ from those in the custody log."))
    lines = (line.split("  ", 1) for line in text.decode().splitlines())
    return {path: sha256 for sha256, path in lines}


def read_comparison_file(folder: Path, sums: dict[str, str], name: str) -> bytes | None:
    """Read a file of a result, None if it has none; raise :class:`AlteredRecord` if it was changed."""
    if name not in sums:
        return None
    try:
        content = (folder / name).read_bytes()
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != sums[name]:
        raise AlteredRecord(
            gettext("%(name)s of this comparison is missing or was changed since it was made.", name=name)
        )
    return content


def comparison_problems(folder: Path, finished: FinishedComparison) -> Iterator[str]:
    """Read all files of a result and yield the first difference from the log."""
    try:
        sums = comparison_sums(folder, finished)
        for name in sums:
            read_comparison_file(folder, sums, name)
    except AlteredRecord as altered:
        yield altered.error
