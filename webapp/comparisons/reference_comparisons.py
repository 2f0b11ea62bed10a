"""Read comparisons with a reference: one, those of an exhibit, results, and possible references."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from sqlalchemy import case, or_, select
from sqlalchemy.orm import Session

from detector.schema.comparison import Comparison
from reports.language import formatting
from reports.language.translation import gettext
from webapp import context
from webapp.accounts.visibility import visible_session
from webapp.analyses import library_search
from webapp.analyses.queries import job_json
from webapp.comparisons import copies as copy_queries
from webapp.custody import custody_log, job_records
from webapp.custody.job_records import COMPARISON_FILE, AlteredRecord, FinishedComparison
from webapp.errors import NotReady, UserError
from webapp.storage.tables import AnalysisRow, ComparisonRow, State

if TYPE_CHECKING:
    from reports.comparison.comparison_section import ComparisonView


MOST_OFFERED = 25  # exhibits in the list to choose a reference from
_MOST_SEEN = 200  # analyses looked through for them


@dataclass(frozen=True)
class ComparisonResult:
    """A finished comparison, where it lies, and the SHA-256 of each of its files."""

    comparison: Comparison
    folder: Path
    sums: dict[str, str]

    def content(self, name: str) -> bytes:
        """One of its files, as it was made; 404 for a name it has not."""
        found = job_records.read_comparison_file(self.folder, self.sums, name)
        if found is None:
            raise UserError(
                404, gettext("This comparison has no such file."), gettext("Go back to the comparison.")
            )
        return found

    def refuse_altered(self) -> None:
        """Before a hand-out: raise ``AlteredRecord`` where any of its files is not what the log says."""
        for name in self.sums:
            job_records.read_comparison_file(self.folder, self.sums, name)

    @property
    def view(self) -> ComparisonView:
        """It in words."""
        # Brings OpenCV; only pages of results need it.
        from reports.comparison.comparison_section import comparison_view

        return comparison_view(self.comparison, self.folder, self.sums[COMPARISON_FILE])


def get_or_404(comparison_id: str) -> ComparisonRow:
    """The row of a comparison whose two exhibits may be seen, or an answer that says why there is none."""
    with visible_session() as session:
        row = session.get(ComparisonRow, comparison_id)
        if row is None:
            raise comparison_gone(session, comparison_id)
    return row


def comparison_gone(session: Session, comparison_id: str) -> UserError:
    """What to say of a comparison that is not there: that it was deleted, and when, or never was."""
    tombstone = custody_log.deletion_entry(session, comparison_id)
    if tombstone is None or tombstone.details.get("what") != "comparison":
        return UserError(
            404,
            gettext("There is no comparison at this address."),
            gettext("Check the address, or look for it on the page of its exhibit."),
        )
    with_exhibit = "reason" in tombstone.details
    return UserError(
        410,
        gettext(
            "This comparison was deleted on %(when)s%(reason)s.",
            when=formatting.moment(custody_log.entry_time(tombstone)),
            reason=(gettext(", with one of its exhibits") if with_exhibit else ""),
        ),
        gettext("Entry %(number)s of the custody log says so. To compare again, ", number=tombstone.number)
        + (
            gettext("hand both files in again.")
            if with_exhibit
            else gettext("start a new comparison on the exhibit's page.")
        ),
    )


def list_comparisons(exhibit_id: int, *, as_reference: bool = False) -> tuple[ComparisonRow, ...]:
    """The comparisons of an exhibit, newest first; ``as_reference``: also those it is the reference of."""
    own = ComparisonRow.exhibit_id == exhibit_id
    if as_reference:
        own = or_(own, ComparisonRow.reference_id == exhibit_id)
    newest = select(ComparisonRow).where(own).order_by(ComparisonRow.created.desc(), ComparisonRow.id)
    with visible_session() as session:
        return tuple(session.scalars(newest).all())


def get_finished(comparison_id: str) -> tuple[ComparisonRow, ComparisonResult]:
    """A finished comparison and its result; raises an answer (404, 409) that says why there is none (yet)."""
    row = get_or_404(comparison_id)
    state = State(row.state)
    match state:
        case State.DONE:
            return row, load_result(row)
        case State.FAILED | State.CANCELLED:
            ended = gettext("failed") if state is State.FAILED else gettext("was cancelled")
            raise UserError(
                409,
                gettext("This comparison %(ended)s, so it has no result.", ended=ended),
                gettext("Compare the two again."),
            )
        case State.QUEUED | State.RUNNING | State.PAUSED:
            raise NotReady(
                gettext("This comparison is not finished."), gettext("Its page shows how far it is.")
            )
        case _:
            assert_never(state)


def load_result(row: ComparisonRow) -> ComparisonResult:
    """The result of a finished comparison, compared with the custody log."""
    folders = context.folders()
    folder = folders.comparison(row.id)
    with context.database().begin() as session:
        told = job_records.refuse_altered_comparison(session, row)
    if not folder.exists():
        folders.store.fetch_folder(folder, lambda fetched: _refuse_damaged(fetched, told))
    sums = job_records.comparison_sums(folder, told)
    text = job_records.read_comparison_file(folder, sums, COMPARISON_FILE)
    if text is None:
        raise AlteredRecord(gettext("The checksums of this comparison do not name its result."))
    return ComparisonResult(_read(sums[COMPARISON_FILE], text), folder, sums)


def comparisons_for_report(exhibit_id: int) -> tuple[ComparisonRow, ...]:
    """The finished comparisons that go into a report on an exhibit: with each reference the newest."""
    newest: dict[int, ComparisonRow] = {}
    for row in list_comparisons(exhibit_id):
        if row.state == State.DONE:
            newest.setdefault(row.reference_id, row)
    return tuple(reversed(newest.values()))


def _refuse_damaged(folder: Path, told: FinishedComparison) -> None:
    for problem in job_records.comparison_problems(folder, told):
        raise ValueError(problem)


_reading = threading.Lock()
_texts: dict[str, bytes] = {}


def _read(sha256: str, text: bytes) -> Comparison:
    """The comparison in a text. Parsing thousands of faces takes long, so the last few are cached by hash."""
    with _reading:
        _texts[sha256] = text
        try:
            return _parsed(sha256)
        finally:
            del _texts[sha256]


@lru_cache(maxsize=8)
def _parsed(sha256: str) -> Comparison:
    return Comparison.from_json(_texts[sha256])


def representative_analysis(exhibit_id: int) -> AnalysisRow:
    """The analysis that stands for an exhibit: the latest finished one, or else the latest."""
    own = select(AnalysisRow).where(AnalysisRow.exhibit_id == exhibit_id)
    done_first = case((AnalysisRow.state == State.DONE, 0), else_=1)
    with visible_session() as session:
        row = session.scalars(own.order_by(done_first, AnalysisRow.created.desc()).limit(1)).first()
    if row is None:  # it was deleted this moment
        raise UserError(
            404, gettext("One of the two exhibits is not here any more."), gettext("Hand it in again.")
        )
    return row


def is_photo(session: Session, exhibit_id: int) -> bool | None:
    """Whether an exhibit is a photo; None as long as no analysis of it has finished."""
    own = select(AnalysisRow.duration).where(
        AnalysisRow.exhibit_id == exhibit_id, AnalysisRow.duration.is_not(None)
    )
    duration = session.scalar(own.limit(1))
    return None if duration is None else duration == 0


@dataclass(frozen=True)
class ReferenceChoices:
    """What may be chosen as a reference; ``alike`` are the exhibits known to show the same."""

    shown: Sequence[AnalysisRow]
    alike: frozenset[int]
    more: bool  # than fit into the list


def reference_choices(row: AnalysisRow, text: str) -> ReferenceChoices:
    """What may be chosen as the reference of an analysis's exhibit.

    One analysis an exhibit, known copies first, then those of the same case, then the newest; ``text`` is
    searched for as in the library. What could not be analysed could not be compared either, and a video
    cannot be compared with a photo.
    """
    others = library_search.matching_analyses(select(AnalysisRow), library_search.LibrarySearch(text=text))
    others = others.where(AnalysisRow.exhibit_id != row.exhibit_id, AnalysisRow.state != State.FAILED)
    if row.duration:  # a video, whose reference cannot be a photo
        others = others.where(or_(AnalysisRow.duration.is_(None), AnalysisRow.duration > 0))
    order: list[Any] = [AnalysisRow.created.desc(), AnalysisRow.id.desc()]
    if row.case_id is not None:
        order.insert(0, case((AnalysisRow.case_id == row.case_id, 0), else_=1))
    with visible_session() as session:
        alike = copy_queries.matching_exhibits(session, row.exhibit_id)
        order.insert(0, case((AnalysisRow.exhibit_id.in_(alike), 0), else_=1))
        rows = session.scalars(others.order_by(*order).limit(_MOST_SEEN)).all()
    found: dict[int, AnalysisRow] = {}
    for each in rows:
        found.setdefault(each.exhibit_id, each)
    more = len(found) > MOST_OFFERED or len(rows) == _MOST_SEEN
    return ReferenceChoices(list(found.values())[:MOST_OFFERED], alike, more)


def status_json(row: ComparisonRow) -> dict[str, Any]:
    """The row of a comparison as programs, and the page that waits for it, are told of it."""
    return job_json(row) | {
        "exhibit": row.exhibit.sha256,
        "exhibit_file": row.file,
        "reference": row.reference.sha256,
        "reference_file": row.reference_file,
        "related": row.related,
        "segments": row.segments,
        "outcome": row.outcome,
    }
