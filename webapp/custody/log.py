"""Entries of the custody log are appended here, in the transaction of the act that they record.

Numbers are given under a lock that lasts until the transaction ends: SQLite's write lock, or
an advisory lock in PostgreSQL. Record last in a transaction, so that it is held briefly and
always after the rows' own locks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Select, func, insert, select, text
from sqlalchemy.orm import Session

from detector.files import hashed
from detector.timestamps import iso_milliseconds
from reports.custody import format as custody_format
from reports.custody.format import ZEROS, Action, Entry
from webapp.custody import actors, log_queries
from webapp.storage.database import CUSTODY_KEY
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import CustodyRow, now

ONE_VIEW = timedelta(minutes=15)  # in which somebody opens the page of an analysis again
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
    who, moment = actors.current(), now()
    last = log_queries.head(session)
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
    who, moment = actors.current().name, now()
    recent = select(CustodyRow.number).where(
        CustodyRow.analysis == analysis,
        CustodyRow.action == "view",
        CustodyRow.actor == who,
        CustodyRow.made > iso_milliseconds(moment - ONE_VIEW),
        CustodyRow.made <= iso_milliseconds(moment),  # a later one is of a clock that ran ahead
    )
    if session.scalar(recent.limit(1)) is None:
        append(session, "view", exhibit=exhibit, analysis=analysis)


def as_detail(text: str) -> str:
    """A text as a detail of an entry holds it."""
    return str(_fit(text, _LONGEST))


def export_details(name: str, content: Path | bytes, log: bytes | None) -> dict[str, str | int | None]:
    """What an entry says of a file that was handed out.

    ``log`` is the ``custody.json`` that it holds or is: where the log stood then is said as well.
    """
    if isinstance(content, Path):
        size, sha256 = hashed(content)
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
