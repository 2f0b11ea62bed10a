"""Which cases a comparison belongs to, and what is refused because of them.

A comparison belongs to the cases that have an analysis of one of its exhibits and whose members may see both
sides. Comparisons of the same bytes that members cannot see do not concern a case: they do not keep it from
being closed, and it does not protect them, or it would reveal its existence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from language.translation import gettext
from webapp.accounts.permissions import current
from webapp.accounts.visibility import reachable, reachable_by_members, visible
from webapp.casework import access
from webapp.errors import UserError
from webapp.jobs import states
from webapp.storage.tables import AnalysisRow, CaseRow, ComparisonRow

_Row = TypeVar("_Row", AnalysisRow, ComparisonRow)

# Under a name of its own, or it would be taken for the table of the surrounding select.
_analyses = AnalysisRow.__table__.alias()


def is_allowed(refuse: Callable[[Session, _Row], None], session: Session, row: _Row) -> bool:
    """Return whether one of the ``refuse_`` functions accepts, for buttons on pages."""
    try:
        refuse(session, row)
    except UserError:
        return False
    return True


def is_in_closed_case(session: Session, exhibit_id: int) -> bool:
    """Return whether a closed case that the current user may see has an analysis of an exhibit."""
    cases = select(AnalysisRow.case_id).where(AnalysisRow.exhibit_id == exhibit_id)
    closed = select(CaseRow.id).where(CaseRow.id.in_(cases), CaseRow.closed.is_not(None))
    return session.scalar(visible(closed, current()).limit(1)) is not None


def refuse_starting(session: Session, row: AnalysisRow) -> None:
    """Raise :class:`UserError` if the current user may not compare the exhibit of an analysis."""
    access.refuse_changes(session, row.case_id)
    if is_in_closed_case(session, row.exhibit_id):
        raise access.closed_case_error()


def refuse_outsiders(session: Session, row: ComparisonRow) -> None:
    """Raise :class:`UserError` if all analyses of the exhibit are in cases without the current user.

    This happens to users who uploaded the exhibit for these cases and are not members.
    """
    own_cases = visible(select(CaseRow.id), current())
    own = reachable(select(AnalysisRow.id).where(AnalysisRow.exhibit_id == row.exhibit_id), current())
    own = own.where(or_(AnalysisRow.case_id.is_(None), AnalysisRow.case_id.in_(own_cases)))
    if session.scalar(own.limit(1)) is None:
        raise UserError(
            403,
            gettext("You are in no case of this exhibit, so you cannot change its comparisons."),
            gettext("Ask a member of that case, or an administrator."),
        )


def refuse_deleting(session: Session, row: ComparisonRow) -> None:
    """Raise :class:`UserError` if the current user may not delete a comparison, or a closed case needs it."""
    refuse_outsiders(session, row)
    blocking = _blocking_case(session, ComparisonRow.id == row.id, ComparisonRow.exhibit_id)
    if blocking is None:
        return
    if blocking.visible:
        raise access.closed_case_error()
    raise UserError(
        409,
        gettext("This comparison has to be kept, so it cannot be deleted."),
        gettext("Ask an administrator."),
    )


def refuse_deleting_with(session: Session, exhibits: Select[int], *, purging: int | None) -> None:
    """Raise :class:`UserError` if deleting these exhibits would delete a comparison of a closed case.

    It may belong to the case by either side. The case being purged does not count.
    """
    affected = or_(ComparisonRow.exhibit_id.in_(exhibits), ComparisonRow.reference_id.in_(exhibits))
    if purging is not None:
        affected &= CaseRow.id != purging
    blocking = _blocking_case(session, affected, ComparisonRow.exhibit_id, ComparisonRow.reference_id)
    if blocking is None:
        return
    if not blocking.visible:
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
            name=blocking.case.name,
        )
    raise UserError(409, error, gettext("An administrator can open that case again."))


def has_unfinished_comparison(session: Session, case: CaseRow) -> bool:
    """Return whether a comparison that belongs to a case waits or runs.

    For users who see everything, this includes every comparison of an exhibit in the case.
    """
    exhibits = select(AnalysisRow.exhibit_id).where(AnalysisRow.case_id == case.id)
    unfinished = select(ComparisonRow.id).where(
        ComparisonRow.exhibit_id.in_(exhibits), ComparisonRow.state.in_(states.UNFINISHED)
    )
    if not current().sees_all:
        known = select(AnalysisRow.exhibit_id).where(reachable_by_members(case.id, AnalysisRow))
        unfinished = unfinished.where(ComparisonRow.reference_id.in_(known))
    return session.scalar(unfinished.limit(1)) is not None


class _BlockingCase(NamedTuple):
    """A closed case that comparisons belong to, and whether the current user may see it."""

    case: CaseRow
    visible: bool


def _blocking_case(session: Session, affected: ColumnElement[bool], *sides: Any) -> _BlockingCase | None:
    """Return a closed case with an analysis of these sides of the comparisons, preferably a visible one."""
    both_sides = (ComparisonRow.exhibit_id, ComparisonRow.reference_id)
    members_see_both = and_(*(_members_see(CaseRow.id, side) for side in both_sides))
    rows = session.execute(
        select(CaseRow, members_see_both)
        .join(AnalysisRow, AnalysisRow.case_id == CaseRow.id)
        .join(ComparisonRow, AnalysisRow.exhibit_id.in_(sides))
        .where(affected, CaseRow.closed.is_not(None))
        .order_by(CaseRow.id)
    ).all()
    own_cases = visible(select(CaseRow.id), current()).where(CaseRow.id.in_({case.id for case, _ in rows}))
    own = set(session.scalars(own_cases))
    cases = [_BlockingCase(case, case.id in own) for case, shared in rows if shared or case.id in own]
    return next((case for case in cases if case.visible), cases[0] if cases else None)


def _members_see(case_id: Any, exhibit_id: Any) -> ColumnElement[bool]:
    """Return the condition that members of a case may see an exhibit, both columns of the outer select."""
    reachable_analyses = select(_analyses.c.id).where(
        _analyses.c.exhibit_id == exhibit_id, reachable_by_members(case_id, _analyses.c)
    )
    return reachable_analyses.correlate_except(_analyses).exists()
