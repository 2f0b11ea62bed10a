"""Create and change cases, their members and their analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from reports.language.names import normalized
from reports.language.translation import gettext
from webapp.accounts.permissions import Principal
from webapp.accounts.visibility import SAMPLE_FILE
from webapp.cases import access
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http import request_values
from webapp.review import reviewers as reviewer_service
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, CaseMember, CaseRow, CustodyRow, Exhibit, User, now

_LONGEST_NAME, _LONGEST_DESCRIPTION = 120, 2000


def create_case(session: Session, who: Principal, name: str, description: str) -> CaseRow:
    """A new case; whoever makes it is in it. Raises :class:`UserError` for words that it cannot have."""
    name, description = _cleaned(name, description)
    case = CaseRow(name=name, description=description, created=now(), created_by=who.name)
    session.add(case)
    session.flush()
    if who.user_id is not None:
        session.add(CaseMember(case_id=case.id, user_id=who.user_id))
    custody_log.append_access_event(session, "case made", case=case.id, name=case.name)
    return case


def change_case(
    session: Session, case: CaseRow, name: str, description: str, shown: Mapping[str, str | None]
) -> None:
    """Name and describe a case anew. Raises :class:`UserError` for words that it cannot have.

    ``shown`` is what the form showed first, by field, where that is known: nobody's words are replaced by
    somebody who has not seen them.
    """
    access.refuse_closed(session, case.id)
    name, description = _cleaned(name, description)
    if _meanwhile(case.name, shown["name"], name):
        raise _conflict(gettext("Somebody gave the case another name meanwhile: “%(name)s”.", name=case.name))
    if _meanwhile(case.description, shown["description"], description):
        words = gettext("Somebody described the case anew meanwhile: “%(text)s”.", text=case.description)
        raise _conflict(words, field="description")
    case.name, case.description = name, description
    custody_log.append_access_event(session, "case changed", case=case.id, name=case.name)


def _meanwhile(stored: str, shown: str | None, said: str) -> bool:
    """Whether a text became another one than it was ``shown``, and is not what is ``said`` now either."""
    return shown is not None and stored.splitlines() not in (shown.splitlines(), said.splitlines())


def _conflict(words: str, field: str = "name") -> UserError:
    remedy = gettext("Nothing was saved yet. What you typed stands below; save what is to stand.")
    return UserError(409, words, remedy, field=field)


def _cleaned(name: str, description: str) -> tuple[str, str]:
    """A case's name and description as they are kept; raises :class:`UserError` where it cannot have them."""
    name = normalized(" ".join(name.split()), _LONGEST_NAME)
    if not name:
        raise UserError(
            400,
            gettext("A case needs a name."),
            gettext("Say what it is called, or its number."),
            field="name",
        )
    if wrong := request_values.name_fault(name, _LONGEST_NAME):
        raise UserError(400, gettext("The name of the case cannot be used."), wrong, field="name")
    if len(description) > _LONGEST_DESCRIPTION:
        raise UserError(
            400,
            gettext("The description is too long."),
            gettext("At most %(longest_description)s characters.", longest_description=_LONGEST_DESCRIPTION),
            field="description",
        )
    return name, description.strip()


_AT_ONCE = 500  # analyses in one question


def reassign_analyses_of(session: Session, case_id: int, user: User) -> None:
    """Hand on the analyses that somebody owns in a case they are in no longer."""
    own = select(AnalysisRow).where(AnalysisRow.case_id == case_id, AnalysisRow.owner_id == user.id)
    rows = session.scalars(own).all()
    for start in range(0, len(rows), _AT_ONCE):
        _hand_on(session, case_id, user.id, rows[start : start + _AT_ONCE])


def reassign_owner(session: Session, row: AnalysisRow) -> None:
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


def reassign_older_rows(database: Database, _folders: Folders) -> None:
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
                reassign_owner(session, row)


def _intake(sha256: Any) -> ColumnElement[bool]:
    """Of a select of accounts: those that handed the exhibit of a SHA-256 in, by the custody log."""
    entries: Any = select(CustodyRow.number).where(
        CustodyRow.exhibit == sha256,
        CustodyRow.action.in_(("intake", "intake again")),
        CustodyRow.actor == User.name,
    )
    found: ColumnElement[bool] = entries.exists()
    return found


def add_member(session: Session, case: CaseRow, user_id: int) -> None:
    """Let somebody see the case.

    Raises :class:`~webapp.errors.UserError` where there is no such account, or it is disabled.
    """
    user = session.get(User, user_id)
    if user is None or user.disabled is not None:
        raise UserError(
            400, gettext("There is no such account, or it is disabled."), gettext("Choose one from the list.")
        )
    session.merge(CaseMember(case_id=case.id, user_id=user_id))
    custody_log.append_access_event(session, "case member added", case=case.id, account=user.name)


def remove_member(session: Session, case: CaseRow, user_id: int) -> None:
    """Let somebody see it no longer, but for what they handed in themselves.

    Raises :class:`~webapp.errors.UserError` where there is no such account.
    """
    user = session.get(User, user_id)
    if user is None:
        raise UserError(404, gettext("There is no such account."), gettext("Go back to the case."))
    session.execute(delete(CaseMember).where(CaseMember.case_id == case.id, CaseMember.user_id == user_id))
    reassign_analyses_of(session, case.id, user)
    custody_log.append_access_event(session, "case member removed", case=case.id, account=user.name)


def assign_to_case(session: Session, row: AnalysisRow, case_id: int | None) -> None:
    """Put an analysis into the case of this number; None leaves it to who handed it in.

    The session must be alone. Raises :class:`~webapp.errors.UserError` where one of the two cases is closed
    or not theirs, or a second reviewer of theirs would no longer review blind.
    """
    for concerned in (row.case_id, case_id):
        access.refuse_changes(session, concerned)
    if case_id != row.case_id:
        reviewer_service.refuse_leaving_case(session, row)
        reviewer_service.refuse_from_second(session, case_id, row.owner_id, row.id)
        if row.case_id is not None:
            reassign_owner(session, row)
    before, row.case_id = row.case_id, case_id
    custody_log.append_access_event(
        session, "case assigned", analysis=row.id, case=case_id or 0, before=before or 0
    )
