"""Compare everything stored with the whole custody log, for ``verify-log``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, assert_never, cast, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.custody.format import Action, Entry, UnreadableEntry
from reports.inputs.case import CaseDetails
from webapp.custody import job_records, people_records
from webapp.custody import job_records as custody_job_records
from webapp.custody.job_records import FinishedComparison
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import (
    AnalysisRow,
    AnnotationRow,
    CaseDetailsRow,
    CaseReview,
    CaseRow,
    ComparisonRow,
    Exhibit,
    JobRow,
    ReviewStatement,
    State,
    User,
)

_OfJob = Literal[
    "analysis queued",
    "analysis finished",
    "comparison queued",
    "comparison finished",
    "annotation",
    "second review",
    "case details",
    "deletion",
]
"""Entries about one analysis or comparison that its rows and files are compared with."""


class LoggedState:
    """What is there, according to the entries given to :meth:`note` in order.

    Analyses and comparisons are named by their id, exhibits by their SHA-256, cases by their number.
    """

    def __init__(self) -> None:
        self.before: Mapping[str, int] = {}  # how many analyses and exhibits there were when the log began
        self.jobs: dict[str, job_records.LoggedJob] = defaultdict(job_records.LoggedJob)
        self.exhibits: set[str] = set()  # taken in since the log began
        self.deleted_exhibits: set[str] = set()
        self.older_exhibits = 0  # of those, that were not taken in since the log began
        self.analyses: set[str] = set()  # queued since the log began, and not deleted
        self.finished_analyses: dict[str, custody_job_records.FinishedAnalysis] = {}
        self.comparisons: set[str] = set()
        self.finished_comparisons: dict[str, FinishedComparison] = {}
        # By analysis, the checksums of each by id; None where its entry has none.
        self.annotations: dict[str, dict[str, str | None]] = defaultdict(dict)
        self.reviews: dict[str, dict[str, str]] = defaultdict(dict)
        self.case_details: dict[str, dict[str, str | int]] = defaultdict(dict)  # by analysis
        self.reviewers: dict[int, str] = {}  # by case
        self.purged: dict[int, str] = {}  # the same of purged ones, of which an interrupted purge leaves it
        self.accounts = people_records.LoggedAccounts()

    def note(self, entry: Entry) -> None:
        """Take in the next entry; of a newer version's actions only what they say of exhibit and job."""
        if entry.exhibit is not None:
            self._note_exhibit(entry, entry.exhibit)
        if entry.analysis is not None:
            self.jobs[entry.analysis].note(entry)
        if entry.action in get_args(Action):
            self._note_action(cast(Action, entry.action), entry)

    def _note_exhibit(self, entry: Entry, sha256: str) -> None:
        if entry.action == "intake":
            self.exhibits.add(sha256)
            self.deleted_exhibits.discard(sha256)
        elif entry.action == "deletion" and entry.details.get("exhibit") == "deleted with it":
            self.older_exhibits += sha256 not in self.exhibits
            self.deleted_exhibits.add(sha256)

    def _note_action(self, action: Action, entry: Entry) -> None:
        match action:
            case "log begun":
                self.before = {name: int(entry.details.get(name, 0)) for name in ("analyses", "exhibits")}
            case "account":
                self.accounts.note(entry)
            case "reviewers named":
                self.reviewers[int(entry.details.get("case", 0))] = str(entry.details.get("named"))
            case "purge":
                if (case := int(entry.details.get("case", 0))) in self.reviewers:
                    self.purged[case] = self.reviewers.pop(case)
            case (
                "analysis queued"
                | "analysis finished"
                | "comparison queued"
                | "comparison finished"
                | "annotation"
                | "second review"
                | "case details"
                | "deletion"
            ):
                if entry.analysis is not None:
                    self._note_job(action, entry.analysis, entry)
            case "intake":
                pass  # noted with its exhibit
            case (
                "intake again"
                | "analysis started"
                | "analysis failed"
                | "analysis cancelled"
                | "analysis retried"
                | "analysis paused"
                | "analysis resumed"
                | "analysis prioritised"
                | "comparison started"
                | "comparison failed"
                | "comparison cancelled"
                | "view"
                | "import"
                | "export"
                | "configuration"
                | "integrity check"
                | "backup"
                | "restore"
            ):
                pass  # told, and compared with no row here
            case _:
                assert_never(action)

    def _note_job(self, action: _OfJob, about: str, entry: Entry) -> None:
        match action:
            case "analysis queued":
                self.analyses.add(about)
            case "analysis finished":
                self.finished_analyses[about] = custody_job_records.FinishedAnalysis.of(entry)
            case "comparison queued":
                self.comparisons.add(about)
            case "comparison finished":
                self.finished_comparisons[about] = FinishedComparison.of(entry)
            case "annotation":
                sha256 = entry.details.get("sha256")
                own = self.annotations[about]
                own[str(entry.details.get("id"))] = None if sha256 is None else str(sha256)
            case "second review":
                self.reviews[about][str(entry.details.get("id"))] = str(entry.details.get("sha256"))
            case "case details":
                self.case_details[about] |= entry.details
            case "deletion":
                self.analyses.discard(about)
                self.comparisons.discard(about)
                self.finished_analyses.pop(about, None)
                self.finished_comparisons.pop(about, None)
                self.annotations.pop(about, None)
                self.reviews.pop(about, None)
                self.case_details.pop(about, None)
            case _:
                assert_never(action)


# What is finished stays so until it is deleted, which has an entry of its own.
_UNDONE = "The custody log says that it was finished, and the database that it is %s."
_BACK = "The custody log says that it was deleted, and the database has it again."
_MOST_NAMED = 10


class Audit:
    """All that is kept against the log: first every entry is noted, then rows are compared, then files.

    Entries and rows must be read in one snapshot (:meth:`webapp.storage.database.Database.snapshot`): what is
    recorded in between would pass for a forgery. Files take hours, and need none.
    """

    def __init__(self) -> None:
        self.elsewhere = 0  # results that only the store has; they are checked when they are fetched
        self._log = LoggedState()
        self._results: list[_Result] = []  # whose files are still to be compared

    def noting(self, entries: Iterable[Entry | UnreadableEntry]) -> Iterator[Entry | UnreadableEntry]:
        """The same entries, each taken in as it passes."""
        for entry in entries:
            if isinstance(entry, Entry):
                self._log.note(entry)
            yield entry

    def problems(self, session: Session) -> Iterator[str]:
        """What rows hold and is not what the log says, in words."""
        yield from self._of_analyses(session)
        yield from self._of_comparisons(session)
        yield from self._of_exhibits(session)
        yield from self._of_reviewers(session)
        for user in session.scalars(select(User).order_by(User.name)):
            if altered := self._log.accounts.problem(user):
                yield altered

    def file_problems(self, database: Database, folders: Folders) -> Iterator[str]:
        """Which files of the results are not what the log says, in words; reads all of them.

        What was deleted since its row was compared is no problem: rows go before files.
        """
        for each in self._results:
            folder = each.folder(folders)
            if not folder.exists() and folders.store.elsewhere:
                self.elsewhere += 1
            elif (problems := list(each.problems(folder))) and _is_there(database, each):
                for problem in problems:
                    yield f"{each.table.noun.capitalize()} {each.id}: {problem}"

    def _of_analyses(self, session: Session) -> Iterator[str]:
        there, older = set(), []  # the log says nothing of the latter: they have to be from before it
        before = self._log.before.get("analyses", 0)
        for row in session.scalars(select(AnalysisRow).order_by(AnalysisRow.created, AnalysisRow.id)):
            there.add(row.id)
            standing = self._log.jobs[row.id]
            may_be_older = before > 0 and row.exhibit.sha256 not in self._log.exhibits
            if unknown := standing.problem(row.noun, may_be_older=may_be_older):
                yield f"Analysis {row.id}: {unknown}"
                continue
            if not standing.known:
                older.append(row.id)
            for problem in self._of_analysis(
                session, row, since=row.id in self._log.analyses or not may_be_older
            ):
                yield f"Analysis {row.id}: {problem}"
        yield from _more_than_before(
            "analyses", before - sum(each.older for each in self._log.jobs.values()), older
        )
        for lost in sorted(self._log.analyses - there):
            yield f"Analysis {lost}: it is not in the database, and the custody log has no deletion of it."

    def _of_exhibits(self, session: Session) -> Iterator[str]:
        older = []
        for sha256 in session.scalars(select(Exhibit.sha256).order_by(Exhibit.id)):
            if sha256 in self._log.deleted_exhibits:
                yield f"Exhibit {sha256}: {_BACK}"
            elif sha256 not in self._log.exhibits:
                older.append(sha256)
        before = self._log.before.get("exhibits", 0) - self._log.older_exhibits
        yield from _more_than_before("exhibits", before, older)

    def _of_reviewers(self, session: Session) -> Iterator[str]:
        missing = dict(self._log.reviewers)  # of which there is no row
        for review in session.scalars(select(CaseReview).order_by(CaseReview.case_id)):
            told = missing.pop(review.case_id, self._log.purged.get(review.case_id))
            if told != people_records.format_reviewers(review):
                yield f"Case {review.case_id}: who reviews it is not what the custody log holds."
        for case_id, named in sorted(missing.items()):
            if named != people_records.format_reviewers(None) and session.get(CaseRow, case_id) is not None:
                yield f"Case {case_id}: the custody log names its reviewers, and the database does not."

    def _of_comparisons(self, session: Session) -> Iterator[str]:
        there = set()
        for row in session.scalars(select(ComparisonRow).order_by(ComparisonRow.created, ComparisonRow.id)):
            there.add(row.id)
            if unknown := self._log.jobs[row.id].problem(row.noun, may_be_older=False):
                yield f"Comparison {row.id}: {unknown}"
            elif row.state == State.DONE:
                for problem in self._of_comparison(row):
                    yield f"Comparison {row.id}: {problem}"
            elif row.id in self._log.finished_comparisons:
                yield f"Comparison {row.id}: {_UNDONE % row.state}"
        for lost in sorted(self._log.comparisons - there):
            yield f"Comparison {lost}: it is not in the database, and the custody log has no deletion of it."

    def _of_comparison(self, row: ComparisonRow) -> Iterator[str]:
        told = self._log.finished_comparisons.get(row.id)
        if told is None:
            yield "The custody log does not say that it was finished."
            return
        if contradicted := told.row_problem(row):
            yield contradicted
        self._results.append(_ComparisonResult(row.id, told))

    def _of_analysis(self, session: Session, row: AnalysisRow, *, since: bool) -> Iterator[str]:
        if row.state == State.DONE:
            yield from self._of_result(row, since)
        elif row.id in self._log.finished_analyses:
            yield _UNDONE % row.state
        said = session.scalars(select(AnnotationRow).where(AnnotationRow.analysis_id == row.id)).all()
        yield from people_records.annotation_problems(said, self._log.annotations.get(row.id, {}), since)
        reviewed = select(ReviewStatement).where(ReviewStatement.analysis_id == row.id)
        statements = session.scalars(reviewed).all()
        yield from people_records.review_problems(statements, self._log.reviews.get(row.id, {}))
        case = session.get(CaseDetailsRow, row.id)
        details = (CaseDetails.model_validate_json(case.body) if case else CaseDetails()).model_dump()
        if problem := people_records.case_details_problem(
            details, self._log.case_details.get(row.id, {}), since
        ):
            yield problem

    def _of_result(self, row: AnalysisRow, since: bool) -> Iterator[str]:
        told = self._log.finished_analyses.get(row.id)
        if told is None:
            if since:
                yield "The custody log does not say that this analysis was finished."
            return
        if contradicted := told.row_problem(row):
            yield contradicted
        self._results.append(_AnalysisResult(row.id, told))


@dataclass(frozen=True)
class _AnalysisResult:
    """The kept files of an analysis, and what the log says of them."""

    table: ClassVar[type[JobRow]] = AnalysisRow

    id: str
    told: job_records.FinishedAnalysis

    def folder(self, folders: Folders) -> Path:
        return folders.result(self.id)

    def problems(self, folder: Path) -> Iterator[str]:
        if altered := job_records.manifest_problem(folder, self.told):
            yield altered
        else:
            yield from job_records.result_problems(folder)


@dataclass(frozen=True)
class _ComparisonResult:
    """The same of a comparison."""

    table: ClassVar[type[JobRow]] = ComparisonRow

    id: str
    told: FinishedComparison

    def folder(self, folders: Folders) -> Path:
        return folders.comparison(self.id)

    def problems(self, folder: Path) -> Iterator[str]:
        return job_records.comparison_problems(folder, self.told)


_Result = _AnalysisResult | _ComparisonResult


def _more_than_before(what: str, before: int, found: Sequence[str]) -> Iterator[str]:
    """That there are more of which the log says nothing than there were when it began, less those gone."""
    if len(found) <= before:
        return
    yield (
        f"The custody log says nothing of {len(found):,} {what}, and {max(before, 0):,} can be from before "
        f"it: the others were added to the database. Among them: {', '.join(found[:_MOST_NAMED])}"
        f"{', …' if len(found) > _MOST_NAMED else '.'}"
    )


def _is_there(database: Database, result: _Result) -> bool:
    with database.begin() as session:
        return session.get(result.table, result.id) is not None
