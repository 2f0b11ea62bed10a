"""When a session or a token was last used, written beside the request and not as a part of it."""

from __future__ import annotations

import logging

from sqlalchemy import Update
from sqlalchemy.exc import OperationalError

from webapp.storage.database import Database

log = logging.getLogger(__name__)


def note(database: Database, use: Update) -> None:
    """Write it, where that can be done: a full disk keeps nobody from what is there to be read."""
    try:
        with database.begin() as session:
            session.execute(use)
    except OperationalError as problem:
        log.warning("when a session or token was last used cannot be noted: %s", problem.orig)
