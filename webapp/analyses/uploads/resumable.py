"""Resumable uploads, kept in ``uploads/`` until they are complete or expire, and upload quotas."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, BinaryIO

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from detector.files import flush_folder
from reports.language.formatting import shown
from reports.language.translation import gettext, ngettext
from webapp import context
from webapp.accounts.permissions import Principal, current
from webapp.errors import UserError
from webapp.http.uploads import CHUNK, UploadLimit, explain_full_disk, no_space_error, private_file
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, Exhibit, UploadRow, now

LIFETIME = timedelta(days=1)  # after the last part; _too_many and documents say “a day”
MAX_UNFINISHED = 20  # unfinished ones of one person
_SHARE = 4  # with login on, one person's may fill this part of the room, or be one file
CHECKSUMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
_HELD: set[str] = set()  # ids of uploads that a request works on
_HOLDING = threading.Lock()  # for _HELD


@dataclass(frozen=True)
class AnnouncedUpload:
    """A file that is to come in parts."""

    who: str  # name of the account that sends it
    file: str  # what it is called
    size: int  # in bytes
    sha256: str | None  # of the whole file, where that was told
    wanted_id: str  # the id the upload is to have; where it is there already nothing is done again


def begin_upload(
    database: Database,
    settings: Settings,
    limit: Callable[[Session], UploadLimit],
    announced: AnnouncedUpload,
) -> UploadRow:
    """Make room for a file. Raises :class:`UserError` where it is too large or there is no room.

    ``limit`` is asked within the transaction, so that many at once cannot pass it together.
    """
    size = announced.size
    if not size:
        raise UserError(
            400, gettext("The file is empty: it holds no bytes."), gettext("Check the file on your disk.")
        )
    folders = Folders.local(settings.data)
    with database.alone() as session:
        if (known := session.get(UploadRow, announced.wanted_id)) is not None:
            return known
        allowed = limit(session)
        if size > allowed.bytes:
            raise allowed.too_large()
        _refuse_without_room(session, settings, folders, announced.who, size)
        moment = now()
        row = UploadRow(
            id=announced.wanted_id,
            who=announced.who,
            file=announced.file,
            size=size,
            received=0,
            sha256=announced.sha256,
            created=moment,
            expires=moment + LIFETIME,
        )
        session.add(row)
    place = folders.upload(row.id)
    with open(place, "xb", opener=private_file):
        pass
    flush_folder(place.parent)
    return row


def _refuse_without_room(session: Session, settings: Settings, folders: Folders, who: str, size: int) -> None:
    """Raise an answer where ``who`` has too many unfinished uploads, or one of ``size`` bytes has no room."""
    unfinished = UploadRow.analysis_id.is_(None)
    if (session.scalar(select(func.count()).where(unfinished, UploadRow.who == who)) or 0) >= MAX_UNFINISHED:
        raise _too_many(
            gettext(
                "There are %(most_at_a_time)s unfinished uploads of yours, the most there can be.",
                most_at_a_time=MAX_UNFINISHED,
            )
        )
    sums = select(func.sum(UploadRow.size), func.sum(UploadRow.received)).where(unfinished)
    announced, received = (int(found or 0) for found in session.execute(sums).one())
    free = shutil.disk_usage(folders.uploads).free - settings.spare
    if size > free - (announced - received):
        raise no_space_error()
    share = max(settings.upload_limit, (free + received) // _SHARE)
    if settings.login and announced_bytes(session, who) + size > share:
        raise _too_many(
            gettext(
                "Your unfinished uploads may have %(megabytes)s MB in all, so that others have room.",
                megabytes=shown(share / 1000000.0, ",.10g"),
            )
        )


def _too_many(error: str) -> UserError:
    remedy = gettext("Finish or delete one of them; each goes by itself a day after its last part.")
    return UserError(429, error, remedy)


def announced_bytes(session: Session, who: str, but: str | None = None) -> int:
    """Bytes of the unfinished uploads of one person, received or not; ``but`` one."""
    own = UploadRow.who == who, UploadRow.analysis_id.is_(None), UploadRow.id != (but or "")
    return int(session.scalar(select(func.sum(UploadRow.size)).where(*own)) or 0)


def append_part(
    database: Database,
    settings: Settings,
    row: UploadRow,
    offset: int,
    body: IO[bytes],
    checksum: tuple[str, bytes] | None = None,
) -> UploadRow:
    """Add a part that starts at ``offset``; of one whose checksum is wrong nothing is kept.

    ``checksum`` is the name of one of :data:`CHECKSUMS` and its digest. Raises
    :class:`~webapp.errors.UserError` where the part starts elsewhere, is damaged or is too long, and where
    the upload is gone. One that an analysis was made of takes what any whole one takes: no bytes at its end.
    """
    folders = Folders.local(settings.data)
    if row.analysis_id is not None:  # its file is an exhibit now
        _refuse_another_start(row, offset)
        if body.read(1):
            raise _too_long(row)
        return row
    with _held(row.id), _opened(folders.upload(row.id)) as file:
        row = _still_there(database, row.id)  # as it is now that nobody else writes
        _refuse_another_start(row, offset)
        if shutil.disk_usage(folders.uploads).free < settings.spare:  # it filled since
            raise no_space_error()
        received = _write(file, row, body, checksum)
        with database.begin() as session:
            if (kept := session.get(UploadRow, row.id)) is None:
                raise _gone()
            kept.received, kept.expires = received, now() + LIFETIME
        return kept


def _refuse_another_start(row: UploadRow, offset: int) -> None:
    if offset != row.received:
        raise UserError(
            409,
            ngettext(
                "This part starts at byte %(offset)s, but %(received)s byte is here.",
                "This part starts at byte %(offset)s, but %(received)s bytes are here.",
                row.received,
                offset=shown(offset, ","),
                received=shown(row.received, ","),
            ),
            gettext("Ask with HEAD where to go on, then send the part that starts there."),
        )


def _too_long(row: UploadRow) -> UserError:
    return UserError(
        413,
        ngettext(
            "More came than the %(size)s byte announced.",
            "More came than the %(size)s bytes announced.",
            row.size,
            size=shown(row.size, ","),
        ),
        gettext("Nothing of this part was kept."),
    )


def _write(file: BinaryIO, row: UploadRow, body: IO[bytes], checksum: tuple[str, bytes] | None) -> int:
    """Write a part at the end of what ``row`` says was received, and flush it; bytes of the file then."""
    file.seek(row.received)
    digest = CHECKSUMS[checksum[0]]() if checksum else None
    received = row.received
    with explain_full_disk():
        while chunk := body.read(CHUNK):
            received += len(chunk)
            if received > row.size:
                raise _too_long(row)
            file.write(chunk)
            if digest is not None:
                digest.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    if checksum is not None and digest is not None and digest.digest() != checksum[1]:
        file.truncate(row.received)
        raise UserError(
            460,
            gettext("The part arrived damaged: its checksum is another one."),
            gettext("Send the same part again."),
        )
    return received


def finish_upload(
    database: Database, settings: Settings, row: UploadRow, start: Callable[[Path, UploadRow], str]
) -> str:
    """Make an analysis of a whole file; its id, also when it was made before.

    ``start`` is given the file, which it may move away, and returns the id. Raises
    :class:`~webapp.errors.UserError` where parts are missing, and where the upload is gone.
    """
    place = Folders.local(settings.data).upload(row.id)
    if row.analysis_id is not None:
        return row.analysis_id
    with _held(row.id):
        row = _still_there(database, row.id)
        if row.analysis_id is not None:
            return row.analysis_id
        if row.received != row.size:
            raise UserError(
                409,
                ngettext(
                    "The file is not whole: %(received)s of %(size)s byte is here.",
                    "The file is not whole: %(received)s of %(size)s bytes are here.",
                    row.size,
                    received=shown(row.received, ","),
                    size=shown(row.size, ","),
                ),
                gettext("Ask with HEAD where to go on, and send the rest."),
            )
        try:
            analysis_id = start(place, row)
        except FileNotFoundError:
            if place.exists():
                raise
            raise _gone() from None  # it was deleted meanwhile
        with database.begin() as session:
            if (kept := session.get(UploadRow, row.id)) is not None:
                kept.analysis_id = analysis_id
    place.unlink(missing_ok=True)
    return analysis_id


def remove_upload(database: Database, folders: Folders, upload_id: str) -> None:
    """Forget an upload and what came of it; who works on it is told that it is gone."""
    with database.begin() as session:
        session.execute(delete(UploadRow).where(UploadRow.id == upload_id))
    folders.upload(upload_id).unlink(missing_ok=True)


def expire_uploads(database: Database, folders: Folders) -> None:
    """Remove what has expired and nobody works on, and files whose row is gone."""
    with database.begin() as session:
        old = session.scalars(select(UploadRow.id).where(UploadRow.expires < now())).all()
    for upload_id in old:
        with contextlib.suppress(_Busy), _held(upload_id):
            _remove_expired(database, folders, upload_id)
    for path in folders.uploads.iterdir():
        with database.begin() as session:
            known = _known(session, path.name)
        # A file appears a moment after its row; one with no row is left over from a removal.
        if not known:
            path.unlink(missing_ok=True)


def _remove_expired(database: Database, folders: Folders, upload_id: str) -> None:
    """Remove an upload, unless a part renewed it before it was held."""
    with database.begin() as session:
        row = session.get(UploadRow, upload_id)
    if row is None or row.expires < now():
        remove_upload(database, folders, upload_id)


def _known(session: Session, upload_id: str) -> bool:
    return session.scalar(select(UploadRow.id).where(UploadRow.id == upload_id)) is not None


def _still_there(database: Database, upload_id: str) -> UploadRow:
    """The row; an upload may be deleted, or expire, while somebody sends a part of it."""
    with database.begin() as session:
        row = session.get(UploadRow, upload_id)
    if row is None:
        raise _gone()
    return row


def _gone() -> UserError:
    return UserError(404, gettext("There is no such upload any more."), gettext("Begin another one."))


class _Busy(UserError):
    """Another request works on the upload."""

    def __init__(self) -> None:
        super().__init__(
            423,
            gettext("Another request is at work on this upload."),
            gettext("Wait for it, then ask where to go on."),
        )


@contextlib.contextmanager
def _held(upload_id: str) -> Iterator[None]:
    """Hold an upload: no other request works on it, and it does not expire, for the ``with`` block."""
    with _HOLDING:
        if upload_id in _HELD:
            raise _Busy
        _HELD.add(upload_id)
    try:
        yield
    finally:
        with _HOLDING:
            _HELD.discard(upload_id)


def _opened(place: Path) -> BinaryIO:
    """The file, to be written to."""
    try:
        return place.open("r+b")
    except FileNotFoundError:
        raise _gone() from None


def exhibit_bytes(session: Session, user_id: int) -> int:
    """Bytes of the exhibits an account has analyses of, each once."""
    own = select(AnalysisRow.exhibit_id).where(AnalysisRow.owner_id == user_id)
    found = session.scalar(select(func.coalesce(func.sum(Exhibit.bytes), 0)).where(Exhibit.id.in_(own)))
    return int(found or 0)


def upload_limit(settings: Settings, who: Principal) -> UploadLimit:
    """What one upload of theirs may bring, before it is read; checked again once it has arrived."""
    database = context.database()
    with database.begin() as session:
        return upload_limit_in(session, settings, who)


def upload_limit_in(
    session: Session, settings: Settings, who: Principal, but: str | None = None
) -> UploadLimit:
    """The usual limit, or what their quota leaves where that is less.

    Files that come in parts count with their whole size once they are announced, ``but`` one.
    """
    usual = UploadLimit(1, settings.upload_limit)
    if settings.quota is None or who.user_id is None:
        return usual
    used = exhibit_bytes(session, who.user_id) + announced_bytes(session, who.name, but)
    left = max(0, settings.quota - used)
    if left >= settings.upload_limit:
        return usual
    return UploadLimit(
        1,
        left,
        larger=gettext(
            "The file does not fit into your quota: of %(total)s MB for all your exhibits, %(used)s MB are "
            "used and %(left)s MB are left.",
            total=shown(settings.quota / 1e6, ",.10g"),
            used=shown(-(-used // 100_000) / 10, ",.10g"),  # to a tenth, never less than it is
            left=shown(left // 100_000 / 10, ",.10g"),  # never more
        ),
        smaller=gettext(
            "Unfinished uploads count with their whole size. Delete analyses you need no longer, or ask "
            "whoever runs this Reelproof to raise REELPROOF_QUOTA_MB."
        ),
    )


def refuse_over_quota(session: Session, sha256: str, size: int, wanted_id: str | None) -> None:
    """Raise :class:`~webapp.errors.IntakeError` for an exhibit of more bytes (``size``) than they have.

    One of theirs is counted already. ``wanted_id`` is the id of the upload, if it came in parts.
    """
    settings, who = context.settings(), current()
    if settings.quota is None or who.user_id is None:
        return
    own = select(AnalysisRow.id).join(AnalysisRow.exhibit).where(AnalysisRow.owner_id == who.user_id)
    if session.scalar(own.where(Exhibit.sha256 == sha256).limit(1)) is not None:
        return
    limit = upload_limit_in(session, settings, who, wanted_id)
    if size > limit.bytes:
        raise limit.too_large()
