"""The database as it is: commands bring no tables up to date, and few may make one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webapp.settings import SettingError, Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, opened
from webapp.storage.database_copy import refuse_other_version


@contextmanager
def existing(settings: Settings) -> Iterator[Database]:
    """The database for the ``with`` block.

    Raises :class:`SettingError` where SQLite's file is not there, and :class:`~webapp.errors.UserError` where
    the tables are those of another version.
    """
    if settings.postgresql is None and not Path(str(settings.database_url.database)).is_file():
        raise SettingError(f"There is no database in {settings.data}. Set REELPROOF_DATA to the data folder.")
    with opened(settings) as database:
        refuse_other_version(database)
        yield database


@contextmanager
def existing_or_new(settings: Settings) -> Iterator[Database]:
    """The same, or a new one where there is none, for what may come before the first start of the app."""
    Folders.local(settings.data).create()
    with opened(settings) as database:
        if database.revision() is None:
            database.migrate()
    with existing(settings) as database:
        yield database
