"""A comparison of an exhibit with a reference, from queued to done.

What is the same for analyses is in :mod:`webapp.jobs.states` and :mod:`webapp.jobs.claims`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from detector.schema.comparison import Comparison
from webapp.custody import log as custody_log
from webapp.jobs import claims, states
from webapp.storage.database import Database
from webapp.storage.tables import ComparisonRow, Exhibit, Priority, State, now


@dataclass(frozen=True)
class ComparisonClaim(claims.JobClaim):
    """One attempt's claim to one comparison; paths are relative to the data folder."""

    table = ComparisonRow

    files: tuple[str, str]  # names of exhibit and reference
    paths: tuple[str, str]


def create(
    session: Session,
    exhibit: Exhibit,
    reference: Exhibit,
    files: tuple[str, str],
    asked_by: str,
    wanted_id: str | None = None,
    priority: Priority = Priority.NORMAL,
) -> ComparisonRow:
    """Queue a comparison. ``files`` are what the two are called; ``wanted_id`` is the id it is to have."""
    row = ComparisonRow(
        **states.fresh(wanted_id, priority),
        exhibit=exhibit,
        reference=reference,
        file=files[0],
        reference_file=files[1],
        asked_by=asked_by,
    )
    session.add(row)
    states.record(session, row, "queued", {"reference": reference.sha256, "priority": priority.words})
    return row


def claim(database: Database, comparison_id: str) -> ComparisonClaim | None:
    """Take a queued comparison to work on it; None if it is not there to be taken."""
    with database.begin() as session:
        if (moment := claims.take(session, ComparisonRow, comparison_id)) is None:
            return None
        row = session.get_one(ComparisonRow, comparison_id)
        states.record(session, row, "started", {"attempt": row.attempt, "reference": row.reference.sha256})
        files, paths = (row.file, row.reference_file), (row.exhibit.path, row.reference.path)
        return ComparisonClaim(row.id, row.attempt, moment, files, paths)


def finish(
    database: Database, held: ComparisonClaim, comparison: Comparison, made_of: custody_log.EntryDetails
) -> None:
    """Mark the comparison done; its result must be in place already. Raises ``LostClaim``.

    ``made_of`` is what the custody log says of the result's files.
    """
    found = {
        "related": comparison.related,
        "segments": len(comparison.segments),
        "outcome": comparison.outcome.value,
    }
    with database.begin() as session:
        done = session.execute(
            update(ComparisonRow)
            .where(*claims.is_held(held))
            .values(state=State.DONE, stage="", progress=1.0, finished=now(), **found)
        )
        if not states.changed(done):
            raise claims.LostClaim(held.job_id)
        row = session.get_one(ComparisonRow, held.job_id)
        details = {
            "attempt": held.attempt,
            "reference": row.reference.sha256,
            "related": "yes" if comparison.related else "no",
            "segments": len(comparison.segments),
            "outcome": comparison.outcome.value,
            "reelproof": comparison.reelproof,
            **made_of,
        }
        states.record(session, row, "finished", details)
