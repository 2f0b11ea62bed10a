"""Which analyses, exhibits, annotations, comparisons and cases an account may see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, event, or_, select, true
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from webapp import context
from webapp.accounts.permissions import Principal, current
from webapp.review import blinding
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseMember, CaseRow, ComparisonRow, Exhibit

# The one clip everybody may see: made on the first start, of public-domain portraits.
SAMPLE_FILE = "Reelproof sample.mp4"

_Statement = TypeVar("_Statement", bound=Select[Any])

# Under names of their own, or they would be taken for tables of the select around them.
_inner = AnalysisRow.__table__.alias()
_member, _fellow = CaseMember.__table__.alias(), CaseMember.__table__.alias()


def visible(statement: _Statement, principal: Principal) -> _Statement:
    """The select, of analyses, annotations, exhibits, comparisons or cases, narrowed to what they may see."""
    if principal.sees_all:
        return statement
    tables = {table.name for source in statement.get_final_froms() for table in _tables(source)}
    conditions = _conditions(principal)
    chosen = [condition for entity, condition in conditions.items() if entity.__tablename__ in tables]
    if not chosen:
        raise TypeError("visible() was given a select of none of the tables whose rows may be hidden")
    return statement.where(*chosen)


@contextmanager
def visible_session(principal: Principal | None = None) -> Iterator[Session]:
    """A session in which every select finds only what ``principal`` (by default, who asks) may see.

    For pages that show. What decides whether a file is still needed must know of everything,
    and uses :meth:`webapp.storage.database.Database.begin`.
    """
    who = principal or current()
    with context.database().begin() as session:
        if not who.sees_all:
            event.listen(session, "do_orm_execute", _narrowing(_conditions(who)))
        yield session


def _narrowing(conditions: dict[type[Any], ColumnElement[bool]]) -> Callable[[ORMExecuteState], None]:
    options = [
        with_loader_criteria(entity, what, include_aliases=True) for entity, what in conditions.items()
    ]

    def narrow(state: ORMExecuteState) -> None:
        if not isinstance(state.statement, Select):
            return
        # The options reach what is selected, under any name and in any subquery. Of a select that only
        # counts, or only names a table in its conditions, they know nothing.
        known = {each.get("entity") for each in state.statement.column_descriptions}
        tables = {table.name for source in state.statement.get_final_froms() for table in _tables(source)}
        left = [
            condition
            for entity, condition in conditions.items()
            if entity not in known and entity.__tablename__ in tables
        ]
        state.statement = state.statement.where(*left).options(*options)

    return narrow


def _tables(source: Any) -> Iterator[Any]:
    if hasattr(source, "left"):  # a join
        yield from _tables(source.left)
        yield from _tables(source.right)
    elif hasattr(source, "name"):
        yield source


def visible_to_current(row: Any) -> ColumnElement[bool]:
    """Which analyses who asks may see; ``row`` are columns of a table that no session narrows by itself."""
    who = current()
    return true() if who.sees_all else _analyses(who, row)


def reachable(statement: _Statement, principal: Principal) -> _Statement:
    """The select, of analyses, narrowed to what they may see once their second reviews are done."""
    return statement if principal.sees_all else statement.where(_reachable(principal, AnalysisRow))


def reachable_by_members(case_id: Any, row: Any) -> ColumnElement[bool]:
    """Which analyses any member of a case may see, and be it for another case; ``case_id`` may be a column.

    That administrators see everything is left out: it makes nothing a matter of the case.
    """
    members = select(_fellow.c.user_id).where(_fellow.c.case_id == case_id).correlate_except(_fellow)
    theirs = select(_member.c.case_id).where(_member.c.user_id.in_(members)).correlate_except(_member)
    return or_(row.case_id == case_id, row.owner_id.in_(members), row.case_id.in_(theirs), _sample(row))


def _analyses(principal: Principal, row: Any = AnalysisRow) -> ColumnElement[bool]:
    """Those they may reach, but for what is hidden until they have judged it (:mod:`blinding`)."""
    found = _reachable(principal, row)
    if principal.user_id is None:
        return found
    return and_(found, row.exhibit_id.not_in(blinding.hidden_exhibits(principal.user_id, "findings")))


def _reachable(principal: Principal, row: Any) -> ColumnElement[bool]:
    """Their own, those in a case of theirs, and the sample."""
    if principal.user_id is None:
        return _sample(row)
    return or_(row.owner_id == principal.user_id, row.case_id.in_(_cases_of(principal)), _sample(row))


def _sample(row: Any) -> ColumnElement[bool]:
    return and_(row.owner_id.is_(None), row.case_id.is_(None), row.file == SAMPLE_FILE)


def _cases_of(principal: Principal) -> Select[Any]:
    return select(_member.c.case_id).where(_member.c.user_id == principal.user_id)


def _conditions(principal: Principal) -> dict[type[Any], ColumnElement[bool]]:
    seen = _analyses(principal, _inner.c)
    exhibits = select(_inner.c.exhibit_id).where(seen)
    annotations: ColumnElement[bool] = AnnotationRow.analysis_id.in_(select(_inner.c.id).where(seen))
    if principal.user_id is not None:
        annotations &= ~blinding.annotations_of_others(principal.user_id, principal.display)
    return {
        AnalysisRow: _analyses(principal),
        AnnotationRow: annotations,
        Exhibit: Exhibit.id.in_(exhibits),
        # It shows both.
        ComparisonRow: and_(ComparisonRow.exhibit_id.in_(exhibits), ComparisonRow.reference_id.in_(exhibits)),
        CaseRow: CaseRow.id.in_(_cases_of(principal)),
    }
