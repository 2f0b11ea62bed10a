"""The custody log: append entries in the transaction of the act they record, and read them back."""

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
from reports.custody import format as custody_format
from reports.custody.format import ZEROS, Action, CustodyError, Entry, UnreadableEntry
from reports.language.names import NOBODY
from webapp.storage.database import CUSTODY_KEY
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import CustodyRow, now

SOFTWARE = "reelproof"
# Set by a supervisor for the workers it starts: its process and its start, so that no other has the same.
STARTED_BY = "REELPROOF_STARTED_BY"


class Actor(NamedTuple):
    """A name, and for the software which of its processes."""

    name: str
    process: str | None


def current_actor() -> Actor:
    """Who acts now: whoever sent the request that is being answered, or the software by itself."""
    if has_request_context():
        # webapp.accounts.request_guard sets it, which is not imported: it needs the database.
        principal = g.get("principal")
        return Actor(principal.name if principal else NOBODY, None)
    return Actor(SOFTWARE, process_name())


def process_name(process: int | None = None) -> str:
    """Which process on which machine: this one, or another one of the same instance."""
    return f"{process_name_prefix()}{process or os.getpid()}"


def process_name_prefix(started_by: str | None = None) -> str:
    """How the names of all worker processes begin that one supervisor started: this one's, or another's."""
    return f"{socket.gethostname()}/{started_by or os.environ.get(STARTED_BY, '')}:"


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


def iter_entries(
    session: Session, exhibit: str | None = None, until: int | None = None, after: int = 0
) -> Iterator[Entry]:
    """The entries about one exhibit, or all, in order and one at a time.

    ``until`` is the last number, ``after`` the one before the first.

    Raises :class:`~reports.custody.format.CustodyError` for a row that is none.
    """
    return map(_readable, iter_rows(session, exhibit, until, after))


def iter_rows(
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


def iter_entries_where(session: Session, *which: ColumnElement[bool]) -> Iterator[Entry]:
    """The entries of which all this holds, in order; raises as :func:`entries` does."""
    query = select(CustodyRow.__table__).where(*which).order_by(CustodyRow.number)
    for row in session.execute(query).mappings():
        yield _readable(custody_format.parse(_values(row), row["number"]))


def latest_entry(session: Session, analysis_id: str, action: Action) -> Entry | None:
    """The last entry that says this of an analysis."""
    own = CustodyRow.analysis == analysis_id, CustodyRow.action == action
    return _newest(session, select(CustodyRow.__table__).where(*own))


def first_entry(session: Session) -> Entry | None:
    """The entry the log begins with: how much there was before it."""
    return _newest(session, select(CustodyRow.__table__).where(CustodyRow.action == "log begun"))


def deletion_entry(session: Session, analysis: str) -> Entry | None:
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


def is_export_recorded(session: Session, exhibit: str, analysis: str, sha256: str) -> bool:
    """Whether the export of a file of an analysis with this SHA-256, to who asks now, is recorded."""
    recorded = select(CustodyRow.number).where(
        CustodyRow.exhibit == exhibit,
        CustodyRow.analysis == analysis,
        CustodyRow.action == "export",
        CustodyRow.actor == current_actor().name,
        CustodyRow.details.contains(f'"sha256": "{sha256}"', autoescape=True),
    )
    return session.scalar(recorded.limit(1)) is not None


def is_authentic(session: Session, entry: Entry) -> bool:
    """Whether an entry was written with the log's key and not changed since; its place is not looked at."""
    key: CustodyKey = session.info[CUSTODY_KEY]
    if custody_format.entry_sha256(custody_format.to_json(entry)) != entry.sha256:
        return False
    return hmac.compare_digest(custody_format.mac(key.read(), entry.sha256), entry.mac)


def entry_time(entry: Entry) -> datetime:
    """When an entry was made."""
    return timestamps.parse(entry.made)


def export_log(session: Session, exhibit: str | None, until: int | None = None) -> bytes:
    """``custody.json`` of one exhibit, or of the whole log; as it stood at entry ``until``, if not now."""
    parts = iter_export(session, exhibit, head(session, until))
    return "".join(parts).encode()


def iter_export(session: Session, exhibit: str | None, last: Head) -> Iterator[str]:
    """The same in parts, up to the entry ``last``: what others append from then on is not part of it."""
    own = iter_entries(session, exhibit, until=last.count)
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


VIEW_INTERVAL = timedelta(minutes=15)  # in which somebody opens the page of an analysis again
EntryDetails = Mapping[str, str | int | None]

_LONGEST = 4000  # characters of one detail
_AT_ONCE = 500  # exhibits in one question
_ADVISORY_LOCK = 0x5EE1_C057  # any number, but always this one


def append(
    session: Session,
    action: Action,
    details: EntryDetails | None = None,
    *,
    exhibit: str | None = None,
    analysis: str | None = None,
    actor: str | None = None,
) -> Entry:
    """Append an entry; it becomes part of the log when the session's transaction commits.

    ``exhibit`` is a SHA-256, ``analysis`` an id. ``actor`` is a name somebody gave, where there is
    one. Details that are None are left out.
    """
    each = [details or {}]
    return append_all(session, action, each, exhibit=exhibit, analysis=analysis, actor=actor)[0]


def append_all(
    session: Session,
    action: Action,
    details: Sequence[EntryDetails],
    *,
    exhibit: str | None,
    analysis: str | None,
    actor: str | None,
) -> list[Entry]:
    """Append one entry for each of ``details``, as :func:`append` does; quick for thousands."""
    return _append(session, action, [(each, exhibit, analysis) for each in details], actor)


def append_about(
    session: Session, action: Action, details: EntryDetails, about: Iterable[tuple[str, str]]
) -> None:
    """Append the same about each of many analyses, given as SHA-256 of the exhibit and id."""
    _append(session, action, [(details, *each) for each in about], None)


def _append(
    session: Session,
    action: Action,
    acts: Sequence[tuple[EntryDetails, str | None, str | None]],
    actor: str | None,
) -> list[Entry]:
    """Append an entry for each of ``acts``: details, exhibit, analysis."""
    if not acts:
        return []
    session.flush()  # what is recorded comes first, and so do its own errors
    _wait_for_turn(session)
    who, moment = current_actor(), now()
    last = head(session)
    number, previous = last.count, last.sha256
    of_exhibits = _last_of(session, sorted({exhibit for _, exhibit, _ in acts if exhibit is not None}))
    key: CustodyKey = session.info[CUSTODY_KEY]
    made = []
    for details, exhibit, analysis in acts:
        said = dict(details) | ({} if who.process is None else {"process": who.process})
        act = custody_format.entry_body(
            moment,
            str(_fit(actor or who.name, 120)),
            action,
            exhibit=exhibit,
            analysis=analysis,
            details={name: _fit(value, _LONGEST) for name, value in said.items() if value is not None},
        )
        number += 1
        before = ZEROS if exhibit is None else of_exhibits.get(exhibit, ZEROS)
        entry = custody_format.sign_entry(act, number, previous, before, key.read())
        previous = entry.sha256
        if exhibit is not None:
            of_exhibits[exhibit] = entry.sha256
        made.append(entry)
    values = [custody_format.to_json(entry) | {"details": _json(entry.details)} for entry in made]
    session.execute(insert(CustodyRow.__table__), values)  # type: ignore[arg-type]
    return made


def append_access_event(
    session: Session, what: str, *, actor: str | None = None, **details: str | int
) -> None:
    """Record what was done about who gets in and who sees what, in the transaction that does it, last in it.

    Sign-ins and refusals, accounts, roles, tokens, cases and their members: all are entries of the one action
    ``account``, which ``what`` tells apart. ``actor`` is somebody who is not signed in yet; otherwise it is
    who asks.
    """
    plain = {name: str(value) if isinstance(value, str) else value for name, value in details.items()}
    append(session, "account", {"what": what, **plain}, actor=actor)


def append_view(session: Session, exhibit: str, analysis: str) -> None:
    """Record that somebody opened the page of an analysis, unless they did a moment ago."""
    who, moment = current_actor().name, now()
    recent = select(CustodyRow.number).where(
        CustodyRow.analysis == analysis,
        CustodyRow.action == "view",
        CustodyRow.actor == who,
        CustodyRow.made > iso_milliseconds(moment - VIEW_INTERVAL),
        CustodyRow.made <= iso_milliseconds(moment),  # a later one is of a clock that ran ahead
    )
    if session.scalar(recent.limit(1)) is None:
        append(session, "view", exhibit=exhibit, analysis=analysis)


def to_detail(text: str) -> str:
    """A text as a detail of an entry holds it."""
    return str(_fit(text, _LONGEST))


def export_details(name: str, content: Path | bytes, log: bytes | None) -> dict[str, str | int | None]:
    """What an entry says of a file that was handed out.

    ``log`` is the ``custody.json`` that it holds or is: where the log stood then is said as well.
    """
    if isinstance(content, Path):
        size, sha256 = hash_file(content)
    else:
        size, sha256 = len(content), hashlib.sha256(content).hexdigest()
    details: dict[str, str | int | None] = {"file": name, "bytes": size, "sha256": sha256}
    if log is not None:
        told = custody_format.read_export(log)
        details |= {"log count": told.count, "log head": told.head}
    return details


def _last_of(session: Session, exhibits: Sequence[str]) -> dict[str, str]:
    """By exhibit, the SHA-256 of the last entry about it."""
    found: dict[str, str] = {}
    if len(exhibits) == 1:  # with thousands of entries, perhaps: SQLite goes to the last one at once
        query = select(CustodyRow.exhibit, CustodyRow.sha256).where(CustodyRow.exhibit == exhibits[0])
        return _pairs(session, query.order_by(CustodyRow.number.desc()).limit(1))
    for start in range(0, len(exhibits), _AT_ONCE):
        own = CustodyRow.exhibit.in_(exhibits[start : start + _AT_ONCE])
        last = select(func.max(CustodyRow.number)).where(own).group_by(CustodyRow.exhibit)
        query = select(CustodyRow.exhibit, CustodyRow.sha256).where(CustodyRow.number.in_(last))
        found |= _pairs(session, query)
    return found


def _pairs(session: Session, query: Select[str | None, str]) -> dict[str, str]:
    return {exhibit: sha256 for exhibit, sha256 in session.execute(query) if exhibit is not None}


def _wait_for_turn(session: Session) -> None:
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        return
    # Python begins a transaction with the first statement that writes, and none with one that reads.
    driver = connection.connection.driver_connection
    if driver is not None and not driver.in_transaction:
        session.execute(text("BEGIN IMMEDIATE"))


def _fit(value: str | int, longest: int) -> str | int:
    """Text that any reader takes: not too long, nothing in it that stands for no character."""
    if isinstance(value, int):
        return value
    value = value.encode("utf-8", "replace").decode().replace("\0", "")
    return value if len(value) <= longest else value[: longest - 1] + "…"


def _json(details: Mapping[str, str | int]) -> str:
    return json.dumps(details, ensure_ascii=False, sort_keys=True)
