"""Fingerprints in the database: stored once, matched with copies, deleted with their exhibit."""

from __future__ import annotations

import pytest
from made_fingerprints import film, fingerprint, noisy, scene
from made_results import hand_in
from made_rows import count
from sqlalchemy import select

from detector.fingerprint import match as fingerprint_match
from detector.fingerprint.fingerprint import Fingerprint
from detector.fingerprint.match import Match
from webapp.comparisons import fingerprints
from webapp.exhibits import deletion
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import Exhibit, FingerprintBlock, FingerprintRow, MatchRow

FILM = film(1, 2)
PHOTO = scene(1)


def exhibit(app, name: str) -> Exhibit:
    row = hand_in(app, name.encode(), f"{name}.mp4")
    states.cancel(app.extensions["database"], row.id)
    return row.exhibit


def keep(database, row: Exhibit, made: Fingerprint) -> None:
    """Without looking for copies."""
    with database.alone() as session:
        fingerprints.store_fingerprint(session, row.sha256, made)


def found(database) -> dict[tuple[int, int], Match]:
    with database.begin() as session:
        rows = session.scalars(select(MatchRow)).all()
        return {(row.exhibit_id, row.other_id): Match.model_validate_json(row.body) for row in rows}


def test_copy_is_matched_and_other_exhibit_is_not(app, database):
    first, copy, other = (exhibit(app, name) for name in ("first", "copy", "other"))
    assert fingerprints.store_and_match(database, first.sha256, fingerprint(FILM)) == 0
    assert fingerprints.store_and_match(database, other.sha256, fingerprint(film(8, 9))) == 0
    assert fingerprints.store_and_match(database, copy.sha256, fingerprint(noisy(FILM)[:, :, ::-1])) == 1
    ((pair, match),) = found(database).items()
    assert pair == (copy.id, first.id) and match.mirrored and match.of_all


def test_fingerprint_is_stored_once(app, database):
    first = exhibit(app, "first")
    fingerprints.store_and_match(database, first.sha256, fingerprint(FILM))
    fingerprints.store_and_match(database, first.sha256, fingerprint(film(5)))
    assert count(database, FingerprintRow) == 1
    with database.begin() as session:
        assert len(session.scalars(select(FingerprintRow)).one().looks) > 32


def test_older_version_is_replaced_and_matched_again(app, database):
    first, copy = exhibit(app, "first"), exhibit(app, "copy")
    for row in (first, copy):
        fingerprints.store_and_match(database, row.sha256, fingerprint(FILM))
    with database.begin() as session:
        session.scalars(select(FingerprintRow).where(FingerprintRow.exhibit_id == copy.id)).one().version = 0
    fingerprints.store_and_match(database, copy.sha256, fingerprint(FILM[6:]))
    ((_, match),) = found(database).items()
    assert match.pieces[0].other_start == 3.0
    assert count(database, FingerprintRow) == 2


def test_unknown_and_unreadable_exhibits(app, database):
    assert fingerprints.store_and_match(database, "0" * 64, fingerprint(FILM)) == 0
    first, copy = exhibit(app, "first"), exhibit(app, "copy")
    fingerprints.store_and_match(database, first.sha256, None)
    assert fingerprints.store_and_match(database, copy.sha256, fingerprint(FILM)) == 0
    assert count(database, FingerprintRow) == 2


def test_damaged_row_is_skipped(app, database):
    first, copy = exhibit(app, "first"), exhibit(app, "copy")
    fingerprints.store_and_match(database, first.sha256, fingerprint(FILM))
    with database.begin() as session:
        session.scalars(select(FingerprintRow)).one().body = b"damaged"
    assert fingerprints.store_and_match(database, copy.sha256, fingerprint(FILM)) == 0


def test_index_blocks_equal_their_rows(app, database, monkeypatch):
    monkeypatch.setattr(fingerprints, "_BLOCK_SIZE", 2)
    monkeypatch.setattr(FingerprintBlock, "SIZE", 2)
    names = [f"exhibit {number}" for number in range(7)]
    rows = [exhibit(app, name) for name in names]
    for number, row in enumerate(rows):
        keep(database, row, fingerprint(film(number, 50 + number, seconds=2)))
    assert count(database, FingerprintBlock) == 3
    with database.begin() as session:
        built = fingerprints.load_index(session)
        session.query(FingerprintBlock).delete()
        anew = fingerprints.load_index(session)
    assert sorted(built.owners) == sorted(anew.owners) and len(set(built.owners)) == 7
    assert (built.codes[:, built.owners.argsort(kind="stable")] == anew.codes).all()
    copy = exhibit(app, "copy")
    assert (
        fingerprints.store_and_match(database, copy.sha256, fingerprint(noisy(film(2, 52, seconds=2)))) == 1
    )


def test_deleted_exhibit_is_removed_from_the_index(app, database, monkeypatch):
    monkeypatch.setattr(fingerprints, "_BLOCK_SIZE", 2)
    monkeypatch.setattr(FingerprintBlock, "SIZE", 2)
    handed_in = [hand_in(app, name.encode(), f"{name}.mp4") for name in ("first", "copy", "other", "last")]
    for row, pictures in zip(handed_in, (FILM, noisy(FILM), film(7), film(8)), strict=True):
        states.cancel(database, row.id)
        fingerprints.store_and_match(database, row.exhibit.sha256, fingerprint(pictures))
    assert count(database, MatchRow) == 1 and count(database, FingerprintBlock) == 2
    deletion.delete_analysis(database, Folders.local(app.extensions["settings"].data), handed_in[0].id)
    assert count(database, MatchRow) == 0 and count(database, FingerprintRow) == 3
    with database.begin() as session:
        assert len(set(fingerprints.load_index(session).owners)) == 3
        ids = set(session.scalars(select(FingerprintBlock.number)))
    assert 0 not in ids
    again = exhibit(app, "again")
    assert fingerprints.store_and_match(database, again.sha256, fingerprint(FILM)) == 1
    assert set(found(database)) == {(again.id, handed_in[1].exhibit_id)}


def test_concurrent_fingerprints_match_once(app, database):
    first, copy = exhibit(app, "first"), exhibit(app, "copy")
    for row in (first, copy):
        keep(database, row, fingerprint(FILM))
    # As if both had come this far before either looked.
    for row in (first, copy):
        with database.begin() as session:
            session.query(FingerprintRow).filter_by(exhibit_id=row.id).one().version = 0
        fingerprints.store_and_match(database, row.sha256, fingerprint(FILM))
    assert count(database, MatchRow) == 1


def test_interrupted_matching_is_repeated(app, database, monkeypatch):
    """A worker that is stopped, or a database that is gone for a moment: nothing half done is kept."""
    first, copy = exhibit(app, "first"), exhibit(app, "copy")
    fingerprints.store_and_match(database, first.sha256, fingerprint(FILM))
    with monkeypatch.context() as stopped:
        stopped.setattr(fingerprint_match, "find_match", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fingerprints.store_and_match(database, copy.sha256, fingerprint(FILM))
    assert fingerprints.store_and_match(database, copy.sha256, fingerprint(FILM)) == 1
    assert set(found(database)) == {(copy.id, first.id)}


def test_fingerprint_added_during_matching_is_found(app, database, monkeypatch):
    first, second, copy = (exhibit(app, name) for name in ("first", "second", "copy"))
    fingerprints.store_and_match(database, first.sha256, fingerprint(FILM))
    matches = fingerprints.find_matches

    def meanwhile(*asked):
        yield from list(matches(*asked))
        monkeypatch.setattr(fingerprints, "find_matches", matches)
        assert fingerprints.store_and_match(database, second.sha256, fingerprint(FILM)) == 1

    monkeypatch.setattr(fingerprints, "find_matches", meanwhile)
    assert fingerprints.store_and_match(database, copy.sha256, fingerprint(FILM)) == 2
    pairs = {(second.id, first.id), (copy.id, first.id), (copy.id, second.id)}
    assert set(found(database)) == pairs


def test_photos_have_fingerprints(app, database):
    photo, clip = exhibit(app, "photo"), exhibit(app, "clip")
    fingerprints.store_and_match(database, clip.sha256, fingerprint(FILM))
    assert fingerprints.store_and_match(database, photo.sha256, fingerprint(scene(1, 4)[3:], still=True)) == 1


def test_fifty_near_identical_photos_all_match(app, database):
    for number in range(50):
        keep(database, exhibit(app, f"{number}.jpg"), fingerprint(noisy(PHOTO, number), still=True))
    last = exhibit(app, "last.jpg")
    assert fingerprints.store_and_match(database, last.sha256, fingerprint(PHOTO, still=True)) == 50
