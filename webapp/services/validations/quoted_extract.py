"""The extract of a validation that reports quote: which one was chosen, and where it lies.

It is a choice of the data folder, with the SHA-256 of the extract, so that a changed one is not quoted.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from reports.file_names import LABORATORY
from reports.text.translation.language import gettext
from webapp.custody.altered import AlteredRecord
from webapp.custody.records import choice_records
from webapp.storage.data_folder import Folders
from webapp.storage.tables import Choice, now

CHOICE = "validation"


def beside(place: Path, sha256: str) -> Path:
    """Where an extract lies until its rows are written: the one in its place is quoted until then.

    Whenever a crash comes, one of the two is what the rows speak of.
    """
    return place.with_name(f"{place.stem}.{sha256}{place.suffix}")


def choose(session: Session, validation_id: str, extract: bytes) -> None:
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
        return self.path, beside(self.path, self.sha256)


def chosen_extract(session: Session, folders: Folders) -> ChosenExtract | None:
    """Which one reports quote; None: none."""
    if (chosen := session.get(Choice, CHOICE)) is None:
        return None
    validation_id, _, sha256 = chosen.value.partition(" ")
    return ChosenExtract(folders.validation(validation_id) / LABORATORY, sha256)


def in_reports(session: Session, folders: Folders, *, keyed: bool = True) -> bytes | None:
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
        chosen, told = (row.value if row else None), choice_records.chosen_validation(session, keyed=keyed)
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
