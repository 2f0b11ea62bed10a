"""Run one job, from its claim to its end, in a child process of the worker."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import OperationalError

from detector.progress import Progress
from detector.sandbox import KilledError
from detector.schema.analysis import summarise
from webapp.analyses import deletion
from webapp.errors import StoreError
from webapp.jobs import claims
from webapp.jobs import claims as jobs_claims
from webapp.jobs.claims import ComparisonClaim, JobClaim
from webapp.jobs.failures import OUT_OF_TIME, WORKER_LOST, explain_failure
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, open_database
from webapp.worker import run_analysis
from webapp.worker import run_analysis as worker_run_analysis
from webapp.worker.ready_engine import ReadyEngine
from webapp.worker.run_analysis import retry_while_unreachable

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


Around = contextlib.AbstractContextManager[None]

_WRITE_EVERY = 0.4  # seconds between two writes of progress to the row


def _nothing(_settings: Settings, _database: Database, _folders: Folders, _analysis_id: str) -> Around:
    return contextlib.nullcontext()


def work(
    settings: Settings,
    end: Callable[[], None] | None = None,
    around_finish: Callable[[Settings, Database, Folders, str], Around] = _nothing,
    ready: ReadyEngine | None = None,
) -> None:
    """Claim the job that comes first and see it through; returns silently if there is none.

    Never raises for anything a file can do: that ends as a failed row with words. ``end`` ends this
    process; it is called when a confined one was killed from outside. An analysis is marked done within
    ``around_finish``, such as :func:`webapp.worker.prepared_report.prepared`. An engine that is ``ready`` is
    used if the analysis is for its model, and closed. There must be no thread beside this one, so that
    confined processes can be forked: who waits for them keeps the heartbeat going.
    """
    with (
        contextlib.closing(ready) if ready else contextlib.nullcontext(),
        open_database(settings) as database,
    ):
        held = jobs_claims.claim_next_job(database, settings.queues)
        if held is None:
            return
        name, folders = f"{held.table.noun} {held.job_id}", Folders.of(settings)
        unfinished = folders.unfinished(held.job_id, held.name)

        try:
            try:
                if isinstance(held, ComparisonClaim):
                    _compare(settings, database, folders, held)
                else:
                    _analyse(settings, database, folders, held, around_finish, ready)
            finally:
                # First of all: it may be what filled the disk, on which the row is to say so.
                shutil.rmtree(unfinished, ignore_errors=True)
                _remove_fetched(folders, held)
        except claims.LostClaim:
            log.warning("%s was cancelled, paused or given to another worker; this attempt ends", name)
            _remove_unwanted(database, folders, held, name)
        except SoftTimeLimitExceeded:
            claims.fail_job(database, held, OUT_OF_TIME)
        except KilledError:
            # Most often the machine ran out of memory, which is worth another attempt: to this process's
            # own parent it must look as if it had been this one, since it was for the same work.
            if end is not None:
                end()
            claims.fail_job(database, held, WORKER_LOST)
        except Exception as problem:
            log.warning("%s failed: %s", name, problem, exc_info=problem)
            claims.fail_job(database, held, explain_failure(problem))


def _analyse(
    settings: Settings,
    database: Database,
    folders: Folders,
    held: claims.AnalysisClaim,
    around_finish: Callable[[Settings, Database, Folders, str], Around],
    ready: ReadyEngine | None,
) -> None:
    """Have the result made, then mark the analysis done; raises whatever goes wrong."""
    times = StageTimes(reporter(database, held))
    analysis = run_analysis.ensure_analysis(settings, database, held, times, ready)
    result = claims.RecordedResult(
        analysis.verdict,
        analysis.probability,
        analysis.media.duration,
        analysis.media.frame_rate,
        json.dumps(summarise(analysis)),
        run_analysis.analysis_inputs(folders, held, analysis),
    )
    _remove_fetched(folders, held)
    with around_finish(settings, database, folders, held.job_id):
        retry_while_unreachable(lambda: claims.finish_analysis(database, held, result))
        times.log_done(held)


def _compare(settings: Settings, database: Database, folders: Folders, held: ComparisonClaim) -> None:
    times = StageTimes(reporter(database, held))
    comparison = worker_run_analysis.ensure_comparison(settings, database, held, times)
    made_of = worker_run_analysis.comparison_inputs(folders, held)
    _remove_fetched(folders, held)
    retry_while_unreachable(lambda: jobs_claims.finish_comparison(database, held, comparison, made_of))
    times.log_done(held)


def _remove_fetched(folders: Folders, held: jobs_claims.AnyClaim) -> None:
    """Remove what was fetched from the store for this job.

    A machine on which the exhibit had to be fetched serves no pages, so nothing else would remove it.
    """
    fetched = folders.fetched(held.job_id, held.name)
    if not fetched.exists():
        return
    if isinstance(held, ComparisonClaim):
        shutil.rmtree(folders.comparison(held.job_id), ignore_errors=True)
    else:
        folders.forget(held.job_id, Path(held.exhibit).name)
    shutil.rmtree(fetched, ignore_errors=True)


def _remove_unwanted(database: Database, folders: Folders, held: jobs_claims.AnyClaim, name: str) -> None:
    """Remove what a lost attempt published of the job ``name``, cancelled, paused or deleted meanwhile."""
    try:
        if isinstance(held, ComparisonClaim):
            deletion.remove_orphaned_comparison(database, folders, held.job_id)
        else:
            deletion.remove_orphaned_result(database, folders, held.job_id, Path(held.exhibit).name)
    except StoreError as problem:
        log.error("what it put into the store of %s is still there: %s", name, problem)


def reporter(
    database: Database,
    held: claims.JobClaim,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """A progress callback that writes the row a few times a second, and at each new stage.

    That is the heartbeat as well. Raises :class:`~webapp.jobs.claims.LostClaim` once the claim is gone.
    """
    last, shown = float("-inf"), ""

    def progress(stage: str, fraction: float) -> None:
        nonlocal last, shown
        moment = clock()
        if stage == shown and moment - last < _WRITE_EVERY:
            return
        last, shown = moment, stage
        # Progress is a courtesy: a busy database must not end an analysis.
        with contextlib.suppress(OperationalError):
            claims.record_heartbeat(database, held, stage, fraction)

    return progress
