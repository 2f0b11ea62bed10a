"""Create and change cases, their members and their analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from language.names import normalized
from language.translation import gettext
from webapp.accounts.permissions import Principal
from webapp.accounts.visibility import SAMPLE_FILE
from webapp.casework import access, reviewers
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http.request_values import name_fault
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, CaseMember, CaseRow, CustodyRow, Exhibit, User, now

_MAX_NAME, _MAX_DESCRIPTION = 120, 2000
_BATCH = 500  # analyses in one query


def create_case(session: Session, who: Principal, name: str, description: str) -> CaseRow:
    """Create a case with its creator as a member. Raises :class:`UserError` for an invalid name."""
    name, description = _validated(name, description)
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
    """Change a case's name and description. Raises :class:`UserError` for invalid ones.

    ``shown`` has what the form showed first, by field, if known. A text that somebody else changed since is
    not overwritten.
    """
    access.refuse_closed(session, case.id)
    name, description = _validated(name, description)
    if _conflicts(case.name, shown["name"], name):
        raise _conflict_error(
            gettext("Another person has renamed the case: “%(name)s”.", name=case.name), "name"
        )
    if _conflicts(case.description, shown["description"], description):
        message = gettext(
            "Another person has changed the description of the case: “%(text)s”.", text=case.description
        )
        raise _conflict_error(message, "description")
    case.name, case.description = name, description
    custody_log.append_access_event(session, "case changed", case=case.id, name=case.name)


def _conflicts(stored: str, shown: str | None, entered: str) -> bool:
    """Return whether a text was changed since it was shown, to something other than what was entered."""
    return shown is not None and stored.splitlines() not in (shown.splitlines(), entered.splitlines())


def _conflict_error(message: str, field: str) -> UserError:
    remedy = gettext("Nothing was saved yet. Your entries are shown below; correct them and save again.")
    return UserError(409, message, remedy, field=field)


def _validated(name: str, description: str) -> tuple[str, str]:
    """Return name and description in stored form; raise :class:`UserError` if they are invalid."""
    name = normalized(" ".join(name.split()), _MAX_NAME)
    if not name:
        raise UserError(
            400,
            gettext("A case needs a name."),
            gettext("Enter its name or number."),
            field="name",
        )
    if fault := name_fault(name, _MAX_NAME):
        raise UserError(400, gettext("The name of the case cannot be used."), fault, field="name")
    if len(description) > _MAX_DESCRIPTION:
        raise UserError(
            400,
            gettext("The description is too long."),
            gettext("At most %(longest_description)s characters.", longest_description=_MAX_DESCRIPTION),
            field="description",
        )
    return name, description.strip()


def add_member(session: Session, case: CaseRow, user_id: int) -> None:
    """Let a user see the case. Raises :class:`UserError` if there is no such account or it is disabled."""
    user = session.get(User, user_id)
    if user is None or user.disabled is not None:
        raise UserError(
            400, gettext("There is no such account, or it is disabled."), gettext("Choose one from the list.")
        )
    session.merge(CaseMember(case_id=case.id, user_id=user_id))
    custody_log.append_access_event(session, "case member added", case=case.id, account=user.name)


def remove_member(session: Session, case: CaseRow, user_id: int) -> None:
    """Stop a user from seeing the case, except for exhibits they uploaded themselves.

    Raises :class:`UserError` if there is no such account.
    """
    user = session.get(User, user_id)
    if user is None:
        raise UserError(404, gettext("There is no such account."), gettext("Go back to the case."))
    session.execute(delete(CaseMember).where(CaseMember.case_id == case.id, CaseMember.user_id == user_id))
    reassign_analyses_of(session, case.id, user)
    custody_log.append_access_event(session, "case member removed", case=case.id, account=user.name)


def assign_to_case(session: Session, row: AnalysisRow, case_id: int | None) -> None:
    """Put an analysis into a case; None takes it out and leaves it to the uploader of its exhibit.

    The session must come from :meth:`Database.alone`. Raises :class:`UserError` if the user is not in one of
    the two cases, one is closed, or a second reviewer of theirs would no longer review blind.
    """
    for concerned in (row.case_id, case_id):
        access.refuse_changes(session, concerned)
    if case_id != row.case_id:
        reviewers.refuse_leaving_case(session, row)
        reviewers.refuse_from_second(session, case_id, row.owner_id, row.id)
        if row.case_id is not None:
            reassign_owner(session, row)
    before, row.case_id = row.case_id, case_id
    custody_log.append_access_event(
        session, "case assigned", analysis=row.id, case=case_id or 0, before=before or 0
    )


# An analysis is owned by the user who started it. In a case this may be a member who analysed an exhibit
# again that another member had uploaded; such an analysis is theirs only while both are in the case. When
# the analysis or its owner leaves the case, only a user who uploaded the exhibit keeps it.


def reassign_analyses_of(session: Session, case_id: int, user: User) -> None:
    """Reassign the analyses of a user who has left a case."""
    own = select(AnalysisRow).where(AnalysisRow.case_id == case_id, AnalysisRow.owner_id == user.id)
    rows = session.scalars(own).all()
    for start in range(0, len(rows), _BATCH):
        _reassign(session, case_id, user.id, rows[start : start + _BATCH])


def reassign_owner(session: Session, row: AnalysisRow) -> None:
    """Reassign an analysis that leaves its case, unless its owner uploaded the exhibit.

    The new owner is the member of the case who did, the one with the oldest analysis of it there. If there is
    none, it is left to administrators.
    """
    if row.case_id is not None and row.owner_id is not None:
        _reassign(session, row.case_id, row.owner_id, [row])


def _reassign(session: Session, case_id: int, owner_id: int, rows: Sequence[AnalysisRow]) -> None:
    """Reassign analyses of one owner in one case."""
    uploaded = _has_uploaded(Exhibit.sha256)
    exhibits = select(Exhibit.id).where(Exhibit.id.in_({row.exhibit_id for row in rows}))
    own_exhibits = set(session.scalars(exhibits.join(User, User.id == owner_id).where(uploaded)))
    # An analysis of the sample without an owner would be visible to everybody.
    reassigned = [row for row in rows if row.exhibit_id not in own_exhibits and row.file != SAMPLE_FILE]
    successors = (
        select(AnalysisRow.exhibit_id, AnalysisRow.owner_id)
        .join(Exhibit, Exhibit.id == AnalysisRow.exhibit_id)
        .join(CaseMember, CaseMember.user_id == AnalysisRow.owner_id)
        .join(User, User.id == AnalysisRow.owner_id)
        .where(
            AnalysisRow.case_id == case_id,
            CaseMember.case_id == case_id,
            AnalysisRow.exhibit_id.in_({row.exhibit_id for row in reassigned}),
            uploaded,
        )
    )
    new_owners: dict[int, int | None] = {}
    for exhibit_id, successor in session.execute(successors.order_by(AnalysisRow.created, AnalysisRow.id)):
        new_owners.setdefault(exhibit_id, successor)
    for row in reassigned:
        row.owner_id = new_owners.get(row.exhibit_id)


def reassign_older_rows(database: Database, _folders: Folders) -> None:
    """Reassign analyses of users who left a case under a version that did not do so."""
    is_member = select(CaseMember.user_id).where(
        CaseMember.case_id == AnalysisRow.case_id, CaseMember.user_id == AnalysisRow.owner_id
    )
    left_behind = (
        select(AnalysisRow)
        .join(AnalysisRow.exhibit)
        .join(User, User.id == AnalysisRow.owner_id)
        .where(AnalysisRow.case_id.is_not(None), AnalysisRow.file != SAMPLE_FILE)
        .where(~is_member.exists(), ~_has_uploaded(Exhibit.sha256))
    )
    with database.begin() as session:
        ids = session.scalars(left_behind.with_only_columns(AnalysisRow.id)).all()
    for analysis_id in ids:
        with database.alone() as session:  # one at a time: others write meanwhile
            row = session.scalar(left_behind.where(AnalysisRow.id == analysis_id))
            if row is not None:
                reassign_owner(session, row)


def _has_uploaded(sha256: Any) -> ColumnElement[bool]:
    """Return the condition that a selected account uploaded an exhibit, according to the custody log."""
    entries: Any = select(CustodyRow.number).where(
        CustodyRow.exhibit == sha256,
        CustodyRow.action.in_(("intake", "intake again")),
        CustodyRow.actor == User.name,
    )
    condition: ColumnElement[bool] = entries.exists()
    return condition
