"""Store and index fingerprints of exhibits, and match new ones with those already there.

For workers: this module imports numpy. Pages read the matches with :mod:`webapp.exhibits.copies`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from sqlalchemy import Row, and_, or_, select
from sqlalchemy.orm import Session

from detector.errors import FingerprintError
from detector.fingerprint import match as fingerprint_match
from detector.fingerprint.fingerprint import VERSION, Fingerprint
from detector.fingerprint.index import Entries, search_index
from detector.fingerprint.match import Match
from webapp.exhibits.deletion import forget_fingerprint
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, Exhibit, FingerprintBlock, FingerprintRow, MatchRow, State, now

log = logging.getLogger(__name__)

_MAX_BUILT = 8  # blocks of the index built at once
_LOOK_BYTES = 32
_BLOCK_SIZE = FingerprintBlock.SIZE


def store_and_match(database: Database, sha256: str, fingerprint: Fingerprint | None) -> int:
    """Store the fingerprint of an exhibit, find exhibits that show the same, and return their number.

    ``fingerprint`` is None for an unreadable file; that is stored too, so that it is not tried again. Does
    nothing if the exhibit has a fingerprint already or no longer exists.
    """
    matches, newest = {}, 0
    if fingerprint is not None:
        with database.begin() as session:
            if _without_fingerprint(session, sha256) is None:
                return 0
            newest = _newest_id(session)
        matches = dict(find_matches(database, sha256, fingerprint))
    # Fingerprint and matches in one transaction: if it is interrupted, nothing is stored and all is repeated.
    with database.alone() as session:
        own = store_fingerprint(session, sha256, fingerprint)
        if own is None or fingerprint is None:
            return 0
        added_meanwhile = select(FingerprintRow.exhibit_id, FingerprintRow.body).where(
            FingerprintRow.id > newest, FingerprintRow.exhibit_id != own
        )
        matches |= fingerprint_match.find_matches(fingerprint, _readable(session.execute(added_meanwhile)))
        existing = set(session.scalars(select(Exhibit.id).where(Exhibit.id.in_(matches))))
        for other in existing:
            match = matches[other]
            session.add(
                MatchRow(
                    exhibit_id=own,
                    other_id=other,
                    of_all=match.of_all,
                    found=now(),
                    body=match.model_dump_json(),
                )
            )
    return len(existing)


def store_fingerprint(session: Session, sha256: str, fingerprint: Fingerprint | None) -> int | None:
    """Store and index a fingerprint and return the exhibit's id; None as for :func:`store_and_match`.

    The session must come from :meth:`Database.alone`.
    """
    own = _without_fingerprint(session, sha256)
    if own is None:
        return None
    forget_fingerprint(session, own)
    looks = b"" if fingerprint is None else fingerprint.codes[fingerprint.looks].tobytes()
    body = fingerprint.to_bytes() if fingerprint else None
    session.add(FingerprintRow(exhibit_id=own, version=VERSION, made=now(), looks=looks, body=body))
    session.flush()
    build_index_blocks(session)
    return own


def _without_fingerprint(session: Session, sha256: str) -> int | None:
    """Return the id of an exhibit unless it has a fingerprint of this version or does not exist."""
    stored = (FingerprintRow.exhibit_id == Exhibit.id) & (FingerprintRow.version == VERSION)
    missing = ~select(FingerprintRow.id).where(stored).exists()
    return session.scalar(select(Exhibit.id).where(Exhibit.sha256 == sha256, missing))


def _newest_id(session: Session) -> int:
    """Return the id of the newest fingerprint; 0 if there are none."""
    return session.scalar(select(FingerprintRow.id).order_by(FingerprintRow.id.desc()).limit(1)) or 0


def find_matches(database: Database, sha256: str, own: Fingerprint) -> Iterator[tuple[int, Match]]:
    """Yield ids of other exhibits that show the same as an exhibit, or a part of it, with the match."""
    with database.begin() as session:
        candidates = search_index(load_index(session), own)
    yield from fingerprint_match.find_matches(own, _readable(_bodies(database, candidates, sha256)))


def _bodies(database: Database, candidates: Sequence[int], sha256: str) -> Iterator[tuple[int, bytes | None]]:
    """Yield exhibit ids and fingerprints of other candidates in order, reading a few at a time."""
    for start in range(0, len(candidates), fingerprint_match.PATIENCE):
        batch = candidates[start : start + fingerprint_match.PATIENCE]
        query = (
            select(FingerprintRow.id, FingerprintRow.exhibit_id, FingerprintRow.body)
            .join(Exhibit, Exhibit.id == FingerprintRow.exhibit_id)
            .where(FingerprintRow.id.in_(batch), Exhibit.sha256 != sha256)
        )
        with database.begin() as session:
            rows = {row.id: row for row in session.execute(query)}
        yield from ((rows[id_].exhibit_id, rows[id_].body) for id_ in batch if id_ in rows)


def _readable(rows: Iterable[tuple[int, bytes | None]]) -> Iterator[tuple[int, Fingerprint]]:
    for exhibit_id, body in rows:
        try:
            yield exhibit_id, Fingerprint.from_bytes(body or b"")
        except FingerprintError as problem:
            log.warning("the fingerprint of exhibit %d: %s", exhibit_id, problem)


def next_missing(session: Session) -> str | None:
    """Return the SHA-256 of the newest analysed exhibit without a fingerprint; None if all have one."""
    stored = select(FingerprintRow.exhibit_id).where(FingerprintRow.version == VERSION)
    analysed = select(AnalysisRow.exhibit_id).where(AnalysisRow.state == State.DONE)
    query = select(Exhibit.sha256).where(Exhibit.id.in_(analysed), Exhibit.id.not_in(stored))
    return session.scalar(query.order_by(Exhibit.id.desc()).limit(1))


def load_index(session: Session) -> Entries:
    """Load the whole index: stored blocks, and the looks of fingerprints that are in no block yet."""
    parts, numbers = [], []
    blocks = select(FingerprintBlock.number, FingerprintBlock.owners, FingerprintBlock.codes)
    for number, owners, codes in session.execute(blocks):
        numbers.append(number)
        parts.append(Entries(np.frombuffer(owners, np.int32), np.frombuffer(codes, np.uint64).reshape(4, -1)))
    missing = sorted(set(range(_newest_id(session) // _BLOCK_SIZE + 1)) - set(numbers))
    if missing:
        parts.append(_entries(_looks(session, missing)))
    return Entries.joined(parts)


def build_index_blocks(session: Session) -> None:
    """Build blocks of the index that are full. The session must come from :meth:`Database.alone`."""
    existing = set(session.scalars(select(FingerprintBlock.number)))
    for number in sorted(set(range(_newest_id(session) // _BLOCK_SIZE)) - existing)[:_MAX_BUILT]:
        entries = _entries(_looks(session, [number]))
        block = FingerprintBlock(
            number=number,
            owners=entries.owners.tobytes(),
            codes=np.ascontiguousarray(entries.codes).tobytes(),
        )
        session.add(block)


def _looks(session: Session, blocks: Sequence[int]) -> Sequence[Row[int, bytes]]:
    """Return id and looks of the fingerprints that belong to these blocks."""
    rows = FingerprintRow
    ranges = (and_(rows.id >= block * _BLOCK_SIZE, rows.id < (block + 1) * _BLOCK_SIZE) for block in blocks)
    query = select(rows.id, rows.looks).where(or_(*ranges), rows.version == VERSION)
    return session.execute(query).all()


def _entries(rows: Sequence[Row[int, bytes]]) -> Entries:
    owners = np.repeat([owner for owner, _ in rows], [len(looks) // _LOOK_BYTES for _, looks in rows])
    codes = np.frombuffer(b"".join(looks for _, looks in rows), np.uint64).reshape(-1, 4)
    return Entries(owners.astype(np.int32), np.ascontiguousarray(codes.T))
