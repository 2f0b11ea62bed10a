"""Apps that start quickly: tables copied from a file that was migrated once, hashes of passwords cheap.

Migrations take a third of a second, one hash at its full cost a tenth: an app a test comes to minutes.
Tests of migrations, and those on PostgreSQL, have them for real.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import URL

from webapp.security.passwords import Cost, Passwords
from webapp.storage.database import Database

CHEAP = Cost(memory=8, passes=1, lanes=1)


class Quick:
    """From :meth:`install` to :meth:`remove`, new databases of SQLite are copies of ``folder``'s."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "migrated.sqlite3"
        self._migrate, self._cost = Database.migrate, Passwords.__init__.__defaults__

    def install(self) -> None:
        def migrate(database: Database) -> None:
            place = Path(database.engine.url.database or "")
            if database.engine.url.get_backend_name() == "sqlite" and not place.exists():
                shutil.copy(self._made(), place)
            self._migrate(database)  # finds nothing to do, and would for any other file

        Database.migrate = migrate  # type: ignore[method-assign]
        Passwords.__init__.__defaults__ = (CHEAP,)  # type: ignore[attr-defined]

    def remove(self) -> None:
        Database.migrate = self._migrate  # type: ignore[method-assign]
        Passwords.__init__.__defaults__ = self._cost  # type: ignore[attr-defined]

    def _made(self) -> Path:
        if not self._template.exists():
            url = URL.create("sqlite", database=str(self._template))
            database = Database(url, {})
            self._migrate(database)
            database.close()
        return self._template
