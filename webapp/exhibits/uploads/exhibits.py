"""Exhibits: check the kind of an uploaded file, create its row, and send the file unchanged."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from pathlib import Path

from flask import send_file
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector.errors import MediaError
from detector.files import hash_file
from detector.media import acceptance
from detector.media.acceptance import is_accepted
from detector.schema.formatting import joiner_positions, with_unseen_named
from detector.timestamps import iso_milliseconds
from language.names import normalized
from language.translation import N_, gettext, translated
from webapp import context
from webapp.casework import reviews
from webapp.custody import custody_log, integrity
from webapp.custody.job_records import AlteredRecord
from webapp.errors import DamagedFile, IntakeError
from webapp.exhibits.disclosure import record_download
from webapp.http.uploads import CHUNK, AssembledFile, Incoming, KeptFile, UploadLimit
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, Condition, Exhibit, now

_MAX_NAME, _MAX_SUFFIX = 200, 10


def store_upload(session: Session, stream: Incoming | AssembledFile, file: str) -> Exhibit:
    """Turn a complete upload into an exhibit, or find the one with the same bytes.

    Raises :class:`~webapp.errors.IntakeError` for an empty file.
    """
    if not stream.bytes:
        raise IntakeError(
            400,
            gettext("The file is empty: it holds no bytes."),
            gettext("Check the file on your disk, then upload it again."),
        )
    known = session.scalar(select(Exhibit).where(Exhibit.sha256 == stream.sha256))
    damaged = known is not None and known.condition not in (None, Condition.FITS)
    return create_exhibit(session, stream.keep(damaged), file)


def store_file(session: Session, folders: Folders, source: Path, file: str, spare: int) -> Exhibit:
    """Store a file of this machine's disk as an exhibit; the file stays where it is."""
    size = source.stat().st_size
    stream = Incoming(folders, UploadLimit(1, size), spare=spare, announced=size)
    try:
        with source.open("rb") as reader:
            while chunk := reader.read(CHUNK):
                stream.write(chunk)
        return store_upload(session, stream, file)
    finally:
        stream.close()


def create_exhibit(session: Session, stored: KeptFile, file: str) -> Exhibit:
    """Create the row of an exhibit or find the existing one. Safe against concurrent uploads."""
    query = select(Exhibit).where(Exhibit.sha256 == stored.sha256)
    if (row := session.scalar(query)) is None:
        new = Exhibit(sha256=stored.sha256, name=file, bytes=stored.bytes, path=stored.path, created=now())
        try:
            with session.begin_nested():
                session.add(new)
        except IntegrityError:  # another upload of the same bytes was faster
            row = session.scalars(query).one()
        else:
            custody_log.append(
                session, "intake", {"name": file, "bytes": stored.bytes}, exhibit=stored.sha256
            )
            return new
    details: dict[str, str | int | None] = {
        "name": file,
        "bytes": stored.bytes,
        "first name": row.name,
        "first handed in": iso_milliseconds(row.created),
    }
    if stored.newly_kept:
        row.checked, row.condition = now(), Condition.FITS
        details["kept file"] = "was missing or damaged; put back from what was handed in now"
    custody_log.append(session, "intake again", details, exhibit=stored.sha256)
    return row


def clean_file_name(path: str | None) -> str:
    """Clean an upload's name for display: without folders, control and direction characters.

    Other characters that cannot be seen are written by name.
    """
    last = (path or "").replace("\\", "/").rsplit("/", 1)[-1]
    text = last.encode("utf-8", "replace").decode("utf-8")
    joiners = joiner_positions(text)
    text = with_unseen_named(
        "".join(char for at, char in enumerate(text) if unicodedata.category(char)[0] != "C" or at in joiners)
    ).strip()
    name = normalized(text, _MAX_NAME)
    if len(name) > _MAX_NAME:
        _, dot, suffix = text.rpartition(".")
        suffix = normalized(suffix, _MAX_SUFFIX)
        ending = dot + suffix if len(suffix) <= _MAX_SUFFIX else ""
        name = f"{name[: _MAX_NAME - len(ending) - 1]}…{ending}"
    return name if name.strip(". ") else "unnamed file"


ACCEPTED_KINDS = acceptance.KINDS_IN_WORDS


def refuse_unsupported_kinds(path: Path) -> None:
    """Raise :class:`IntakeError` unless a file starts like a supported video, photo or sound recording.

    Only the first bytes are checked; the engine opens the file later, confined.
    """
    with path.open("rb") as file:
        head = file.read(acceptance.HEAD_BYTES)
    try:
        acceptance.refuse_other_types(
            head, N_("Reelproof reads %(accepted)s.") % {"accepted": ACCEPTED_KINDS}
        )
    except MediaError as problem:
        raise IntakeError(415, translated(str(problem)), "") from None
    if head and not is_accepted(head):
        raise IntakeError(
            415,
            gettext(
                "This is not a video, photo or sound recording that Reelproof reads: it starts like a file "
                "of another kind."
            ),
            gettext("Upload %(accepted)s. The file's name does not matter.", accepted=ACCEPTED_KINDS),
        )


def send_exhibit_under_review(row: AnalysisRow) -> Response:
    """Send the exhibit of a second review, whatever is hidden of it.

    Raises :class:`~webapp.errors.UserError` if it has no second review.
    """
    with context.database().begin() as session:
        reviews.find_review_or_404(session, row)
    return send_exhibit(row)


def send_exhibit(row: AnalysisRow) -> Response:
    """Verify the exhibit of an analysis, send it and record the download."""
    path = verified_exhibit(context.database(), context.folders(), row)
    # As an attachment of no particular type: a browser must not display it on this site.
    answer = send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=row.file)
    record_download(row, "exhibit", path, answer=answer)
    return answer


def verified_exhibit(database: Database, folders: Folders, row: AnalysisRow) -> Path:
    """Return the file of an exhibit after hashing it; fetch it from the store if the copy here is bad.

    Raises :class:`AlteredRecord` if no stored file has the original bytes.
    """
    path, sha256 = folders.data / row.exhibit.path, row.exhibit.sha256
    folders.store.fetch(path, sha256)
    current = hash_file(path)[1]
    if current != sha256 and folders.store.elsewhere:
        # The file here is only a copy; the store's decides whether the exhibit was altered.
        with suppress(DamagedFile):
            if folders.store.fetch(path, sha256, anew=True):
                return path
    refuse_altered_exhibit(database, folders, row, current)
    return path


def refuse_altered_exhibit(database: Database, folders: Folders, row: AnalysisRow, sha256: str) -> None:
    """Raise :class:`AlteredRecord` if ``sha256``, of the stored file, is not that of the exhibit."""
    if sha256 != row.exhibit.sha256:
        integrity.check_exhibit(database, folders, row.exhibit)  # writes a log entry
        raise AlteredRecord(gettext("The stored file no longer has the bytes that were uploaded."))
