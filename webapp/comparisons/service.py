"""Start, cancel and delete comparisons with a reference, for pages and API."""

from __future__ import annotations

from sqlalchemy.orm import Session

from language.translation import gettext
from webapp import context
from webapp.accounts.permissions import current
from webapp.casework import case_rules
from webapp.errors import UserError
from webapp.exhibits import deletion, reference_comparisons
from webapp.jobs import states
from webapp.jobs.claims import create_comparison
from webapp.jobs.queue import tell_workers
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, Priority, State


def start(
    exhibit: AnalysisRow,
    reference: AnalysisRow,
    wanted_id: str | None = None,
    priority: Priority = Priority.NORMAL,
) -> ComparisonRow:
    """Queue a comparison of the exhibits of two analyses.

    If a comparison with the id ``wanted_id`` exists, it is returned instead. Raises :class:`UserError` if
    both exhibits have the same bytes, a video is to be compared with a photo, one of them has no picture, or
    the exhibit is in a closed case or one without the current user.
    """
    if exhibit.exhibit_id == reference.exhibit_id:
        raise UserError(
            400,
            gettext("Both files have the same bytes, so there is nothing to compare."),
            gettext("Choose another exhibit as the reference."),
        )
    with context.database().alone() as session:
        row = session.get(ComparisonRow, wanted_id) if wanted_id else None
        if row is None:
            case_rules.refuse_starting(session, exhibit)
            _refuse_photo_as_reference(exhibit, reference)
            _refuse_sound(exhibit, reference)
            exhibits = _exhibit_of(session, exhibit), _exhibit_of(session, reference)
            files = exhibit.file, reference.file
            row = create_comparison(session, *exhibits, files, current().name, wanted_id, priority)
    tell_workers(row.id)
    return row


def cancel(comparison_id: str) -> None:
    """Remove a comparison from the queue, or stop it; a cancelled one stays as it is.

    Raises :class:`UserError` if it has ended.
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
    deletion.delete_comparison(context.database(), context.folders(), comparison_id)


def _refuse_photo_as_reference(exhibit: AnalysisRow, reference: AnalysisRow) -> None:
    """Raise :class:`UserError` for a photo as the reference of a video.

    The kinds are known once each has a finished analysis; otherwise the job finds out.
    """
    is_video = reference_comparisons.is_photo(exhibit.exhibit_id) is False
    if is_video and reference_comparisons.is_photo(reference.exhibit_id):
        raise UserError(
            400,
            gettext(
                "%(photo)s is a photo and %(video)s is a video, which cannot be compared with a photo.",
                photo=reference.file,
                video=exhibit.file,
            ),
            gettext("Compare the photo with the video as its reference, or choose another video."),
        )


def _refuse_sound(*rows: AnalysisRow) -> None:
    """Raise :class:`UserError` for a recording without picture, once its analysis says so."""
    for row in rows:
        if row.sound_only:
            raise UserError(
                400,
                gettext("%(file)s has no picture, so there is nothing to compare.", file=row.file),
                gettext("Choose a video."),
            )


def _exhibit_of(session: Session, row: AnalysisRow) -> Exhibit:
    exhibit = session.get(Exhibit, row.exhibit_id)
    if exhibit is None:
        raise UserError(
            404,
            gettext("%(file)s was deleted meanwhile.", file=row.file),
            gettext("Upload the file again."),
        )
    return exhibit
