"""How much one person may hand in: the usual limit of an upload, or what is left of their quota."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reports.text.numbers import shown
from reports.text.translation.language import gettext
from webapp import this_app
from webapp.intake import resumable
from webapp.intake.incoming import UploadLimit
from webapp.security.access.permissions import Principal, current
from webapp.settings import Settings
from webapp.storage.tables import AnalysisRow, Exhibit


def exhibit_bytes(session: Session, user_id: int) -> int:
    """Bytes of the exhibits an account has analyses of, each once."""
    own = select(AnalysisRow.exhibit_id).where(AnalysisRow.owner_id == user_id)
    found = session.scalar(select(func.coalesce(func.sum(Exhibit.bytes), 0)).where(Exhibit.id.in_(own)))
    return int(found or 0)


def upload_limit(settings: Settings, who: Principal) -> UploadLimit:
    """What one upload of theirs may bring, before it is read; checked again once it has arrived."""
    database = this_app.database()
    with database.begin() as session:
        return upload_limit_in(session, settings, who)


def upload_limit_in(
    session: Session, settings: Settings, who: Principal, but: str | None = None
) -> UploadLimit:
    """The usual limit, or what their quota leaves where that is less.

    Files that come in parts count with their whole size once they are announced, ``but`` one.
    """
    usual = UploadLimit(1, settings.upload_limit)
    if settings.quota is None or who.user_id is None:
        return usual
    used = exhibit_bytes(session, who.user_id) + resumable.announced_bytes(session, who.name, but)
    left = max(0, settings.quota - used)
    if left >= settings.upload_limit:
        return usual
    return UploadLimit(
        1,
        left,
        larger=gettext(
            "The file does not fit into your quota: of %(total)s MB for all your exhibits, %(used)s MB are "
            "used and %(left)s MB are left.",
            total=shown(settings.quota / 1e6, ",.10g"),
            used=shown(-(-used // 100_000) / 10, ",.10g"),  # to a tenth, never less than it is
            left=shown(left // 100_000 / 10, ",.10g"),  # never more
        ),
        smaller=gettext(
            "Unfinished uploads count with their whole size. Delete analyses you need no longer, or ask "
            "whoever runs this Reelproof to raise REELPROOF_QUOTA_MB."
        ),
    )


def refuse_beyond(session: Session, sha256: str, size: int, wanted_id: str | None) -> None:
    """Raise :class:`~webapp.errors.IntakeError` for an exhibit of more bytes (``size``) than they have.

    One of theirs is counted already. ``wanted_id`` is the id of the upload, if it came in parts.
    """
    settings, who = this_app.settings(), current()
    if settings.quota is None or who.user_id is None:
        return
    own = select(AnalysisRow.id).join(AnalysisRow.exhibit).where(AnalysisRow.owner_id == who.user_id)
    if session.scalar(own.where(Exhibit.sha256 == sha256).limit(1)) is not None:
        return
    limit = upload_limit_in(session, settings, who, wanted_id)
    if size > limit.bytes:
        raise limit.too_large()
