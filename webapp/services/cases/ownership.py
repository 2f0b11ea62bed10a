"""Whose an analysis is when it, or its owner, leaves a case: only who handed its exhibit in keeps it.

An analysis is owned by who asked for it. In a case that may be a member who analysed again what another one
handed in. Such an analysis is theirs for as long as both are in the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from webapp.security.access.visibility import SAMPLE_FILE
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, CaseMember, CustodyRow, Exhibit, User

_AT_ONCE = 500  # analyses in one question


def leave(session: Session, case_id: int, user: User) -> None:
    """Hand on the analyses that somebody owns in a case they are in no longer."""
    own = select(AnalysisRow).where(AnalysisRow.case_id == case_id, AnalysisRow.owner_id == user.id)
    rows = session.scalars(own).all()
    for start in range(0, len(rows), _AT_ONCE):
        _hand_on(session, case_id, user.id, rows[start : start + _AT_ONCE])


def hand_on(session: Session, row: AnalysisRow) -> None:
    """Take an analysis in a case from an owner who did not hand its exhibit in.

    It is left to the member of the case who did, the one with the oldest analysis of it there; where there is
    none, to administrators.
    """
    if row.case_id is not None and row.owner_id is not None:
        _hand_on(session, row.case_id, row.owner_id, [row])


def _hand_on(session: Session, case_id: int, owner_id: int, rows: Sequence[AnalysisRow]) -> None:
    """The same for analyses of one owner in one case."""
    handed_in = _intake(Exhibit.sha256)
    exhibits = select(Exhibit.id).where(Exhibit.id.in_({row.exhibit_id for row in rows}))
    kept = set(session.scalars(exhibits.join(User, User.id == owner_id).where(handed_in)))
    # One of the sample without an owner would be for everybody.
    taken = [row for row in rows if row.exhibit_id not in kept and row.file != SAMPLE_FILE]
    successors = (
        select(AnalysisRow.exhibit_id, AnalysisRow.owner_id)
        .join(Exhibit, Exhibit.id == AnalysisRow.exhibit_id)
        .join(CaseMember, CaseMember.user_id == AnalysisRow.owner_id)
        .join(User, User.id == AnalysisRow.owner_id)
        .where(
            AnalysisRow.case_id == case_id,
            CaseMember.case_id == case_id,
            AnalysisRow.exhibit_id.in_({row.exhibit_id for row in taken}),
            handed_in,
        )
    )
    first: dict[int, int | None] = {}
    for exhibit_id, successor in session.execute(successors.order_by(AnalysisRow.created, AnalysisRow.id)):
        first.setdefault(exhibit_id, successor)
    for row in taken:
        row.owner_id = first.get(row.exhibit_id)


def hand_on_older_rows(database: Database, _folders: Folders) -> None:
    """The same for those who left a case by a version that did not hand their analyses on."""
    inside = select(CaseMember.user_id).where(
        CaseMember.case_id == AnalysisRow.case_id, CaseMember.user_id == AnalysisRow.owner_id
    )
    left = (
        select(AnalysisRow)
        .join(AnalysisRow.exhibit)
        .join(User, User.id == AnalysisRow.owner_id)
        .where(AnalysisRow.case_id.is_not(None), AnalysisRow.file != SAMPLE_FILE)
        .where(~inside.exists(), ~_intake(Exhibit.sha256))
    )
    with database.begin() as session:
        ids = session.scalars(left.with_only_columns(AnalysisRow.id)).all()
    for analysis_id in ids:
        with database.alone() as session:  # one at a time: others write meanwhile
            row = session.scalar(left.where(AnalysisRow.id == analysis_id))
            if row is not None:
                hand_on(session, row)


def _intake(sha256: Any) -> ColumnElement[bool]:
    """Of a select of accounts: those that handed the exhibit of a SHA-256 in, by the custody log."""
    entries: Any = select(CustodyRow.number).where(
        CustodyRow.exhibit == sha256,
        CustodyRow.action.in_(("intake", "intake again")),
        CustodyRow.actor == User.name,
    )
    found: ColumnElement[bool] = entries.exists()
    return found
