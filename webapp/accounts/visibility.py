"""Which analyses, exhibits, annotations, comparisons and cases an account may see.

Code that reads on behalf of a user opens a :func:`visible_session`, in which every select is narrowed, or
narrows a single select with :func:`visible`. What is hidden from a second reviewer until they have judged it
(:mod:`webapp.casework.blinding`) is left out as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, event, or_, select, true
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from webapp import context
from webapp.accounts.permissions import Principal, current
from webapp.storage.second_reviews import hidden_exhibits
from webapp.storage.tables import (
    AnalysisRow,
    AnnotationRow,
    CaseMember,
    CaseRow,
    ComparisonRow,
    Exhibit,
    State,
)

# The clip that everybody may see, made of public-domain portraits on the first start.
SAMPLE_FILE = "Reelproof sample.mp4"

_Statement = TypeVar("_Statement", bound=Select[Any])

# Aliases, or they would be taken for tables of the enclosing select.
_inner = AnalysisRow.__table__.alias()
_finished = AnalysisRow.__table__.alias()
_member, _fellow = CaseMember.__table__.alias(), CaseMember.__table__.alias()


def visible(statement: _Statement, principal: Principal) -> _Statement:
    """Narrow a select of analyses, annotations, exhibits, comparisons or cases to the visible rows."""
    if principal.sees_all:
        return statement
    tables = {table.name for source in statement.get_final_froms() for table in _tables(source)}
    conditions = [
        condition for entity, condition in _conditions(principal).items() if entity.__tablename__ in tables
    ]
    if not conditions:
        raise TypeError("visible() was given a select of none of the tables whose rows may be hidden")
    return statement.where(*conditions)


@contextmanager
def visible_session(principal: Principal | None = None) -> Iterator[Session]:
    """Open a session in which every select returns only rows visible to ``principal`` (default: the caller).

    For displaying. Code that decides whether a file is still needed must see everything and uses
    :meth:`webapp.storage.database.Database.begin`.
    """
    principal = principal or current()
    with context.database().begin() as session:
        if not principal.sees_all:
            event.listen(session, "do_orm_execute", _narrowing(_conditions(principal)))
        yield session


def _narrowing(conditions: dict[type[Any], ColumnElement[bool]]) -> Callable[[ORMExecuteState], None]:
    options = [
        with_loader_criteria(entity, condition, include_aliases=True)
        for entity, condition in conditions.items()
    ]

    def narrow(state: ORMExecuteState) -> None:
        if not isinstance(state.statement, Select):
            return
        # The options apply to selected entities, also aliased ones and those in subqueries. They miss a
        # select that only counts, or that only names a table in its conditions.
        covered = {column.get("entity") for column in state.statement.column_descriptions}
        tables = {table.name for source in state.statement.get_final_froms() for table in _tables(source)}
        missed = [
            condition
            for entity, condition in conditions.items()
            if entity not in covered and entity.__tablename__ in tables
        ]
        state.statement = state.statement.where(*missed).options(*options)

    return narrow


def _tables(source: Any) -> Iterator[Any]:
    if hasattr(source, "left"):  # a join
        yield from _tables(source.left)
        yield from _tables(source.right)
    elif hasattr(source, "name"):
        yield source


def visible_to_current(row: Any) -> ColumnElement[bool]:
    """Return the condition for analyses visible to the caller; ``row`` are columns of an alias."""
    principal = current()
    return true() if principal.sees_all else _visible_analyses(principal, row)


def exhibits_with_copies() -> Select[Any]:
    """Select ids of the exhibits whose copies the caller may know: those they see a finished analysis of.

    Bytes that are handed in again have their fingerprint and its matches at once, so copies of an exhibit
    whose analysis waits, failed or was cancelled would reveal that somebody else had handed it in before.
    """
    principal, ids = current(), select(_finished.c.exhibit_id)
    if principal.sees_all:
        return ids
    return ids.where(_finished.c.state == State.DONE, _visible_analyses(principal, _finished.c))


def reachable(statement: _Statement, principal: Principal) -> _Statement:
    """Narrow a select of analyses to those visible once the principal's second reviews are done."""
    return statement if principal.sees_all else statement.where(_reachable(principal, AnalysisRow))


def reachable_by_members(case_id: Any, row: Any) -> ColumnElement[bool]:
    """Return the condition for analyses that some member of a case may see, also because of another case.

    ``case_id`` may be a column. Administrators do not count: they see everything.
    """
    members = select(_fellow.c.user_id).where(_fellow.c.case_id == case_id).correlate_except(_fellow)
    cases = select(_member.c.case_id).where(_member.c.user_id.in_(members)).correlate_except(_member)
    return or_(row.case_id == case_id, row.owner_id.in_(members), row.case_id.in_(cases), _is_sample(row))


def _visible_analyses(principal: Principal, row: Any = AnalysisRow) -> ColumnElement[bool]:
    condition = _reachable(principal, row)
    if principal.user_id is None:
        return condition
    return and_(condition, row.exhibit_id.not_in(hidden_exhibits(principal.user_id, "findings")))


def _reachable(principal: Principal, row: Any) -> ColumnElement[bool]:
    """Return the condition for one's own analyses, those in one's cases, and the sample."""
    if principal.user_id is None:
        return _is_sample(row)
    return or_(row.owner_id == principal.user_id, row.case_id.in_(_cases_of(principal)), _is_sample(row))


def _is_sample(row: Any) -> ColumnElement[bool]:
    return and_(row.owner_id.is_(None), row.case_id.is_(None), row.file == SAMPLE_FILE)


def _cases_of(principal: Principal) -> Select[Any]:
    return select(_member.c.case_id).where(_member.c.user_id == principal.user_id)


def _conditions(principal: Principal) -> dict[type[Any], ColumnElement[bool]]:
    analyses = _visible_analyses(principal, _inner.c)
    exhibits = select(_inner.c.exhibit_id).where(analyses)
    annotations: ColumnElement[bool] = AnnotationRow.analysis_id.in_(select(_inner.c.id).where(analyses))
    if principal.user_id is not None:
        unjudged = select(_inner.c.id).where(_inner.c.exhibit_id.in_(hidden_exhibits(principal.user_id)))
        others = AnnotationRow.author != principal.display
        annotations &= ~(others & AnnotationRow.analysis_id.in_(unjudged))
    return {
        AnalysisRow: _visible_analyses(principal),
        AnnotationRow: annotations,
        Exhibit: Exhibit.id.in_(exhibits),
        # A comparison shows both exhibits.
        ComparisonRow: and_(ComparisonRow.exhibit_id.in_(exhibits), ComparisonRow.reference_id.in_(exhibits)),
        CaseRow: CaseRow.id.in_(_cases_of(principal)),
    }
