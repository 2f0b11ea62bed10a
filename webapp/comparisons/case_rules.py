"""Which cases a comparison belongs to, and what is refused because of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from reports.language.translation import gettext
from webapp.accounts.permissions import current
from webapp.accounts.visibility import reachable, reachable_by_members, visible
from webapp.cases import access
from webapp.errors import UserError
from webapp.jobs import states
from webapp.storage.tables import AnalysisRow, CaseRow, ComparisonRow

_Row = TypeVar("_Row", AnalysisRow, ComparisonRow)

# Under a name of its own, or it would be taken for the table of the select around it.
_known = AnalysisRow.__table__.alias()


def is_allowed(refuse: Callable[[Session, _Row], None], session: Session, row: _Row) -> bool:
    """Whether one of the functions here that refuse does not: what pages offer."""
    try:
        refuse(session, row)
    except UserError:
        return False
    return True


def is_in_closed_case(session: Session, exhibit_id: int) -> bool:
    """Whether a closed case that who asks may see has an analysis of an exhibit."""
    having = select(AnalysisRow.case_id).where(AnalysisRow.exhibit_id == exhibit_id)
    closed = select(CaseRow.id).where(CaseRow.id.in_(having), CaseRow.closed.is_not(None))
    return session.scalar(visible(closed, current()).limit(1)) is not None


def refuse_starting(session: Session, row: AnalysisRow) -> None:
    """Raise :class:`UserError` where the exhibit of an analysis is not to be compared by who asks."""
    access.refuse_changes(session, row.case_id)
    if is_in_closed_case(session, row.exhibit_id):
        raise access.closed_case_error()


def refuse_outsiders(session: Session, row: ComparisonRow) -> None:
    """Raise :class:`UserError` where who asks knows the exhibit only from cases in which they change nothing.

    They handed it in for those cases, and are not in them.
    """
    own_cases = visible(select(CaseRow.id), current())
    own = reachable(select(AnalysisRow.id).where(AnalysisRow.exhibit_id == row.exhibit_id), current())
    own = own.where(or_(AnalysisRow.case_id.is_(None), AnalysisRow.case_id.in_(own_cases)))
    if session.scalar(own.limit(1)) is None:
        raise UserError(
            403,
            gettext("You are in no case of this exhibit, so you cannot change its comparisons."),
            gettext("Ask somebody who is in that case, or an administrator."),
        )


def refuse_deleting(session: Session, row: ComparisonRow) -> None:
    """Raise :class:`UserError` where who asks is not to delete a comparison, or a closed case keeps it."""
    refuse_outsiders(session, row)
    keeping = _keeping(session, ComparisonRow.id == row.id, ComparisonRow.exhibit_id)
    if keeping is None:
        return
    if keeping.seen:
        raise access.closed_case_error()
    raise UserError(
        409,
        gettext("This comparison has to be kept, so it cannot be deleted."),
        gettext("Ask an administrator."),
    )


def refuse_deleting_with(session: Session, exhibits: Select[int], *, purging: int | None) -> None:
    """Raise :class:`UserError` where a comparison that goes with these exhibits belongs to a closed case.

    To one by either side, but for the case that is being purged.
    """
    own = or_(ComparisonRow.exhibit_id.in_(exhibits), ComparisonRow.reference_id.in_(exhibits))
    if purging is not None:
        own &= CaseRow.id != purging
    keeping = _keeping(session, own, ComparisonRow.exhibit_id, ComparisonRow.reference_id)
    if keeping is None:
        return
    if not keeping.seen:
        raise UserError(
            409,
            gettext("A comparison that would be deleted with this analysis has to be kept."),
            gettext("Ask an administrator."),
        )
    if purging is None:
        error = gettext("A comparison that would be deleted with this analysis belongs to a closed case.")
    else:
        error = gettext(
            "A comparison that would be deleted with this case belongs to another closed case, %(name)s.",
            name=keeping.case.name,
        )
    raise UserError(409, error, gettext("An administrator can open that case again."))


def has_unfinished_comparison(session: Session, case: CaseRow) -> bool:
    """Whether a comparison of a case waits or runs: all of its exhibits, for who sees everything."""
    inside = select(AnalysisRow.exhibit_id).where(AnalysisRow.case_id == case.id)
    running = select(ComparisonRow.id).where(
        ComparisonRow.exhibit_id.in_(inside), ComparisonRow.state.in_(states.UNFINISHED)
    )
    if not current().sees_all:
        known = select(AnalysisRow.exhibit_id).where(reachable_by_members(case.id, AnalysisRow))
        running = running.where(ComparisonRow.reference_id.in_(known))
    return session.scalar(running.limit(1)) is not None


class _Keeping(NamedTuple):
    """A closed case that comparisons belong to, and whether who asks may see it."""

    case: CaseRow
    seen: bool


def _keeping(session: Session, own: ColumnElement[bool], *sides: Any) -> _Keeping | None:
    """A closed case with an analysis of these sides of its comparisons, rather one that who asks may see."""
    both = (ComparisonRow.exhibit_id, ComparisonRow.reference_id)
    shared = and_(*(_reached(CaseRow.id, side) for side in both))
    found = session.execute(
        select(CaseRow, shared)
        .join(AnalysisRow, AnalysisRow.case_id == CaseRow.id)
        .join(ComparisonRow, AnalysisRow.exhibit_id.in_(sides))
        .where(own, CaseRow.closed.is_not(None))
        .order_by(CaseRow.id)
    ).all()
    own_cases = visible(select(CaseRow.id), current()).where(CaseRow.id.in_({case.id for case, _ in found}))
    seen = set(session.scalars(own_cases))
    keeping = [_Keeping(case, case.id in seen) for case, by_members in found if by_members or case.id in seen]
    return next((each for each in keeping if each.seen), keeping[0] if keeping else None)


def _reached(case_id: Any, exhibit_id: Any) -> ColumnElement[bool]:
    """Whether members of a case may see an exhibit; both are columns of the select around it."""
    known = select(_known.c.id).where(
        _known.c.exhibit_id == exhibit_id, reachable_by_members(case_id, _known.c)
    )
    return known.correlate_except(_known).exists()
