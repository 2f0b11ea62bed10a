"""Which validation reports are to quote, as the custody log says (:mod:`.altered`)."""

from __future__ import annotations

from sqlalchemy import or_
from sqlalchemy.orm import Session

from webapp.custody import log as custody_log
from webapp.custody.altered import refuse_forged
from webapp.storage.tables import CustodyRow

CHOSEN, THRESHOLDS = "validation in reports", "own thresholds"
EXTRACT = "laboratory sha256"
"""In an entry of either: the SHA-256 of the extract that reports quote from then on."""


def chosen_validation(session: Session, *, keyed: bool) -> tuple[str, str] | None:
    """Id of the validation that was chosen last, and the SHA-256 of its extract; None: none is quoted.

    ``keyed``: raises :class:`~webapp.custody.altered.AlteredRecord` for an entry that was not written with
    the log's key.
    """
    about = or_(
        *(CustodyRow.details.contains(f'"what": "{what}"', autoescape=True) for what in (CHOSEN, THRESHOLDS))
    )
    told: tuple[str, str] | None = None
    for entry in custody_log.entries_where(session, CustodyRow.action == "configuration", about):
        if keyed:
            refuse_forged(session, entry)
        said = entry.details
        if said.get("what") == CHOSEN and EXTRACT not in said:
            told = None
        elif said.get("what") == CHOSEN or told is not None and told[0] == said.get("validation"):
            told = str(said.get("validation")), str(said.get(EXTRACT))
    return told
