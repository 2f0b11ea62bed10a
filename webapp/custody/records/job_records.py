"""Whether the custody log knows what the database holds: analyses, comparisons, exhibits.

Each comes with an entry and goes with one. Who puts a row in, or a deleted one back, cannot write the first,
nor take the second away. Of what was there before the log began it says only how many there were.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from reports.custody.format import Entry
from reports.text.translation.language import N_, gettext
from webapp.custody import log_queries
from webapp.custody.altered import AlteredRecord, refuse_forged
from webapp.storage.tables import AnalysisRow, ComparisonRow, CustodyRow

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


def refuse_unknown(session: Session, row: AnalysisRow | ComparisonRow) -> LoggedJob:
    """What the log says of a job; raises :class:`AlteredRecord` where there should be no row of it."""
    standing = LoggedJob()
    about = CustodyRow.action.in_((*_QUEUED, *_FINISHED, "deletion"))
    for entry in log_queries.entries_where(session, CustodyRow.analysis == row.id, about):
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
    if log_queries.latest(session, analysis_id, "analysis queued") is not None:
        return False
    row = session.get(AnalysisRow, analysis_id)
    return row is None or _may_be_older(session, row.exhibit.sha256)


def _may_be_older(session: Session, exhibit: str) -> bool:
    """Whether an analysis of this exhibit may be older than the log: there were some, and it may be too."""
    begun = log_queries.begun(session)
    if begun is None or not int(begun.details.get("analyses", 0)):
        return False
    refuse_forged(session, begun)
    taken_in = CustodyRow.exhibit == exhibit, CustodyRow.action == "intake"
    return not session.scalar(select(exists().where(*taken_in)))
