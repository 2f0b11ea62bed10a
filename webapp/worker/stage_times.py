"""How long each stage of a job took: one line of the log, where it is written as JSON."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from detector.progress import Progress
from webapp.jobs.claims import JobClaim

log = logging.getLogger(__name__)


class StageTimes:
    """Hands progress on to ``report``, and keeps the time from each new stage to the next one.

    A stage that comes back goes on where it was. What comes before the first one counts as none's.
    """

    def __init__(self, report: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._began = self._since = clock()
        self._stage = ""
        self._seconds: dict[str, float] = {}

    def __call__(self, stage: str, fraction: float) -> None:
        if stage != self._stage:
            self._pass()
            self._stage = stage
        self._report(stage, fraction)

    def log_done(self, held: JobClaim) -> None:
        """Write the line: the job, its attempt, seconds in all and of each stage. It names no file."""
        self._pass()
        noun, seconds = held.table.noun, self._since - self._began
        fields = {
            noun: held.job_id,
            "attempt": held.attempt,
            "seconds": round(seconds, 2),
            "stages": {stage: round(took, 2) for stage, took in self._seconds.items()},
        }
        log.info("%s %s took %.1f s", noun, held.job_id, seconds, extra={"fields": fields})

    def _pass(self) -> None:
        now = self._clock()
        if self._stage:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._since = now
