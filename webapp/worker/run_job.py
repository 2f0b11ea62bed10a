"""Run one job, from its claim to its end, in a child process of the worker."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import OperationalError

from detector.progress import Progress
from detector.sandbox import KilledError
from detector.schema.causes.failures import FailureCode
from webapp.errors import StoreError
from webapp.exhibits import deletion
from webapp.exhibits.findings import recorded_result, remove_finding
from webapp.jobs import claims
from webapp.jobs.claims import AnyClaim, ComparisonClaim, JobClaim
from webapp.jobs.failures import explain_failure
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, open_database
from webapp.worker import run_analysis
from webapp.worker.ready_engine import ReadyEngine
from webapp.worker.run_analysis import retry_while_unreachable

log = logging.getLogger(__name__)

_WRITE_INTERVAL = 0.4  # seconds between two writes of progress to the row


class StageTimes:
    """A progress callback that measures the duration of each stage and passes calls on to ``report``.

    A stage that comes back adds to its time. The time before the first stage belongs to none.
    """

    def __init__(self, report: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._began = self._since = clock()
        self._stage = ""
        self._seconds: dict[str, float] = {}

    def __call__(self, stage: str, fraction: float) -> None:
        if stage != self._stage:
            self._end_stage()
            self._stage = stage
        self._report(stage, fraction)

    def log_done(self, claim: JobClaim) -> None:
        """Log the job, its attempt, and the seconds in total and of each stage; no name of a file."""
        self._end_stage()
        noun, seconds = claim.table.noun, self._since - self._began
        fields = {
            noun: claim.job_id,
            "attempt": claim.attempt,
            "seconds": round(seconds, 2),
            "stages": {stage: round(duration, 2) for stage, duration in self._seconds.items()},
        }
        log.info("%s %s took %.1f s", noun, claim.job_id, seconds, extra={"fields": fields})

    def _end_stage(self) -> None:
        now = self._clock()
        if self._stage:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._since = now


AroundFinish = Callable[[Settings, Database, Folders, str], contextlib.AbstractContextManager[None]]


def work(
    settings: Settings,
    end: Callable[[], None] | None = None,
    around_finish: AroundFinish = lambda *_: contextlib.nullcontext(),
    ready: ReadyEngine | None = None,
) -> None:
    """Claim the first job and run it; return silently if there is none.

    Whatever a file causes ends as a failed row with an explanation. ``end`` kills this process; it is called
    if a confined process was killed from outside. An analysis is marked done within ``around_finish``, such
    as :func:`webapp.worker.prepared_report.prepared`. The engine ``ready`` is used if the analysis is for its
    model, and closed. There must be no other thread, so that confined processes can be forked: whoever waits
    for them also sends the heartbeat.
    """
    with (
        contextlib.closing(ready) if ready else contextlib.nullcontext(),
        open_database(settings) as database,
    ):
        claim = claims.claim_next_job(database, settings.queues)
        if claim is None:
            return
        job, folders = f"{claim.table.noun} {claim.job_id}", Folders.of(settings)
        try:
            try:
                if isinstance(claim, ComparisonClaim):
                    _compare(settings, database, folders, claim)
                else:
                    _analyse(settings, database, folders, claim, around_finish, ready)
            finally:
                # Before the row is written: these files may have filled the database's disk.
                shutil.rmtree(folders.unfinished(claim.job_id, claim.name), ignore_errors=True)
                _remove_fetched(folders, claim)
        except claims.LostClaim:
            log.warning("%s was cancelled, paused or given to another worker; this attempt ends", job)
            _remove_orphaned(database, folders, claim, job)
        except SoftTimeLimitExceeded:
            claims.fail_job(database, claim, FailureCode.OUT_OF_TIME.cause())
        except KilledError:
            # Most often the machine ran out of memory, which is worth another attempt. This process ends in
            # the same way, so that its parent handles it like its own death.
            if end is not None:
                end()
            claims.fail_job(database, claim, FailureCode.WORKER_LOST.cause())
        except Exception as error:
            log.warning("%s failed: %s", job, error, exc_info=error)
            claims.fail_job(database, claim, explain_failure(error))


def _analyse(
    settings: Settings,
    database: Database,
    folders: Folders,
    claim: claims.AnalysisClaim,
    around_finish: AroundFinish,
    ready: ReadyEngine | None,
) -> None:
    times = StageTimes(reporter(database, claim))
    analysis = run_analysis.ensure_analysis(settings, database, claim, times, ready)
    result = recorded_result(analysis, folders.result(claim.job_id))
    unexplained = None if analysis.explained else claim.unexplained
    _remove_fetched(folders, claim)
    with around_finish(settings, database, folders, claim.job_id):
        retry_while_unreachable(lambda: claims.finish_analysis(database, claim, result, unexplained))
        times.log_done(claim)
    remove_finding(folders, claim.job_id)


def _compare(settings: Settings, database: Database, folders: Folders, claim: ComparisonClaim) -> None:
    times = StageTimes(reporter(database, claim))
    comparison = run_analysis.ensure_comparison(settings, database, claim, times)
    inputs = run_analysis.comparison_inputs(folders, claim)
    _remove_fetched(folders, claim)
    retry_while_unreachable(lambda: claims.finish_comparison(database, claim, comparison, inputs))
    times.log_done(claim)


def _remove_fetched(folders: Folders, claim: AnyClaim) -> None:
    """Remove the files fetched from the store for this job.

    A machine that had to fetch the exhibit serves no pages, so nothing else would remove them.
    """
    fetched = folders.fetched(claim.job_id, claim.name)
    if not fetched.exists():
        return
    if isinstance(claim, ComparisonClaim):
        shutil.rmtree(folders.comparison(claim.job_id), ignore_errors=True)
    else:
        folders.forget(claim.job_id, Path(claim.exhibit).name)
    shutil.rmtree(fetched, ignore_errors=True)


def _remove_orphaned(database: Database, folders: Folders, claim: AnyClaim, job: str) -> None:
    """Remove what a lost attempt published of a job that was cancelled, paused or deleted meanwhile."""
    try:
        if isinstance(claim, ComparisonClaim):
            deletion.remove_orphaned_comparison(database, folders, claim.job_id)
        else:
            deletion.remove_orphaned_result(database, folders, claim.job_id, Path(claim.exhibit).name)
    except StoreError as error:
        log.error("what it put into the store of %s is still there: %s", job, error)


def reporter(database: Database, claim: JobClaim, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Return a progress callback that writes the row a few times a second and at each new stage.

    The write is the heartbeat as well. Raises :class:`~webapp.jobs.claims.LostClaim` if the claim is gone.
    """
    last, last_stage = float("-inf"), ""

    def progress(stage: str, fraction: float) -> None:
        nonlocal last, last_stage
        moment = clock()
        if stage == last_stage and moment - last < _WRITE_INTERVAL:
            return
        last, last_stage = moment, stage
        with contextlib.suppress(OperationalError):  # a busy database must not end an analysis
            claims.record_heartbeat(database, claim, stage, fraction)

    return progress
