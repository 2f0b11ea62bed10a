"""What the custody log says: its entries in order, the last one of a kind, where it stands, its export."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, select
from sqlalchemy.orm import Session

from detector import timestamps
from reports.custody import format as custody_format
from reports.custody.format import ZEROS, Action, CustodyError, Entry, UnreadableEntry
from webapp.custody import actors
from webapp.storage.database import CUSTODY_KEY
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import CustodyRow, now


@dataclass(frozen=True)
class Head:
    """Where the log stands: how many entries, hash and MAC of the last one."""

    count: int
    sha256: str
    mac: str


def head(session: Session, until: int | None = None) -> Head:
    """Where the log stands now, or stood at its entry number ``until``."""
    query = select(CustodyRow.number, CustodyRow.sha256, CustodyRow.mac)
    if until is not None:
        query = query.where(CustodyRow.number <= until)
    found = session.execute(query.order_by(CustodyRow.number.desc()).limit(1)).one_or_none()
    return Head(*found) if found else Head(0, ZEROS, ZEROS)


def entries(
    session: Session, exhibit: str | None = None, until: int | None = None, after: int = 0
) -> Iterator[Entry]:
    """The entries about one exhibit, or all, in order and one at a time.

    ``until`` is the last number, ``after`` the one before the first.

    Raises :class:`~reports.custody.format.CustodyError` for a row that is none.
    """
    return map(_readable, rows(session, exhibit, until, after))


def rows(
    session: Session, exhibit: str | None = None, until: int | None = None, after: int = 0
) -> Iterator[Entry | UnreadableEntry]:
    """The same for checking, whatever the rows hold."""
    query = select(CustodyRow.__table__)
    if exhibit is not None:
        query = query.where(CustodyRow.exhibit == exhibit)
    if after:
        query = query.where(CustodyRow.number > after)
    if until is not None:
        query = query.where(CustodyRow.number <= until)
    found = session.execute(query.order_by(CustodyRow.number), execution_options={"yield_per": 1000})
    for place, row in enumerate(found.mappings(), after + 1):
        yield custody_format.parse(_values(row), place)


def entries_where(session: Session, *which: ColumnElement[bool]) -> Iterator[Entry]:
    """The entries of which all this holds, in order; raises as :func:`entries` does."""
    query = select(CustodyRow.__table__).where(*which).order_by(CustodyRow.number)
    for row in session.execute(query).mappings():
        yield _readable(custody_format.parse(_values(row), row["number"]))


def latest(session: Session, analysis_id: str, action: Action) -> Entry | None:
    """The last entry that says this of an analysis."""
    own = CustodyRow.analysis == analysis_id, CustodyRow.action == action
    return _newest(session, select(CustodyRow.__table__).where(*own))


def begun(session: Session) -> Entry | None:
    """The entry the log begins with: how much there was before it."""
    return _newest(session, select(CustodyRow.__table__).where(CustodyRow.action == "log begun"))


def tombstone(session: Session, analysis: str) -> Entry | None:
    """The entry that says when an analysis, or a comparison, was deleted."""
    query = select(CustodyRow.__table__).where(
        CustodyRow.analysis == analysis, CustodyRow.action == "deletion"
    )
    return _newest(session, query)


def latest_integrity_check(session: Session) -> Entry | None:
    """The last entry that sums up a check of all exhibits."""
    query = select(CustodyRow.__table__).where(
        CustodyRow.action == "integrity check", CustodyRow.exhibit.is_(None)
    )
    return _newest(session, query)


def latest_backup(session: Session) -> Entry | None:
    """The last entry of a backup."""
    return _newest(session, select(CustodyRow.__table__).where(CustodyRow.action == "backup"))


def latest_settings(session: Session) -> Entry | None:
    """The last entry that holds the settings."""
    own = CustodyRow.details.contains('"what": "settings"', autoescape=True)
    return _newest(session, select(CustodyRow.__table__).where(CustodyRow.action == "configuration", own))


def has_exported(session: Session, exhibit: str, analysis: str, sha256: str) -> bool:
    """Whether the export of a file of an analysis with this SHA-256, to who asks now, is recorded."""
    recorded = select(CustodyRow.number).where(
        CustodyRow.exhibit == exhibit,
        CustodyRow.analysis == analysis,
        CustodyRow.action == "export",
        CustodyRow.actor == actors.current().name,
        CustodyRow.details.contains(f'"sha256": "{sha256}"', autoescape=True),
    )
    return session.scalar(recorded.limit(1)) is not None


def is_own(session: Session, entry: Entry) -> bool:
    """Whether an entry was written with the log's key and not changed since; its place is not looked at."""
    key: CustodyKey = session.info[CUSTODY_KEY]
    if custody_format.entry_sha256(custody_format.to_json(entry)) != entry.sha256:
        return False
    return hmac.compare_digest(custody_format.mac(key.read(), entry.sha256), entry.mac)


def made_at(entry: Entry) -> datetime:
    """When an entry was made."""
    return timestamps.parse(entry.made)


def export(session: Session, exhibit: str | None, until: int | None = None) -> bytes:
    """``custody.json`` of one exhibit, or of the whole log; as it stood at entry ``until``, if not now."""
    parts = export_parts(session, exhibit, head(session, until))
    return "".join(parts).encode()


def export_parts(session: Session, exhibit: str | None, last: Head) -> Iterator[str]:
    """The same in parts, up to the entry ``last``: what others append from then on is not part of it."""
    own = entries(session, exhibit, until=last.count)
    return custody_format.export_parts(exhibit, last.count, last.sha256, last.mac, now(), own)


def _readable(entry: Entry | UnreadableEntry) -> Entry:
    if isinstance(entry, UnreadableEntry):
        raise CustodyError(f"{entry.problem} Run python -m webapp verify-log.")
    return entry


def _values(row: RowMapping) -> dict[str, Any]:
    try:
        details = json.loads(row["details"])
    except (TypeError, ValueError):
        details = None
    return dict(row) | {"details": details}


def _newest(session: Session, query: Select[Any]) -> Entry | None:
    row = session.execute(query.order_by(CustodyRow.number.desc()).limit(1)).mappings().one_or_none()
    return Entry(**_values(row)) if row else None
