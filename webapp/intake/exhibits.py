"""Exhibits: which kinds of files are accepted, and the row of one whose bytes are in their place."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from detector.errors import MediaError
from detector.media.exhibit import signatures
from detector.media.exhibit.signatures import is_accepted
from detector.schema.joiners import joiners
from detector.timestamps import iso_milliseconds
from reports.text.free_text import normalized
from reports.text.translation.language import N_, gettext, translated
from webapp.custody import log as custody_log
from webapp.errors import IntakeError
from webapp.intake.incoming import CHUNK, AssembledFile, Incoming, KeptFile, UploadLimit
from webapp.storage.data_folder import Folders
from webapp.storage.tables import Condition, Exhibit, now

_LONGEST_NAME, _LONGEST_SUFFIX = 200, 10


def take_in(session: Session, stream: Incoming | AssembledFile, file: str) -> Exhibit:
    """Make an exhibit of a complete upload, or find the one that has the same bytes.

    Raises :class:`~webapp.errors.IntakeError` for an empty file.
    """
    if not stream.bytes:
        raise IntakeError(
            400,
            gettext("The file is empty: it holds no bytes."),
            gettext("Check the file on your disk, then hand it in again."),
        )
    known = session.scalar(select(Exhibit).where(Exhibit.sha256 == stream.sha256))
    damaged = known is not None and known.condition not in (None, Condition.FITS)
    return create_exhibit(session, stream.keep(damaged), file)


def take_in_file(session: Session, folders: Folders, source: Path, file: str, spare: int) -> Exhibit:
    """The same for a file on this machine's disk, which is left where it is."""
    size = source.stat().st_size
    stream = Incoming(folders, UploadLimit(1, size), spare=spare, announced=size)
    try:
        with source.open("rb") as reader:
            while chunk := reader.read(CHUNK):
                stream.write(chunk)
        return take_in(session, stream, file)
    finally:
        stream.close()


def create_exhibit(session: Session, kept: KeptFile, file: str) -> Exhibit:
    """The row of this exhibit: the one there is, or a new one. Safe against two at once."""
    known = select(Exhibit).where(Exhibit.sha256 == kept.sha256)
    if (row := session.scalar(known)) is None:
        new = Exhibit(sha256=kept.sha256, name=file, bytes=kept.bytes, path=kept.path, created=now())
        try:
            with session.begin_nested():
                session.add(new)
        except IntegrityError:  # another upload of the same bytes was quicker
            row = session.scalars(known).one()
        else:
            custody_log.append(session, "intake", {"name": file, "bytes": kept.bytes}, exhibit=kept.sha256)
            return new
    details: dict[str, str | int | None] = {
        "name": file,
        "bytes": kept.bytes,
        "first name": row.name,
        "first handed in": iso_milliseconds(row.created),
    }
    if kept.newly_kept:
        row.checked, row.condition = now(), Condition.FITS
        details["kept file"] = "was missing or damaged; put back from what was handed in now"
    custody_log.append(session, "intake again", details, exhibit=kept.sha256)
    return row


def clean_name(given: str | None) -> str:
    """An upload's name fit to be shown and stored: no folders, no control or direction characters."""
    last = (given or "").replace("\\", "/").rsplit("/", 1)[-1]
    text = last.encode("utf-8", "replace").decode("utf-8")
    kept = joiners(text)
    text = "".join(
        char for at, char in enumerate(text) if unicodedata.category(char)[0] != "C" or at in kept
    ).strip()
    name = normalized(text, _LONGEST_NAME)
    if len(name) > _LONGEST_NAME:
        _, dot, suffix = text.rpartition(".")
        suffix = normalized(suffix, _LONGEST_SUFFIX)
        ending = dot + suffix if len(suffix) <= _LONGEST_SUFFIX else ""
        name = f"{name[: _LONGEST_NAME - len(ending) - 1]}…{ending}"
    return name if name.strip(". ") else "unnamed file"


ACCEPTED = signatures.KINDS_IN_WORDS


def refuse_other_kinds(path: Path) -> None:
    """Raise :class:`IntakeError` for a file that is no video or photo of these kinds.

    Says nothing of what follows the first bytes: the engine opens the file confined, later.
    """
    with path.open("rb") as file:
        head = file.read(signatures.HEAD)
    try:
        signatures.refuse_others(head, N_("Reelproof reads %(accepted)s.") % {"accepted": ACCEPTED})
    except MediaError as problem:
        raise IntakeError(415, translated(str(problem)), "") from None
    if head and not is_accepted(head):
        raise IntakeError(
            415,
            gettext("This is no video or photo that Reelproof reads: it begins like a file of another kind."),
            gettext("Hand in %(accepted)s. What the file is called does not matter.", accepted=ACCEPTED),
        )
