"""Compare everything stored with the whole custody log, for ``verify-log``.

Other modules compare single records when they are loaded (:mod:`webapp.custody.job_records`); the audit also
finds changes to records that nobody opened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never, cast, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.custody.format import Action, Entry, UnreadableEntry
from reports.inputs.case import CaseDetails
from webapp.custody import job_records, people_records
from webapp.custody.job_records import FinishedAnalysis, FinishedComparison, LoggedJob
from webapp.custody.people_records import LoggedAccounts
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
    ReviewStatement,
    State,
    User,
)

# A finished job stays finished until it is deleted, which has an entry of its own.
_NO_LONGER_FINISHED = "The custody log says that it was finished, and the database that it is %s."
_DELETED = "The custody log says that it was deleted, and the database has it again."
_MAX_NAMED = 10
_JOB_ACTIONS = (
    "analysis queued",
    "finding published",
    "analysis finished",
    "comparison queued",
    "comparison finished",
    "annotation",
    "second review",
    "case details",
    "deletion",
)


class LoggedState:
    """The records that should exist according to the entries passed to :meth:`note` in order.

    Analyses and comparisons are identified by id, exhibits by SHA-256, cases by number.
    """

    def __init__(self) -> None:
        self.before: Mapping[str, int] = {}  # numbers of analyses and exhibits when the log began
        self.jobs: dict[str, LoggedJob] = defaultdict(LoggedJob)
        self.exhibits: set[str] = set()  # uploaded since the log began
        self.deleted_exhibits: set[str] = set()
        self.older_exhibits = 0  # deleted exhibits that were uploaded before the log began
        self.analyses: set[str] = set()  # queued since the log began, and not deleted
        self.finished_analyses: dict[str, FinishedAnalysis] = {}
        self.findings: dict[str, FinishedAnalysis] = {}  # published before they were explained
        self.comparisons: set[str] = set()
        self.finished_comparisons: dict[str, FinishedComparison] = {}
        # By analysis, SHA-256 by id; None if the entry has none.
        self.annotations: dict[str, dict[str, str | None]] = defaultdict(dict)
        self.reviews: dict[str, dict[str, str]] = defaultdict(dict)
        self.case_details: dict[str, dict[str, str | int]] = defaultdict(dict)  # by analysis
        self.reviewers: dict[int, str] = {}  # by case
        self.purged: dict[int, str] = {}  # reviewers of purged cases, whose rows an interrupted purge leaves
        self.accounts = LoggedAccounts()

    def note(self, entry: Entry) -> None:
        """Process the next entry; for unknown actions of newer versions, only its exhibit and job."""
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
        if entry.analysis is None and action in _JOB_ACTIONS:
            return
        job, details = entry.analysis or "", entry.details
        match action:
            case "log begun":
                self.before = {name: int(details.get(name, 0)) for name in ("analyses", "exhibits")}
            case "account":
                self.accounts.note(entry)
            case "reviewers named":
                self.reviewers[int(details.get("case", 0))] = str(details.get("named"))
            case "purge":
                if (case := int(details.get("case", 0))) in self.reviewers:
                    self.purged[case] = self.reviewers.pop(case)
            case "analysis queued":
                self.analyses.add(job)
            case "finding published":
                self.findings[job] = FinishedAnalysis.of(entry)
            case "analysis finished":
                self.finished_analyses[job] = FinishedAnalysis.of(entry)
            case "comparison queued":
                self.comparisons.add(job)
            case "comparison finished":
                self.finished_comparisons[job] = FinishedComparison.of(entry)
            case "annotation":
                sha256 = details.get("sha256")
                self.annotations[job][str(details.get("id"))] = None if sha256 is None else str(sha256)
            case "second review":
                self.reviews[job][str(details.get("id"))] = str(details.get("sha256"))
            case "case details":
                self.case_details[job] |= details
            case "deletion":
                self.analyses.discard(job)
                self.comparisons.discard(job)
                for records in (
                    self.finished_analyses,
                    self.findings,
                    self.finished_comparisons,
                    self.annotations,
                    self.reviews,
                    self.case_details,
                ):
                    records.pop(job, None)
            case (
                "intake"  # see _note_exhibit
                | "intake again"
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
                pass  # no row to compare with
            case _:
                assert_never(action)


class Audit:
    """Compares everything stored with the log: first observe every entry, then compare rows, then files.

    Entries and rows must be read in one snapshot (:meth:`webapp.storage.database.Database.snapshot`), or acts
    recorded in between would look like forgeries. Files take hours, and need no snapshot.
    """

    def __init__(self) -> None:
        self.elsewhere = 0  # results that only the store has; they are checked when fetched
        self._log = LoggedState()
        self._results: list[_Result] = []  # whose files are still to be compared

    def observe(self, entries: Iterable[Entry | UnreadableEntry]) -> Iterator[Entry | UnreadableEntry]:
        """Pass all entries through, and process each."""
        for entry in entries:
            if isinstance(entry, Entry):
                self._log.note(entry)
            yield entry

    def problems(self, session: Session) -> Iterator[str]:
        """Yield how rows differ from the log."""
        yield from self._analyses(session)
        yield from self._comparisons(session)
        yield from self._exhibits(session)
        yield from self._reviewers(session)
        for user in session.scalars(select(User).order_by(User.name)):
            if problem := self._log.accounts.problem(user):
                yield problem

    def file_problems(self, database: Database, folders: Folders) -> Iterator[str]:
        """Read all files of the results and yield how they differ from the log.

        A result deleted since its row was compared is no problem: rows are deleted before files.
        """
        for result in self._results:
            folder = result.folder(folders)
            if not folder.exists() and folders.store.elsewhere:
                self.elsewhere += 1
            elif (problems := list(result.problems(folder))) and result.row_exists(database):
                for problem in problems:
                    yield f"{result.table.noun.capitalize()} {result.id}: {problem}"

    def _analyses(self, session: Session) -> Iterator[str]:
        seen, older = set(), []  # the log does not mention the latter, so they must be older than it
        before = self._log.before.get("analyses", 0)
        for row in session.scalars(select(AnalysisRow).order_by(AnalysisRow.created, AnalysisRow.id)):
            seen.add(row.id)
            job = self._log.jobs[row.id]
            may_be_older = before > 0 and row.exhibit.sha256 not in self._log.exhibits
            if problem := job.problem(row.noun, may_be_older=may_be_older):
                yield f"Analysis {row.id}: {problem}"
                continue
            if not job.known:
                older.append(row.id)
            since = row.id in self._log.analyses or not may_be_older
            for problem in self._analysis(session, row, since):
                yield f"Analysis {row.id}: {problem}"
        yield from _more_than_before(
            "analyses", before - sum(job.older for job in self._log.jobs.values()), older
        )
        for missing in sorted(self._log.analyses - seen):
            yield f"Analysis {missing}: it is not in the database, and the custody log has no deletion of it."

    def _analysis(self, session: Session, row: AnalysisRow, since: bool) -> Iterator[str]:
        finished = self._log.finished_analyses.get(row.id)
        if row.state != State.DONE:
            if finished is not None:
                yield _NO_LONGER_FINISHED % row.state
            if row.verdict is not None:
                published = self._log.findings.get(row.id)
                if published is None:
                    yield "The custody log does not say that its finding was published."
                elif problem := published.row_problem(row):
                    yield problem
        elif finished is not None:
            if problem := finished.row_problem(row):
                yield problem
            self._results.append(_Result(AnalysisRow, row.id, finished))
        elif since:
            yield "The custody log does not say that this analysis was finished."
        annotations = session.scalars(select(AnnotationRow).where(AnnotationRow.analysis_id == row.id)).all()
        logged_annotations = self._log.annotations.get(row.id, {})
        yield from people_records.annotation_problems(annotations, logged_annotations, since)
        statements = session.scalars(
            select(ReviewStatement).where(ReviewStatement.analysis_id == row.id)
        ).all()
        yield from people_records.review_problems(statements, self._log.reviews.get(row.id, {}))
        case = session.get(CaseDetailsRow, row.id)
        details = (CaseDetails.model_validate_json(case.body) if case else CaseDetails()).model_dump()
        logged_details = self._log.case_details.get(row.id, {})
        if problem := people_records.case_details_problem(details, logged_details, since):
            yield problem

    def _comparisons(self, session: Session) -> Iterator[str]:
        seen = set()
        for row in session.scalars(select(ComparisonRow).order_by(ComparisonRow.created, ComparisonRow.id)):
            seen.add(row.id)
            finished = self._log.finished_comparisons.get(row.id)
            if problem := self._log.jobs[row.id].problem(row.noun, may_be_older=False):
                yield f"Comparison {row.id}: {problem}"
            elif row.state != State.DONE:
                if finished is not None:
                    yield f"Comparison {row.id}: {_NO_LONGER_FINISHED % row.state}"
            elif finished is None:
                yield f"Comparison {row.id}: The custody log does not say that it was finished."
            else:
                if problem := finished.row_problem(row):
                    yield f"Comparison {row.id}: {problem}"
                self._results.append(_Result(ComparisonRow, row.id, finished))
        for id_ in sorted(self._log.comparisons - seen):
            yield f"Comparison {id_}: it is not in the database, and the custody log has no deletion of it."

    def _exhibits(self, session: Session) -> Iterator[str]:
        older = []
        for sha256 in session.scalars(select(Exhibit.sha256).order_by(Exhibit.id)):
            if sha256 in self._log.deleted_exhibits:
                yield f"Exhibit {sha256}: {_DELETED}"
            elif sha256 not in self._log.exhibits:
                older.append(sha256)
        before = self._log.before.get("exhibits", 0) - self._log.older_exhibits
        yield from _more_than_before("exhibits", before, older)

    def _reviewers(self, session: Session) -> Iterator[str]:
        unseen = dict(self._log.reviewers)
        for review in session.scalars(select(CaseReview).order_by(CaseReview.case_id)):
            logged = unseen.pop(review.case_id, self._log.purged.get(review.case_id))
            if logged != people_records.format_reviewers(review):
                yield f"Case {review.case_id}: who reviews it is not what the custody log holds."
        for case_id, logged in sorted(unseen.items()):
            if logged != people_records.format_reviewers(None) and session.get(CaseRow, case_id) is not None:
                yield f"Case {case_id}: the custody log names its reviewers, and the database does not."


@dataclass(frozen=True)
class _Result:
    """The stored files of a finished job, and the log's entry about them."""

    table: type[AnalysisRow] | type[ComparisonRow]
    id: str
    finished: FinishedAnalysis | FinishedComparison

    def folder(self, folders: Folders) -> Path:
        return folders.result(self.id) if self.table is AnalysisRow else folders.comparison(self.id)

    def problems(self, folder: Path) -> Iterator[str]:
        if isinstance(self.finished, FinishedComparison):
            yield from job_records.comparison_problems(folder, self.finished)
        elif problem := job_records.manifest_problem(folder, self.finished):
            yield problem
        else:
            yield from job_records.result_problems(folder)

    def row_exists(self, database: Database) -> bool:
        with database.begin() as session:
            return session.get(self.table, self.id) is not None


def _more_than_before(what: str, before: int, unlogged: Sequence[str]) -> Iterator[str]:
    """Report unlogged records if there are more than the log's first entry allows."""
    if len(unlogged) <= before:
        return
    yield (
        f"The custody log says nothing of {len(unlogged):,} {what}, and {max(before, 0):,} can be from "
        f"before it: the others were added to the database. Among them: {', '.join(unlogged[:_MAX_NAMED])}"
        f"{', …' if len(unlogged) > _MAX_NAMED else '.'}"
    )
