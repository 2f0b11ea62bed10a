"""The database as it is, for commands that neither make one nor bring its tables up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webapp.settings import SettingError, Settings
from webapp.storage.database import Database, opened
from webapp.storage.database_copy import refuse_other_version


@contextmanager
def existing(settings: Settings) -> Iterator[Database]:
    """The database for the ``with`` block.

    Raises :class:`SettingError` where SQLite's file is not there, and :class:`~webapp.errors.UserError` where
    the tables are those of another version.
    """
    url = settings.database_url
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        raise SettingError(f"There is no database in {settings.data}. Set REELPROOF_DATA to the data folder.")
    with opened(settings) as database:
        refuse_other_version(database)
        yield database
