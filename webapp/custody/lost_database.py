"""Whether the database of a data folder was lost: files lie there that neither rows nor the log tell of."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.settings import DATABASE, SettingError, Settings
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, ComparisonRow, CustodyRow, Exhibit


class LostDatabaseError(SettingError):
    """There are files, and the database never knew of one; the message says what to do."""


def refuse_lost(session: Session, settings: Settings) -> None:
    """Raise :class:`LostDatabaseError` where a database never had the exhibits or results of its data folder.

    A new beginning would hide that, and a backup of it replace the ones that have the rows.

    What only a store has is not looked at: without rows nobody fetches it, and with them it was never lost.
    """
    folders = Folders.local(settings.data)
    kept = {
        folders.exhibits.name: folders.exhibits.glob("*/*"),
        folders.analyses.name: folders.analyses.glob("[!.]*/*"),
        folders.comparisons.name: folders.comparisons.glob("[!.]*/*"),
    }
    names = ", ".join(name for name, files in kept.items() if any(files))
    if not names or _knows_any(session):
        return
    database = settings.data / DATABASE if settings.postgresql is None else "that of REELPROOF_DATABASE"
    raise LostDatabaseError(
        f"There are files in {names} of {settings.data}, and the database ({database}) never knew of any: it "
        "was lost, or is another one. Put it back, or restore a backup into a new folder; a folder that a "
        "restore was interrupted in is to be removed and restored anew. To begin with nothing all the same, "
        f"move {names} away."
    )


def _knows_any(session: Session) -> bool:
    """Whether there are exhibits, analyses or comparisons, or were some that the log tells of."""
    known = (Exhibit.id, AnalysisRow.id, ComparisonRow.id)
    if any(session.scalar(select(column).limit(1)) is not None for column in known):
        return True
    told = select(CustodyRow.number).where(CustodyRow.exhibit.is_not(None)).limit(1)
    return session.scalar(told) is not None
