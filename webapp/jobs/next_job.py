"""Which job a worker takes next."""

from __future__ import annotations

from collections.abc import Callable, Collection

from webapp.jobs import claims, comparisons
from webapp.jobs import queue as job_queue
from webapp.storage.database import Database
from webapp.storage.tables import JOBS, AnalysisRow, ComparisonRow

AnyClaim = claims.AnalysisClaim | comparisons.ComparisonClaim

_CLAIM_OF: dict[type[AnalysisRow] | type[ComparisonRow], Callable[[Database, str], AnyClaim | None]] = {
    AnalysisRow: claims.claim,
    ComparisonRow: comparisons.claim,
}
# A kind of job that nothing claims would be first for ever: it is a KeyError as soon as this is imported.
_CLAIMS = tuple(_CLAIM_OF[table] for table in JOBS)


def claim_first(database: Database, queues: Collection[str]) -> AnyClaim | None:
    """Take the job that comes first in these queues to work on it; None where nothing waits there."""
    while (job_id := job_queue.next_id(database, queues)) is not None:
        for claim in _CLAIMS:
            if (held := claim(database, job_id)) is not None:
                return held
        # It was just taken, cancelled or paused, and another one is first.
    return None
