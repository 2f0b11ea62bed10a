"""How much one person may hand in."""

from __future__ import annotations

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.intake.incoming import UploadLimit
from webapp.security.permissions import Principal
from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, Exhibit


def exhibit_bytes(session: Session, user_id: int) -> int:
    """Bytes of the exhibits an account has analyses of, each once."""
    own = select(AnalysisRow.exhibit_id).where(AnalysisRow.owner_id == user_id)
    return session.scalar(select(func.coalesce(func.sum(Exhibit.bytes), 0)).where(Exhibit.id.in_(own))) or 0


def upload_limit(settings: Settings, who: Principal) -> UploadLimit:
    """What one upload of theirs may bring: the usual limit, or what their quota leaves where that is less."""
    usual = UploadLimit(1, settings.upload_limit)
    if settings.quota is None or who.user_id is None:
        return usual
    database: Database = current_app.extensions["database"]
    with database.begin() as session:
        left = max(0, settings.quota - exhibit_bytes(session, who.user_id))
    if left >= settings.upload_limit:
        return usual
    total = f"{settings.quota / 1e6:,.10g} MB"
    return UploadLimit(
        1,
        left,
        smaller=f"That is what is left of the {total} you may use in all. Delete analyses you need no longer "
        "or ask whoever runs this Reelproof to raise REELPROOF_QUOTA_MB.",
    )
