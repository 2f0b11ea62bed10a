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
from language.formatting import shown
from language.translation import gettext, ngettext
from webapp import context
from webapp.accounts.permissions import Principal, current
from webapp.errors import UserError
from webapp.http.uploads import CHUNK, UploadLimit, explain_full_disk, no_space_error, private_file
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, Exhibit, UploadRow, now

LIFETIME = timedelta(days=1)  # after the last part; _too_many and the documentation say “a day”
MAX_UNFINISHED = 20  # per person
# With login on, the uploads of one person may fill a quarter of the free space, or be one file.
_SHARE = 4
CHECKSUMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
_LOCKED: set[str] = set()  # ids of uploads that a request works on
_LOCK = threading.Lock()  # guards _LOCKED


@dataclass(frozen=True)
class AnnouncedUpload:
    """The announcement of a resumable upload."""

    who: str  # name of the account
    file: str  # name of the file
    size: int  # in bytes
    sha256: str | None  # of the whole file, if announced
    wanted_id: str  # the id to use; if it exists, the request was repeated and does nothing


def begin_upload(
    database: Database,
    settings: Settings,
    limit: Callable[[Session], UploadLimit],
    announced: AnnouncedUpload,
) -> UploadRow:
    """Reserve room for a file. Raises :class:`UserError` if it is too large or there is no room.

    ``limit`` is called within the transaction, so that concurrent uploads cannot exceed it together.
    """
    size = announced.size
    if not size:
        raise UserError(
            400, gettext("The file is empty: it holds no bytes."), gettext("Check the file on your disk.")
        )
    folders = Folders.local(settings.data)
    with database.alone() as session:
        if (existing := session.get(UploadRow, announced.wanted_id)) is not None:
            return existing
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
    path = folders.upload(row.id)
    with open(path, "xb", opener=private_file):
        pass
    flush_folder(path.parent)
    return row


def _refuse_without_room(session: Session, settings: Settings, folders: Folders, who: str, size: int) -> None:
    """Raise if ``who`` has too many unfinished uploads, or ``size`` more bytes do not fit."""
    unfinished = UploadRow.analysis_id.is_(None)
    if (session.scalar(select(func.count()).where(unfinished, UploadRow.who == who)) or 0) >= MAX_UNFINISHED:
        raise _too_many(
            gettext(
                "You have %(most_at_a_time)s unfinished uploads, the maximum.",
                most_at_a_time=MAX_UNFINISHED,
            )
        )
    sums = select(func.sum(UploadRow.size), func.sum(UploadRow.received)).where(unfinished)
    announced, received = (int(total or 0) for total in session.execute(sums).one())
    free = shutil.disk_usage(folders.uploads).free - settings.spare
    if size > free - (announced - received):
        raise no_space_error()
    share = max(settings.upload_limit, (free + received) // _SHARE)
    if settings.login and announced_bytes(session, who) + size > share:
        raise _too_many(
            gettext(
                "Your unfinished uploads may take %(megabytes)s MB in total, so that others have room.",
                megabytes=shown(share / 1000000.0, ",.10g"),
            )
        )


def _too_many(error: str) -> UserError:
    remedy = gettext("Finish or delete one of them; each is removed a day after its last part.")
    return UserError(429, error, remedy)


def announced_bytes(session: Session, who: str, except_id: str | None = None) -> int:
    """Sum the sizes of a person's unfinished uploads, received or not, except one."""
    own = UploadRow.who == who, UploadRow.analysis_id.is_(None), UploadRow.id != (except_id or "")
    return int(session.scalar(select(func.sum(UploadRow.size)).where(*own)) or 0)


def append_part(
    database: Database,
    settings: Settings,
    row: UploadRow,
    offset: int,
    body: IO[bytes],
    checksum: tuple[str, bytes] | None = None,
) -> UploadRow:
    """Append a part that starts at ``offset``; a part with a wrong checksum is discarded.

    ``checksum`` is the name of one of :data:`CHECKSUMS` and the digest. Raises
    :class:`~webapp.errors.UserError` if the part starts elsewhere, is damaged or too long, or the upload is
    gone. An analysed upload accepts, like any complete one, an empty part at its end.
    """
    folders = Folders.local(settings.data)
    if row.analysis_id is not None:  # its file is an exhibit now
        _refuse_other_offset(row, offset)
        if body.read(1):
            raise _too_long(row)
        return row
    with _lock(row.id), _open(folders.upload(row.id)) as file:
        row = _reload(database, row.id)  # nobody else writes from now on
        _refuse_other_offset(row, offset)
        if shutil.disk_usage(folders.uploads).free < settings.spare:  # the disk has filled up since
            raise no_space_error()
        received = _write(file, row, body, checksum)
        with database.begin() as session:
            if (current_row := session.get(UploadRow, row.id)) is None:
                raise _gone()
            current_row.received, current_row.expires = received, now() + LIFETIME
        return current_row


def _refuse_other_offset(row: UploadRow, offset: int) -> None:
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
            gettext("Send HEAD to learn the offset, then send the part that starts there."),
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
    """Write a part after the bytes received so far and flush it; return the new number of bytes."""
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
            gettext("The part arrived damaged: its checksum does not match."),
            gettext("Send the same part again."),
        )
    return received


def finish_upload(
    database: Database, settings: Settings, row: UploadRow, start: Callable[[Path, UploadRow], str]
) -> str:
    """Turn a complete file into an analysis and return its id, also if that was done before.

    ``start`` gets the file, which it may move away, and returns the id. Raises
    :class:`~webapp.errors.UserError` if parts are missing or the upload is gone.
    """
    path = Folders.local(settings.data).upload(row.id)
    if row.analysis_id is not None:
        return row.analysis_id
    with _lock(row.id):
        row = _reload(database, row.id)
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
                gettext("Send HEAD to learn the offset, and send the rest."),
            )
        try:
            analysis_id = start(path, row)
        except FileNotFoundError:
            if path.exists():
                raise
            raise _gone() from None
        with database.begin() as session:
            if (current_row := session.get(UploadRow, row.id)) is not None:
                current_row.analysis_id = analysis_id
    path.unlink(missing_ok=True)
    return analysis_id


def remove_upload(database: Database, folders: Folders, upload_id: str) -> None:
    """Delete an upload and its file; a request that works on it fails with 404."""
    with database.begin() as session:
        session.execute(delete(UploadRow).where(UploadRow.id == upload_id))
    folders.upload(upload_id).unlink(missing_ok=True)


def expire_uploads(database: Database, folders: Folders) -> None:
    """Remove expired uploads that no request works on, and files without a row."""
    expired = UploadRow.expires < now()
    with database.begin() as session:
        ids = session.scalars(select(UploadRow.id).where(expired)).all()
    for upload_id in ids:
        with contextlib.suppress(_Busy), _lock(upload_id):
            with database.begin() as session:
                row = session.get(UploadRow, upload_id)
            # A part may have renewed it before it was locked.
            if row is None or row.expires < now():
                remove_upload(database, folders, upload_id)
    for path in folders.uploads.iterdir():
        with database.begin() as session:
            known = session.get(UploadRow, path.name) is not None
        # A file appears a moment after its row; one without a row is left over from a removal.
        if not known:
            path.unlink(missing_ok=True)


def _reload(database: Database, upload_id: str) -> UploadRow:
    """Return the current row; an upload may be deleted or expire between two parts."""
    with database.begin() as session:
        row = session.get(UploadRow, upload_id)
    if row is None:
        raise _gone()
    return row


def _gone() -> UserError:
    return UserError(404, gettext("This upload no longer exists."), gettext("Begin another one."))


class _Busy(UserError):
    """Another request is working on the upload."""

    def __init__(self) -> None:
        super().__init__(
            423,
            gettext("Another request is working on this upload."),
            gettext("Wait for it, then send HEAD to learn the offset."),
        )


@contextlib.contextmanager
def _lock(upload_id: str) -> Iterator[None]:
    """Keep other requests and expiry away from an upload."""
    with _LOCK:
        if upload_id in _LOCKED:
            raise _Busy
        _LOCKED.add(upload_id)
    try:
        yield
    finally:
        with _LOCK:
            _LOCKED.discard(upload_id)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("r+b")
    except FileNotFoundError:
        raise _gone() from None


def exhibit_bytes(session: Session, user_id: int) -> int:
    """Sum the sizes of the exhibits an account has analyses of."""
    own = select(AnalysisRow.exhibit_id).where(AnalysisRow.owner_id == user_id)
    total = session.scalar(select(func.coalesce(func.sum(Exhibit.bytes), 0)).where(Exhibit.id.in_(own)))
    return int(total or 0)


def upload_limit(settings: Settings, who: Principal) -> UploadLimit:
    """Return the limit of one upload of an account; it is checked again once the file has arrived."""
    with context.database().begin() as session:
        return upload_limit_in(session, settings, who)


def upload_limit_in(
    session: Session, settings: Settings, who: Principal, except_id: str | None = None
) -> UploadLimit:
    """Return the general limit, or the rest of the account's quota if that is less.

    Resumable uploads count with their announced size, except the one with the id ``except_id``.
    """
    usual = UploadLimit(1, settings.upload_limit)
    if settings.quota is None or who.user_id is None:
        return usual
    used = exhibit_bytes(session, who.user_id) + announced_bytes(session, who.name, except_id)
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
            used=shown(-(-used // 100_000) / 10, ",.10g"),  # rounded up
            left=shown(left // 100_000 / 10, ",.10g"),  # rounded down
        ),
        smaller=gettext(
            "Unfinished uploads count with their complete size. Delete analyses you no longer need, or "
            "ask the operator of this Reelproof to raise REELPROOF_QUOTA_MB."
        ),
    )


def refuse_over_quota(session: Session, sha256: str, size: int, wanted_id: str | None) -> None:
    """Raise :class:`~webapp.errors.IntakeError` if an exhibit of ``size`` bytes exceeds the quota.

    Exhibits the account already has are counted. ``wanted_id`` is the id of a resumable upload.
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
