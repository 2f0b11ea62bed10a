"""Store and index fingerprints of exhibits, and match new ones with those already there."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from sqlalchemy import Row, and_, or_, select
from sqlalchemy.orm import Session

from detector.errors import FingerprintError
from detector.fingerprint import match
from detector.fingerprint.fingerprint import VERSION, Fingerprint
from detector.fingerprint.index import Entries, search_index
from detector.fingerprint.match import Match
from webapp.analyses.deletion import forget_fingerprint
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, Exhibit, FingerprintBlock, FingerprintRow, MatchRow, State, now

log = logging.getLogger(__name__)

_MOST_BUILT = 8  # blocks of the index made at once
_LOOK_BYTES = 32
_SIZE = FingerprintBlock.SIZE


def store_and_match(database: Database, sha256: str, made: Fingerprint | None) -> int:
    """Keep the fingerprint of an exhibit and find what shows the same; how many exhibits do.

    ``made`` is None for a file that cannot be read: that is kept too, so that it is not tried again. Does
    nothing where there is one already, or no such exhibit any more.
    """
    found, newest = {}, 0
    if made is not None:
        with database.begin() as session:
            if _unknown(session, sha256) is None:
                return 0
            newest = _newest(session)
        found = dict(find_matches(database, sha256, made))
    # Fingerprint and matches at once: of what ends in between nothing is kept, and it is done again.
    with database.alone() as session:
        own = store_fingerprint(session, sha256, made)
        if own is None or made is None:
            return 0
        rows = FingerprintRow
        later = select(rows.exhibit_id, rows.body).where(rows.id > newest, rows.exhibit_id != own)
        found |= match.find_matches(made, _readable(session.execute(later)))
        there = set(session.scalars(select(Exhibit.id).where(Exhibit.id.in_(found))))
        for other in there:
            what = found[other]
            body, of_all = what.model_dump_json(), what.of_all
            session.add(MatchRow(exhibit_id=own, other_id=other, of_all=of_all, found=now(), body=body))
    return len(there)


def store_fingerprint(session: Session, sha256: str, made: Fingerprint | None) -> int | None:
    """Put a fingerprint into its table and the index; the exhibit's id, none as of :func:`keep_and_match`.

    The session must be alone.
    """
    own = _unknown(session, sha256)
    if own is None:
        return None
    forget_fingerprint(session, own)
    looks = b"" if made is None else made.codes[made.looks].tobytes()
    body = made.to_bytes() if made else None
    session.add(FingerprintRow(exhibit_id=own, version=VERSION, made=now(), looks=looks, body=body))
    session.flush()
    build_index_blocks(session)
    return own


def _unknown(session: Session, sha256: str) -> int | None:
    """Id of an exhibit that has no fingerprint of this version; none for any other, or none there is."""
    kept = (FingerprintRow.exhibit_id == Exhibit.id) & (FingerprintRow.version == VERSION)
    unknown = ~select(FingerprintRow.id).where(kept).exists()
    return session.scalar(select(Exhibit.id).where(Exhibit.sha256 == sha256, unknown))


def _newest(session: Session) -> int:
    """Number of the newest fingerprint; 0 without one."""
    return session.scalar(select(FingerprintRow.id).order_by(FingerprintRow.id.desc()).limit(1)) or 0


def find_matches(database: Database, sha256: str, own: Fingerprint) -> Iterator[tuple[int, Match]]:
    """Ids of other exhibits that show the same as one, or a part of it, each with what was found."""
    with database.begin() as session:
        candidates = search_index(load_index(session), own)
    yield from match.find_matches(own, _readable(_bodies(database, candidates, sha256)))


def _bodies(database: Database, candidates: Sequence[int], sha256: str) -> Iterator[tuple[int, bytes | None]]:
    """Exhibits and fingerprints of candidates, in their order, but those of one exhibit; a few at a time."""
    for start in range(0, len(candidates), match.PATIENCE):
        few = candidates[start : start + match.PATIENCE]
        query = (
            select(FingerprintRow.id, FingerprintRow.exhibit_id, FingerprintRow.body)
            .join(Exhibit, Exhibit.id == FingerprintRow.exhibit_id)
            .where(FingerprintRow.id.in_(few), Exhibit.sha256 != sha256)
        )
        with database.begin() as session:
            rows = {row.id: row for row in session.execute(query)}
        yield from ((row.exhibit_id, row.body) for row in (rows[each] for each in few if each in rows))


def _readable(rows: Iterable[tuple[int, bytes | None]]) -> Iterator[tuple[int, Fingerprint]]:
    for exhibit_id, body in rows:
        try:
            yield exhibit_id, Fingerprint.from_bytes(body or b"")
        except FingerprintError as problem:
            log.warning("the fingerprint of exhibit %d: %s", exhibit_id, problem)


def next_missing(session: Session) -> str | None:
    """SHA-256 of an exhibit that was analysed and has no fingerprint, the newest first; none: all have."""
    kept = select(FingerprintRow.exhibit_id).where(FingerprintRow.version == VERSION)
    analysed = select(AnalysisRow.exhibit_id).where(AnalysisRow.state == State.DONE)
    query = select(Exhibit.sha256).where(Exhibit.id.in_(analysed), Exhibit.id.not_in(kept))
    return session.scalar(query.order_by(Exhibit.id.desc()).limit(1))


def load_index(session: Session) -> Entries:
    """The whole index."""
    parts, numbers = [], []
    every = select(FingerprintBlock.number, FingerprintBlock.owners, FingerprintBlock.codes)
    for number, owners, codes in session.execute(every):
        numbers.append(number)
        parts.append(Entries(np.frombuffer(owners, np.int32), np.frombuffer(codes, np.uint64).reshape(4, -1)))
    newest = _newest(session)
    rest = sorted(set(range(newest // _SIZE + 1)) - set(numbers))
    if rest:
        parts.append(_of_rows(_looks(session, rest)))
    return Entries.joined(parts)


def build_index_blocks(session: Session) -> None:
    """Make blocks of the index of which no fingerprint is to come. The session must be alone."""
    newest = _newest(session)
    there = set(session.scalars(select(FingerprintBlock.number)))
    for number in sorted(set(range(newest // _SIZE)) - there)[:_MOST_BUILT]:
        made = _of_rows(_looks(session, [number]))
        block = FingerprintBlock(
            number=number,
            owners=made.owners.tobytes(),
            codes=np.ascontiguousarray(made.codes).tobytes(),
        )
        session.add(block)


def _looks(session: Session, numbers: Sequence[int]) -> Sequence[Row[int, bytes]]:
    """Number and looks of the fingerprints in these blocks."""
    rows = FingerprintRow
    ranges = (and_(rows.id >= number * _SIZE, rows.id < (number + 1) * _SIZE) for number in numbers)
    query = select(rows.id, rows.looks).where(or_(*ranges), rows.version == VERSION)
    return session.execute(query).all()


def _of_rows(rows: Sequence[Row[int, bytes]]) -> Entries:
    owners = np.repeat([owner for owner, _ in rows], [len(looks) // _LOOK_BYTES for _, looks in rows])
    codes = np.frombuffer(b"".join(looks for _, looks in rows), np.uint64).reshape(-1, 4)
    return Entries(owners.astype(np.int32), np.ascontiguousarray(codes.T))
