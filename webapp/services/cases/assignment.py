"""Which case an analysis is in: put into one, into another, or taken out."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.custody import log as custody_log
from webapp.services.case_rules import write_access
from webapp.services.cases import ownership
from webapp.services.review import reviewers as reviewer_service
from webapp.storage.tables import AnalysisRow


def assign(session: Session, row: AnalysisRow, case_id: int | None) -> None:
    """Put an analysis into the case of this number; None leaves it to who handed it in.

    The session must be alone. Raises :class:`~webapp.errors.UserError` where one of the two cases is closed
    or not theirs, or a second reviewer of theirs would no longer review blind.
    """
    for concerned in (row.case_id, case_id):
        write_access.refuse_changes(session, concerned)
    if case_id != row.case_id:
        reviewer_service.refuse_taking_out(session, row)
        reviewer_service.refuse_from_second(session, case_id, row.owner_id, row.id)
        if row.case_id is not None:
            ownership.hand_on(session, row)
    before, row.case_id = row.case_id, case_id
    custody_log.append_access_event(
        session, "case assigned", analysis=row.id, case=case_id or 0, before=before or 0
    )
