"""The custody log: append entries in the transaction of the act they record, and read them back.

Numbers are assigned under a lock that lasts until the transaction ends: SQLite's write lock, or an advisory
lock in PostgreSQL. Append last in a transaction, so that the lock is held briefly and always acquired after
the rows' own locks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from flask import g, has_request_context
from sqlalchemy import ColumnElement, RowMapping, Select, func, insert, select, text
from sqlalchemy.orm import Session

from detector import timestamps
from detector.files import hash_file
from detector.timestamps import iso_milliseconds
from language.names import NOBODY
from reports.custody import format as custody_format
from reports.custody.format import ZEROS, Action, CustodyError, Entry, UnreadableEntry
from webapp.storage.database import CUSTODY_KEY
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import CustodyRow, now

VIEW_INTERVAL = timedelta(minutes=15)  # opening the same page again within it is not recorded
EntryDetails = Mapping[str, str | int | None]

SOFTWARE = "reelproof"
# Set by a supervisor for its workers: process id and start time, so that no other supervisor has the same.
STARTED_BY = "REELPROOF_STARTED_BY"

_MAX_LENGTH = 4000  # characters of one detail
_BATCH = 500  # exhibits in one query
_ADVISORY_LOCK = 0x5EE1_C057  # an arbitrary number, the same everywhere


class Actor(NamedTuple):
    """Who acts: an account's name, or the software with the name of its process."""

    name: str
    process: str | None


def current_actor() -> Actor:
    """Return who acts now: the sender of the current request, or the software itself."""
    if has_request_context():
        # Set by webapp.accounts.request_guard, which is not imported: it needs the database.
        principal = g.get("principal")
        return Actor(principal.name if principal else NOBODY, None)
    return Actor(SOFTWARE, process_name())


def process_name(process: int | None = None) -> str:
    """Return a name for this process, or for another one of the same instance, that includes the machine."""
    return f"{process_name_prefix()}{process or os.getpid()}"


def process_name_prefix(started_by: str | None = None) -> str:
    """Return the common prefix of the names of all workers of a supervisor, by default this one's."""
    return f"{socket.gethostname()}/{started_by or os.environ.get(STARTED_BY, '')}:"


@dataclass(frozen=True)
class Head:
    """The state of the log: number of entries, hash and MAC of the last one."""

    count: int
    sha256: str
    mac: str


def head(session: Session, until: int | None = None) -> Head:
    """Return the state of the log now, or as of entry number ``until``."""
    query = select(CustodyRow.number, CustodyRow.sha256, CustodyRow.mac)
    if until is not None:
        query = query.where(CustodyRow.number <= until)
    row = session.execute(query.order_by(CustodyRow.number.desc()).limit(1)).one_or_none()
    return Head(*row) if row else Head(0, ZEROS, ZEROS)


def iter_entries(
    session: Session, exhibit: str | None = None, until: int | None = None, after: int = 0
) -> Iterator[Entry]:
    """Yield the entries about one exhibit, or all, in order; only those with ``after < number <= until``.

    Raises :class:`~reports.custody.format.CustodyError` for an unreadable row.
    """
    return map(_require_readable, iter_rows(session, exhibit, until, after))


def iter_rows(
    session: Session, exhibit: str | None = None, until: int | None = None, after: int = 0
) -> Iterator[Entry | UnreadableEntry]:
    """Like :func:`iter_entries`, but also yield unreadable rows, for checks."""
    query = select(CustodyRow.__table__)
    if exhibit is not None:
        query = query.where(CustodyRow.exhibit == exhibit)
    if after:
        query = query.where(CustodyRow.number > after)
    if until is not None:
        query = query.where(CustodyRow.number <= until)
    rows = session.execute(query.order_by(CustodyRow.number), execution_options={"yield_per": 1000})
    for place, row in enumerate(rows.mappings(), after + 1):
        yield custody_format.parse(_values(row), place)


def iter_entries_where(session: Session, *conditions: ColumnElement[bool]) -> Iterator[Entry]:
    """Yield the entries that meet all conditions, in order; raises as :func:`iter_entries` does."""
    query = select(CustodyRow.__table__).where(*conditions).order_by(CustodyRow.number)
    for row in session.execute(query).mappings():
        yield _require_readable(custody_format.parse(_values(row), row["number"]))


def latest_entry(session: Session, analysis_id: str, action: Action) -> Entry | None:
    """Return the last entry with this action about an analysis or comparison."""
    return _latest_where(session, CustodyRow.analysis == analysis_id, CustodyRow.action == action)


def first_entry(session: Session) -> Entry | None:
    """Return the entry with which the log begins; it says how much existed before."""
    return _latest_where(session, CustodyRow.action == "log begun")


def deletion_entry(session: Session, analysis: str) -> Entry | None:
    """Return the entry about the deletion of an analysis or comparison."""
    return _latest_where(session, CustodyRow.analysis == analysis, CustodyRow.action == "deletion")


def latest_integrity_check(session: Session) -> Entry | None:
    """Return the last entry that summarises a check of all exhibits."""
    return _latest_where(session, CustodyRow.action == "integrity check", CustodyRow.exhibit.is_(None))


def latest_backup(session: Session) -> Entry | None:
    """Return the last entry about a backup."""
    return _latest_where(session, CustodyRow.action == "backup")


def latest_settings(session: Session) -> Entry | None:
    """Return the last entry with the settings."""
    are_settings = CustodyRow.details.contains('"what": "settings"', autoescape=True)
    return _latest_where(session, CustodyRow.action == "configuration", are_settings)


def _latest_where(session: Session, *conditions: ColumnElement[bool]) -> Entry | None:
    query = select(CustodyRow.__table__).where(*conditions).order_by(CustodyRow.number.desc())
    row = session.execute(query.limit(1)).mappings().one_or_none()
    return Entry(**_values(row)) if row else None


def is_export_recorded(session: Session, exhibit: str, analysis: str, sha256: str) -> bool:
    """Return whether the log has an export of a file with this SHA-256 to the current actor."""
    recorded = select(CustodyRow.number).where(
        CustodyRow.exhibit == exhibit,
        CustodyRow.analysis == analysis,
        CustodyRow.action == "export",
        CustodyRow.actor == current_actor().name,
        CustodyRow.details.contains(f'"sha256": "{sha256}"', autoescape=True),
    )
    return session.scalar(recorded.limit(1)) is not None


def is_authentic(session: Session, entry: Entry) -> bool:
    """Return whether an entry was written with the log's key and not changed since, wherever it stands."""
    key: CustodyKey = session.info[CUSTODY_KEY]
    if custody_format.entry_sha256(custody_format.to_json(entry)) != entry.sha256:
        return False
    return hmac.compare_digest(custody_format.mac(key.read(), entry.sha256), entry.mac)


def entry_time(entry: Entry) -> datetime:
    """Return when an entry was made."""
    return timestamps.parse(entry.made)


def export_log(session: Session, exhibit: str | None, until: int | None = None) -> bytes:
    """Return ``custody.json`` of one exhibit or of the whole log, now or as of entry number ``until``."""
    return "".join(iter_export(session, exhibit, head(session, until))).encode()


def iter_export(session: Session, exhibit: str | None, last: Head) -> Iterator[str]:
    """Yield ``custody.json`` in parts, up to the entry ``last``; entries appended later are not included."""
    entries = iter_entries(session, exhibit, until=last.count)
    return custody_format.export_parts(exhibit, last.count, last.sha256, last.mac, now(), entries)


def _require_readable(entry: Entry | UnreadableEntry) -> Entry:
    if isinstance(entry, UnreadableEntry):
        raise CustodyError(f"{entry.problem} Run python -m webapp verify-log.")
    return entry


def _values(row: RowMapping) -> dict[str, Any]:
    try:
        details = json.loads(row["details"])
    except (TypeError, ValueError):
        details = None
    return dict(row) | {"details": details}


def append(
    session: Session,
    action: Action,
    details: EntryDetails | None = None,
    *,
    exhibit: str | None = None,
    analysis: str | None = None,
    actor: str | None = None,
) -> Entry:
    """Append an entry, which becomes part of the log when the session's transaction commits.

    ``exhibit`` is a SHA-256, ``analysis`` an id. ``actor`` replaces the current actor's name, for somebody
    who is not signed in. Details that are None are left out.
    """
    return append_all(session, action, [details or {}], exhibit=exhibit, analysis=analysis, actor=actor)[0]


def append_all(
    session: Session,
    action: Action,
    details: Sequence[EntryDetails],
    *,
    exhibit: str | None,
    analysis: str | None,
    actor: str | None,
) -> list[Entry]:
    """Append an entry for each of ``details``, as :func:`append` does; fast for thousands."""
    return _append(session, action, [(item, exhibit, analysis) for item in details], actor)


def append_about(
    session: Session, action: Action, details: EntryDetails, about: Iterable[tuple[str, str]]
) -> None:
    """Append the same entry about many analyses, given as SHA-256 of the exhibit and id."""
    _append(session, action, [(details, exhibit, analysis) for exhibit, analysis in about], None)


def _append(
    session: Session,
    action: Action,
    acts: Sequence[tuple[EntryDetails, str | None, str | None]],
    actor: str | None,
) -> list[Entry]:
    """Append an entry for each of ``acts``: details, exhibit, analysis."""
    if not acts:
        return []
    session.flush()  # the recorded change comes first, and so do its errors
    _acquire_lock(session)
    who, moment = current_actor(), now()
    last = head(session)
    number, previous = last.count, last.sha256
    last_of_exhibit = _last_hashes(
        session, sorted({exhibit for _, exhibit, _ in acts if exhibit is not None})
    )
    key: CustodyKey = session.info[CUSTODY_KEY]
    entries = []
    for details, exhibit, analysis in acts:
        full_details = dict(details) | ({} if who.process is None else {"process": who.process})
        body = custody_format.entry_body(
            moment,
            str(_fit(actor or who.name, 120)),
            action,
            exhibit=exhibit,
            analysis=analysis,
            details={
                name: _fit(value, _MAX_LENGTH) for name, value in full_details.items() if value is not None
            },
        )
        number += 1
        previous_of_exhibit = ZEROS if exhibit is None else last_of_exhibit.get(exhibit, ZEROS)
        entry = custody_format.sign_entry(body, number, previous, previous_of_exhibit, key.read())
        previous = entry.sha256
        if exhibit is not None:
            last_of_exhibit[exhibit] = entry.sha256
        entries.append(entry)
    values = [
        custody_format.to_json(entry)
        | {"details": json.dumps(entry.details, ensure_ascii=False, sort_keys=True)}
        for entry in entries
    ]
    session.execute(insert(CustodyRow.__table__), values)  # type: ignore[arg-type]
    return entries


def append_access_event(
    session: Session, what: str, *, actor: str | None = None, **details: str | int
) -> None:
    """Append an entry about access: sign-ins and refusals, accounts, roles, tokens, cases and their members.

    All have the action ``account`` and are told apart by ``what``. ``actor`` is somebody who is not signed in
    yet; by default it is the current actor.
    """
    plain = {name: str(value) if isinstance(value, str) else value for name, value in details.items()}
    append(session, "account", {"what": what, **plain}, actor=actor)


def append_view(session: Session, exhibit: str, analysis: str) -> None:
    """Record that somebody opened the page of an analysis, unless they did within :data:`VIEW_INTERVAL`."""
    actor, moment = current_actor().name, now()
    recent = select(CustodyRow.number).where(
        CustodyRow.analysis == analysis,
        CustodyRow.action == "view",
        CustodyRow.actor == actor,
        CustodyRow.made > iso_milliseconds(moment - VIEW_INTERVAL),
        CustodyRow.made <= iso_milliseconds(moment),  # a later one comes from a clock that ran fast
    )
    if session.scalar(recent.limit(1)) is None:
        append(session, "view", exhibit=exhibit, analysis=analysis)


def to_detail(text: str) -> str:
    """Return a text in the form in which a detail of an entry stores it."""
    return str(_fit(text, _MAX_LENGTH))


def export_details(name: str, content: Path | bytes, log: bytes | None) -> dict[str, str | int | None]:
    """Return the details of an entry about an exported file.

    ``log`` is the ``custody.json`` that the file contains or is; its state of the log is recorded as well.
    """
    if isinstance(content, Path):
        size, sha256 = hash_file(content)
    else:
        size, sha256 = len(content), hashlib.sha256(content).hexdigest()
    details: dict[str, str | int | None] = {"file": name, "bytes": size, "sha256": sha256}
    if log is not None:
        export = custody_format.read_export(log)
        details |= {"log count": export.count, "log head": export.head}
    return details


def _last_hashes(session: Session, exhibits: Sequence[str]) -> dict[str, str]:
    """Return, by exhibit, the SHA-256 of the last entry about it."""
    columns = select(CustodyRow.exhibit, CustodyRow.sha256)
    if len(exhibits) == 1:  # may have thousands of entries; this way SQLite goes straight to the last one
        query = columns.where(CustodyRow.exhibit == exhibits[0]).order_by(CustodyRow.number.desc()).limit(1)
        return _pairs(session, query)
    hashes: dict[str, str] = {}
    for start in range(0, len(exhibits), _BATCH):
        batch = CustodyRow.exhibit.in_(exhibits[start : start + _BATCH])
        last = select(func.max(CustodyRow.number)).where(batch).group_by(CustodyRow.exhibit)
        hashes |= _pairs(session, columns.where(CustodyRow.number.in_(last)))
    return hashes


def _pairs(session: Session, query: Select[str | None, str]) -> dict[str, str]:
    return {exhibit: sha256 for exhibit, sha256 in session.execute(query) if exhibit is not None}


def _acquire_lock(session: Session) -> None:
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        return
    # Python's sqlite3 begins a transaction at the first write only, not at the first read.
    driver = connection.connection.driver_connection
    if driver is not None and not driver.in_transaction:
        session.execute(text("BEGIN IMMEDIATE"))


def _fit(value: str | int, max_length: int) -> str | int:
    """Shorten a text, and replace characters that not every reader accepts."""
    if isinstance(value, int):
        return value
    value = value.encode("utf-8", "replace").decode().replace("\0", "")
    return value if len(value) <= max_length else value[: max_length - 1] + "…"
