"""Read comparisons with a reference: one, those of an exhibit, results, and possible references."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from sqlalchemy import case, or_, select
from sqlalchemy.orm import Session

from detector.schema.comparison import Comparison
from language import formatting
from language.translation import gettext
from webapp import context
from webapp.accounts.visibility import visible_session
from webapp.custody import custody_log
from webapp.custody.job_records import (
    COMPARISON_FILE,
    AlteredRecord,
    comparison_problems,
    comparison_sums,
    read_comparison_file,
    refuse_altered_comparison,
)
from webapp.errors import NotReady, UserError
from webapp.exhibits import copies, library_search
from webapp.exhibits.queries import job_json
from webapp.storage.tables import AnalysisRow, ComparisonRow, State

if TYPE_CHECKING:
    from reports.comparison.comparison_section import ComparisonView

MOST_OFFERED = 25  # exhibits in the list of possible references
_MOST_SEARCHED = 200  # analyses searched for them
_MAX_CACHED = 8


@dataclass(frozen=True)
class ComparisonResult:
    """A finished comparison, its folder, and the SHA-256 of each of its files."""

    comparison: Comparison
    folder: Path
    sums: dict[str, str]

    def content(self, name: str) -> bytes:
        """Return a file of the result; raise :class:`UserError` (404) if it has no such file."""
        content = read_comparison_file(self.folder, self.sums, name)
        if content is None:
            raise UserError(
                404, gettext("This comparison has no such file."), gettext("Go back to the comparison.")
            )
        return content

    def refuse_altered(self) -> None:
        """Raise :class:`AlteredRecord` if any file differs from the log, before files are handed out."""
        for name in self.sums:
            read_comparison_file(self.folder, self.sums, name)

    @property
    def view(self) -> ComparisonView:
        """The result in words."""
        # Imports OpenCV, which only pages of results need.
        from reports.comparison.comparison_section import comparison_view

        return comparison_view(self.comparison, self.folder, self.sums[COMPARISON_FILE])


def get_or_404(comparison_id: str) -> ComparisonRow:
    """Return a comparison if the current user may see both exhibits; raise :class:`UserError` otherwise."""
    with visible_session() as session:
        row = session.get(ComparisonRow, comparison_id)
        if row is None:
            raise comparison_gone(session, comparison_id)
    return row


def comparison_gone(session: Session, comparison_id: str) -> UserError:
    """Return the error for a comparison that was deleted (410) or never existed (404)."""
    entry = custody_log.deletion_entry(session, comparison_id)
    if entry is None or entry.details.get("what") != "comparison":
        return UserError(
            404,
            gettext("There is no comparison at this address."),
            gettext("Check the address, or look for it on the page of its exhibit."),
        )
    with_exhibit = "reason" in entry.details
    return UserError(
        410,
        gettext(
            "This comparison was deleted on %(when)s%(reason)s.",
            when=formatting.moment(custody_log.entry_time(entry)),
            reason=(gettext(", with one of its exhibits") if with_exhibit else ""),
        ),
        gettext("Entry %(number)s of the custody log says so. To compare again, ", number=entry.number)
        + (
            gettext("upload both files again.")
            if with_exhibit
            else gettext("start a new comparison on the exhibit's page.")
        ),
    )


def list_comparisons(exhibit_id: int, *, as_reference: bool = False) -> tuple[ComparisonRow, ...]:
    """Return the comparisons of an exhibit, newest first; with ``as_reference`` also those it is used in."""
    own = ComparisonRow.exhibit_id == exhibit_id
    if as_reference:
        own = or_(own, ComparisonRow.reference_id == exhibit_id)
    newest_first = select(ComparisonRow).where(own).order_by(ComparisonRow.created.desc(), ComparisonRow.id)
    with visible_session() as session:
        return tuple(session.scalars(newest_first).all())


def comparisons_for_report(exhibit_id: int) -> tuple[ComparisonRow, ...]:
    """Return the finished comparisons for a report on an exhibit: the newest with each reference."""
    newest: dict[int, ComparisonRow] = {}
    for row in list_comparisons(exhibit_id):
        if row.state == State.DONE:
            newest.setdefault(row.reference_id, row)
    return tuple(reversed(newest.values()))


def get_finished(comparison_id: str) -> tuple[ComparisonRow, ComparisonResult]:
    """Return a finished comparison with its result; raise :class:`UserError` (404, 409) if there is none."""
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
        case State.QUEUED | State.RUNNING | State.EXPLAINING | State.PAUSED:
            raise NotReady(
                gettext("This comparison is not finished."), gettext("Its page shows how far it is.")
            )
        case _:
            assert_never(state)


def load_result(row: ComparisonRow) -> ComparisonResult:
    """Load the result of a finished comparison; raise :class:`AlteredRecord` if it differs from the log."""
    folders = context.folders()
    folder = folders.comparison(row.id)
    with context.database().begin() as session:
        finished = refuse_altered_comparison(session, row)

    def refuse_damaged(fetched: Path) -> None:
        for problem in comparison_problems(fetched, finished):
            raise ValueError(problem)

    if not folder.exists():
        folders.store.fetch_folder(folder, refuse_damaged)
    sums = comparison_sums(folder, finished)
    text = read_comparison_file(folder, sums, COMPARISON_FILE)
    if text is None:
        raise AlteredRecord(gettext("The checksums of this comparison do not include its result."))
    return ComparisonResult(_parse(sums[COMPARISON_FILE], text), folder, sums)


_cache: dict[str, Comparison] = {}  # by SHA-256, the most recently used last
_cache_lock = threading.Lock()


def _parse(sha256: str, text: bytes) -> Comparison:
    """Parse a result. Parsing thousands of faces takes long, so the last few are cached."""
    with _cache_lock:
        comparison = _cache.pop(sha256, None) or Comparison.from_json(text)
        _cache[sha256] = comparison
        if len(_cache) > _MAX_CACHED:
            del _cache[next(iter(_cache))]
        return comparison


def representative_analysis(exhibit_id: int) -> AnalysisRow:
    """Return the analysis that represents an exhibit: the latest finished one, or else the latest."""
    own = select(AnalysisRow).where(AnalysisRow.exhibit_id == exhibit_id)
    finished_first = case((AnalysisRow.state == State.DONE, 0), else_=1)
    with visible_session() as session:
        row = session.scalars(own.order_by(finished_first, AnalysisRow.created.desc()).limit(1)).first()
    if row is None:  # deleted just now
        raise UserError(
            404, gettext("One of the two exhibits no longer exists."), gettext("Upload it again.")
        )
    return row


def is_photo(exhibit_id: int) -> bool | None:
    """Return whether an exhibit is a photo; None while no analysis that the user may see has finished.

    Analyses of others do not count: they would reveal that somebody else has the exhibit.
    """
    own = select(AnalysisRow.duration).where(
        AnalysisRow.exhibit_id == exhibit_id, AnalysisRow.duration.is_not(None)
    )
    with visible_session() as session:
        duration = session.scalar(own.limit(1))
    return None if duration is None else duration == 0


@dataclass(frozen=True)
class ReferenceChoices:
    """Possible references; ``alike`` are the exhibits known to show the same."""

    shown: Sequence[AnalysisRow]
    alike: frozenset[int]
    more: bool  # there are more than fit into the list


def reference_choices(row: AnalysisRow, text: str) -> ReferenceChoices:
    """Return possible references for an analysis's exhibit, one analysis per exhibit.

    Known copies come first, then exhibits of the same case, then the newest; ``text`` is searched for as in
    the library. Exhibits that could not be analysed could not be compared either, a video cannot be compared
    with a photo, and nothing with a recording of sound alone.
    """
    others = library_search.matching_analyses(select(AnalysisRow), library_search.LibrarySearch(text=text))
    others = others.where(
        AnalysisRow.exhibit_id != row.exhibit_id,
        AnalysisRow.state != State.FAILED,
        AnalysisRow.sound_only.is_(False),
    )
    if row.duration:  # a video
        others = others.where(or_(AnalysisRow.duration.is_(None), AnalysisRow.duration > 0))
    order: list[Any] = [AnalysisRow.created.desc(), AnalysisRow.id.desc()]
    if row.case_id is not None:
        order.insert(0, case((AnalysisRow.case_id == row.case_id, 0), else_=1))
    with visible_session() as session:
        alike = copies.matching_exhibits(session, row.exhibit_id)
        order.insert(0, case((AnalysisRow.exhibit_id.in_(alike), 0), else_=1))
        rows = session.scalars(others.order_by(*order).limit(_MOST_SEARCHED)).all()
    by_exhibit: dict[int, AnalysisRow] = {}
    for other in rows:
        by_exhibit.setdefault(other.exhibit_id, other)
    more = len(by_exhibit) > MOST_OFFERED or len(rows) == _MOST_SEARCHED
    return ReferenceChoices(list(by_exhibit.values())[:MOST_OFFERED], alike, more)


def status_json(row: ComparisonRow) -> dict[str, Any]:
    """Return the state of a comparison for the API, and for the page that waits for it."""
    return job_json(row) | {
        "exhibit": row.exhibit.sha256,
        "exhibit_file": row.file,
        "reference": row.reference.sha256,
        "reference_file": row.reference_file,
        "related": row.related,
        "segments": row.segments,
        "outcome": row.outcome,
    }
