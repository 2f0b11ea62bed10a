"""Start, cancel and delete comparisons with a reference, for pages and API."""

from __future__ import annotations

from sqlalchemy.orm import Session

from reports.language.translation import gettext
from webapp import context
from webapp.accounts.permissions import current
from webapp.analyses import deletion
from webapp.comparisons import case_rules, reference_comparisons
from webapp.errors import UserError
from webapp.jobs import claims, states
from webapp.jobs.queue import tell_workers
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, Priority, State


def start(
    exhibit: AnalysisRow,
    reference: AnalysisRow,
    wanted_id: str | None = None,
    priority: Priority = Priority.NORMAL,
) -> ComparisonRow:
    """Queue a comparison of the exhibits of two analyses, which give the names of both.

    ``wanted_id`` is the id it is to have; where it is there already nothing is done again. Raises
    :class:`~webapp.errors.UserError` where both have the same bytes, a video is to be compared with a photo,
    or the exhibit is in a closed case or in one of others.
    """
    if exhibit.exhibit_id == reference.exhibit_id:
        raise UserError(
            400,
            gettext("These are the same bytes: there is nothing to compare."),
            gettext("Choose another exhibit as the reference."),
        )
    with context.database().alone() as session:
        row = session.get(ComparisonRow, wanted_id) if wanted_id else None
        if row is None:
            case_rules.refuse_starting(session, exhibit)
            _refuse_photo_as_reference(session, exhibit, reference)
            files = exhibit.file, reference.file
            both = _exhibit_of(session, exhibit), _exhibit_of(session, reference)
            row = claims.create_comparison(session, *both, files, current().name, wanted_id, priority)
    tell_workers(row.id)
    return row


def cancel(comparison_id: str) -> None:
    """Take the comparison out of the queue, or stop it; one that was cancelled already is as asked.

    Raises :class:`~webapp.errors.UserError` where it has ended.
    """
    row = reference_comparisons.get_or_404(comparison_id)
    with context.database().begin() as session:
        case_rules.refuse_outsiders(session, row)
    if (
        not states.cancel(context.database(), comparison_id, ComparisonRow)
        and reference_comparisons.get_or_404(comparison_id).state != State.CANCELLED
    ):
        raise UserError(
            409, gettext("This comparison has ended already."), gettext("There is nothing left to cancel.")
        )


def delete(comparison_id: str) -> None:
    """Delete a comparison that has ended; both exhibits stay."""
    reference_comparisons.get_or_404(comparison_id)
    folders = context.folders()
    deletion.delete_comparison(context.database(), folders, comparison_id)


def _refuse_photo_as_reference(session: Session, exhibit: AnalysisRow, reference: AnalysisRow) -> None:
    """Raise :class:`UserError` for a photo as the reference of a video.

    The kinds are known where each has a finished analysis; otherwise the job finds out.
    """
    video = reference_comparisons.is_photo(session, exhibit.exhibit_id) is False
    if video and reference_comparisons.is_photo(session, reference.exhibit_id):
        raise UserError(
            400,
            gettext(
                "%(photo)s is a photo and %(video)s is a video, which cannot be compared with a photo.",
                photo=reference.file,
                video=exhibit.file,
            ),
            gettext("Compare the photo with the video as its reference, or choose another video."),
        )


def _exhibit_of(session: Session, row: AnalysisRow) -> Exhibit:
    found = session.get(Exhibit, row.exhibit_id)
    if found is None:
        raise UserError(
            404, gettext("%(file)s was deleted meanwhile.", file=row.file), gettext("Hand the file in again.")
        )
    return found
