"""Delete what the retention setting says is due (:mod:`webapp.exhibits.retention`)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from webapp.cases import closing
from webapp.errors import UserError
from webapp.exhibits import deletion, retention
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import now

log = logging.getLogger(__name__)

MOST_AT_ONCE = 20  # deletions; the queue is looked after between them


def delete_due(database: Database, settings: Settings) -> int:
    """Delete up to :data:`MOST_AT_ONCE` analyses and cases that are due, oldest first; return their number.

    Each deletion has an entry in the custody log, with the reason. What a comparison with another closed case
    protects stays until that case is deleted.
    """
    if settings.retention is None:
        return 0
    with database.begin() as session:
        due = retention.due_until(session, settings.retention, now())
    if not (due.analyses or due.cases):
        return 0
    folders, deleted = Folders.of(settings), 0
    reason = f"retention: older than {settings.retention.days:,} days"

    def attempt(what: str, delete: Callable[[], object]) -> None:
        nonlocal deleted
        if deleted == MOST_AT_ONCE:
            return
        try:
            delete()
        except UserError as kept:
            log.info("%s is past its retention and stays: %s", what, kept.error)
            return
        deleted += 1
        log.info("%s was deleted: %s", what, reason)

    for case in due.cases:
        attempt(f"case {case.id}", partial(closing.purge, database, folders, case.id, reason))
    for analysis in due.analyses:
        attempt(
            f"analysis {analysis.id}",
            partial(deletion.delete_analysis, database, folders, analysis.id, reason=reason),
        )
    return deleted
