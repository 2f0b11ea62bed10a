"""Which job a worker takes next."""

from __future__ import annotations

from collections.abc import Collection

from webapp.jobs import claims, comparisons
from webapp.jobs import queue as job_queue
from webapp.storage.database import Database


def claim_first(
    database: Database, queues: Collection[str]
) -> claims.AnalysisClaim | comparisons.ComparisonClaim | None:
    """Take the job that comes first in these queues to work on it; None where nothing waits there."""
    while (job_id := job_queue.next_id(database, queues)) is not None:
        held = claims.claim(database, job_id) or comparisons.claim(database, job_id)
        if held is not None:
            return held  # else it was just taken, cancelled or paused, and another one is first
    return None
