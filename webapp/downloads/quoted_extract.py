"""The validation that reports quote: what the custody log says was chosen, and where its extract lies.

The choice is a row with the SHA-256 of the extract (``laboratory.json``), so that an altered extract is not
quoted.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import or_
from sqlalchemy.orm import Session

from language.translation import gettext
from reports.file_names import LABORATORY
from webapp.custody import custody_log
from webapp.custody.job_records import AlteredRecord, refuse_forged
from webapp.storage.data_folder import Folders
from webapp.storage.tables import Choice, CustodyRow, now

# Values of "what" in entries with the action "configuration".
MADE, REMOVED = "validation made", "validation removed"
CHOSEN, THRESHOLDS = "validation in reports", "own thresholds"
EXTRACT = "laboratory sha256"
"""Detail of entries ``CHOSEN`` and ``THRESHOLDS``: SHA-256 of the extract that reports quote from then on."""
CHOICE = "validation"


def made_validations(session: Session, *, keyed: bool) -> dict[str, bool]:
    """Return, by id, whether a validation exists: made, and not removed since. ``keyed`` as below."""
    return {
        str(details.get("validation")): details.get("what") == MADE
        for details in _details(session, MADE, REMOVED, keyed=keyed)
    }


def thresholds_extract(session: Session, validation_id: str) -> str | None:
    """Return the SHA-256 of the extract with the thresholds set last; None if none were set."""
    own = [
        details
        for details in _details(session, THRESHOLDS, keyed=True)
        if details.get("validation") == validation_id
    ]
    return str(own[-1].get(EXTRACT)) if own else None


def chosen_validation(session: Session, *, keyed: bool) -> tuple[str, str] | None:
    """Return the id of the validation chosen last and the SHA-256 of its extract; None if none is quoted.

    With ``keyed``, raise :class:`AlteredRecord` for an entry that was not written with the log's key.
    """
    chosen: tuple[str, str] | None = None
    for details in _details(session, CHOSEN, THRESHOLDS, keyed=keyed):
        if details.get("what") == CHOSEN and EXTRACT not in details:
            chosen = None
        elif details.get("what") == CHOSEN or chosen is not None and chosen[0] == details.get("validation"):
            chosen = str(details.get("validation")), str(details.get(EXTRACT))
    return chosen


def _details(session: Session, *acts: str, keyed: bool) -> Iterator[Mapping[str, str | int]]:
    """Yield the details of the entries about these acts, in order."""
    about = or_(*(CustodyRow.details.contains(f'"what": "{act}"', autoescape=True) for act in acts))
    for entry in custody_log.iter_entries_where(session, CustodyRow.action == "configuration", about):
        if keyed:
            refuse_forged(session, entry)
        yield entry.details


def pending_path(path: Path, sha256: str) -> Path:
    """Return where an extract lies until its rows are committed; until then the one at ``path`` is quoted.

    Whenever a crash comes, one of the two files is the one the rows refer to.
    """
    return path.with_name(f"{path.stem}.{sha256}{path.suffix}")


def choose_extract(session: Session, validation_id: str, extract: bytes) -> None:
    """Let reports quote an extract; the caller records this in the custody log."""
    session.merge(Choice(name=CHOICE, value=f"{validation_id} {sha256_of(extract)}", made=now()))


@dataclass(frozen=True)
class ChosenExtract:
    """The ``laboratory.json`` that reports quote, and the SHA-256 it had when it was chosen."""

    path: Path
    sha256: str

    @property
    def paths(self) -> tuple[Path, Path]:
        """Where the file may be: in its place or, after a crash, beside it."""
        return self.path, pending_path(self.path, self.sha256)


def chosen_extract(session: Session, folders: Folders) -> ChosenExtract | None:
    """Return the extract that reports quote, if any."""
    if (choice := session.get(Choice, CHOICE)) is None:
        return None
    validation_id, _, sha256 = choice.value.partition(" ")
    return ChosenExtract(folders.validation(validation_id) / LABORATORY, sha256)


def read_quoted_extract(session: Session, folders: Folders, *, keyed: bool = True) -> bytes | None:
    """Return the ``laboratory.json`` that reports quote, if any.

    With ``keyed``, the MACs of the log's entries are checked; otherwise the caller does this. Raises
    :class:`AlteredRecord` if the file or the choice differs from the log.
    """
    _refuse_unlogged_choice(session, keyed=keyed)
    if (chosen := chosen_extract(session, folders)) is None:
        return None
    for path in (*chosen.paths, chosen.path):  # once more: it may be moved to its place between the two reads
        with contextlib.suppress(OSError):
            if sha256_of(text := path.read_bytes()) == chosen.sha256:
                return text
    raise AlteredRecord(gettext("The validation that reports quote is not the one that was chosen."))


def _refuse_unlogged_choice(session: Session, *, keyed: bool) -> None:
    """Raise :class:`AlteredRecord` if the choice in the database is not that of the custody log."""
    before: object = ()
    while True:
        row = session.get(Choice, CHOICE, populate_existing=True)
        logged = chosen_validation(session, keyed=keyed)
        if (row.value if row else None) == (None if logged is None else " ".join(logged)):
            return
        if logged == before:  # otherwise somebody chose another one between the two queries
            raise AlteredRecord(
                gettext("The validation that reports quote is not the one that the custody log holds.")
            )
        before = logged


def sha256_of(text: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(text).hexdigest()
