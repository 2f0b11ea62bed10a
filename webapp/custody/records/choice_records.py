"""Which validations there are, and which one reports quote, as the custody log says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import or_
from sqlalchemy.orm import Session

from webapp.custody import log_queries
from webapp.custody.altered import refuse_forged
from webapp.storage.tables import CustodyRow

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


def own_extract(session: Session, validation_id: str) -> str | None:
    """The SHA-256 of the extract with the thresholds that were set last; None: none were."""
    own = [said for said in _said(session, THRESHOLDS, keyed=True) if said.get("validation") == validation_id]
    return str(own[-1].get(EXTRACT)) if own else None


def chosen_validation(session: Session, *, keyed: bool) -> tuple[str, str] | None:
    """Id of the validation that was chosen last, and the SHA-256 of its extract; None: none is quoted.

    ``keyed``: raises :class:`~webapp.custody.altered.AlteredRecord` for an entry that was not written with
    the log's key.
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
    for entry in log_queries.entries_where(session, CustodyRow.action == "configuration", about):
        if keyed:
            refuse_forged(session, entry)
        yield entry.details
