"""The validation that reports quote: what the custody log says was chosen, and where its extract lies."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import or_
from sqlalchemy.orm import Session

from reports.file_names import LABORATORY
from reports.language.translation import gettext
from webapp.custody import custody_log
from webapp.custody.job_records import AlteredRecord, refuse_forged
from webapp.storage.data_folder import Folders
from webapp.storage.tables import Choice, CustodyRow, now

MADE, REMOVED = "validation made", "validation removed"
CHOSEN, THRESHOLDS = "validation in reports", "own thresholds"
EXTRACT = "laboratory sha256"
"""In an entry of either: the SHA-256 of the extract that reports quote from then on."""


def made_validations(session: Session, *, keyed: bool) -> dict[str, bool]:
    """By id, whether the last that was said of a validation is that it was made, and not that it was removed.

    ``keyed``: as of :func:`chosen_validation`.
    """
    return {
        str(said.get("validation")): said.get("what") == MADE
        for said in _said(session, MADE, REMOVED, keyed=keyed)
    }


def thresholds_extract(session: Session, validation_id: str) -> str | None:
    """The SHA-256 of the extract with the thresholds that were set last; None: none were."""
    own = [said for said in _said(session, THRESHOLDS, keyed=True) if said.get("validation") == validation_id]
    return str(own[-1].get(EXTRACT)) if own else None


def chosen_validation(session: Session, *, keyed: bool) -> tuple[str, str] | None:
    """Id of the validation that was chosen last, and the SHA-256 of its extract; None: none is quoted.

    ``keyed``: raises :class:`~webapp.custody.job_records.AlteredRecord` for an entry that was not written
    with the log's key.
    """
    told: tuple[str, str] | None = None
    for said in _said(session, CHOSEN, THRESHOLDS, keyed=keyed):
        if said.get("what") == CHOSEN and EXTRACT not in said:
            told = None
        elif said.get("what") == CHOSEN or told is not None and told[0] == said.get("validation"):
            told = str(said.get("validation")), str(said.get(EXTRACT))
    return told


def _said(session: Session, *whats: str, keyed: bool) -> Iterator[Mapping[str, str | int]]:
    """The details of the entries that say one of these, in order."""
    about = or_(*(CustodyRow.details.contains(f'"what": "{what}"', autoescape=True) for what in whats))
    for entry in custody_log.iter_entries_where(session, CustodyRow.action == "configuration", about):
        if keyed:
            refuse_forged(session, entry)
        yield entry.details


CHOICE = "validation"


def pending_path(place: Path, sha256: str) -> Path:
    """Where an extract lies until its rows are written: the one in its place is quoted until then.

    Whenever a crash comes, one of the two is what the rows speak of.
    """
    return place.with_name(f"{place.stem}.{sha256}{place.suffix}")


def choose_extract(session: Session, validation_id: str, extract: bytes) -> None:
    """Have reports quote this extract of a validation; the caller records it in the custody log."""
    session.merge(Choice(name=CHOICE, value=f"{validation_id} {sha256_of(extract)}", made=now()))


@dataclass(frozen=True)
class ChosenExtract:
    """The ``laboratory.json`` that reports quote, and the SHA-256 it had when it was chosen."""

    path: Path
    sha256: str

    @property
    def paths(self) -> tuple[Path, Path]:
        """Where it is: in its place or, after a crash, beside it."""
        return self.path, pending_path(self.path, self.sha256)


def chosen_extract(session: Session, folders: Folders) -> ChosenExtract | None:
    """Which one reports quote; None: none."""
    if (chosen := session.get(Choice, CHOICE)) is None:
        return None
    validation_id, _, sha256 = chosen.value.partition(" ")
    return ChosenExtract(folders.validation(validation_id) / LABORATORY, sha256)


def read_quoted_extract(session: Session, folders: Folders, *, keyed: bool = True) -> bytes | None:
    """The text of the ``laboratory.json`` that reports quote, if any.

    ``keyed``: the MACs of the log's entries are checked; else whoever asks does that. Raises
    :class:`AlteredRecord` for one that is not the one that was chosen.
    """
    _refuse_unlogged(session, keyed=keyed)
    if (chosen := chosen_extract(session, folders)) is None:
        return None
    for path in (*chosen.paths, chosen.path):  # again: it may have been put in its place between the two
        with contextlib.suppress(OSError):
            if sha256_of(text := path.read_bytes()) == chosen.sha256:
                return text
    raise AlteredRecord(gettext("The validation that reports quote is not the one that was chosen."))


def _refuse_unlogged(session: Session, *, keyed: bool) -> None:
    """Raise :class:`AlteredRecord` where the choice in the database is not that of the custody log."""
    before: object = ()
    while True:
        row = session.get(Choice, CHOICE, populate_existing=True)
        chosen, told = (row.value if row else None), chosen_validation(session, keyed=keyed)
        if chosen == (None if told is None else " ".join(told)):
            return
        if told == before:  # else somebody chose another one between the two questions
            raise AlteredRecord(
                gettext("The validation that reports quote is not the one that the custody log holds.")
            )
        before = told


def sha256_of(text: bytes) -> str:
    """Its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(text).hexdigest()
