"""One job, from a claimed row to its end, whatever happens on the way. Runs in a worker's child process.

What is made of an analysis is in :mod:`webapp.worker.run_analysis`, of a comparison with a reference in
:mod:`webapp.worker.run_comparison`. Both write the result beside its place, flush and rename it, and only
then is the row marked done, so that no reader and no crash ever sees half of one.
"""

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
from detector.schema.summary import summary_of
from webapp.errors import StoreError
from webapp.jobs import claims, comparisons, next_job
from webapp.jobs.comparisons import ComparisonClaim
from webapp.jobs.failures import OUT_OF_TIME, WORKER_LOST, explain
from webapp.services import deletion
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, opened
from webapp.worker import run_analysis, run_comparison
from webapp.worker.database_retries import retry_while_unreachable
from webapp.worker.ready_engine import ReadyEngine
from webapp.worker.stage_times import StageTimes

log = logging.getLogger(__name__)

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
    with contextlib.closing(ready) if ready else contextlib.nullcontext(), opened(settings) as database:
        held = next_job.claim_first(database, settings.queues)
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
            claims.fail(database, held, OUT_OF_TIME)
        except KilledError:
            # Most often the machine ran out of memory, which is worth another attempt: to this process's
            # own parent it must look as if it had been this one, since it was for the same work.
            if end is not None:
                end()
            claims.fail(database, held, WORKER_LOST)
        except Exception as problem:
            log.warning("%s failed: %s", name, problem, exc_info=problem)
            claims.fail(database, held, explain(problem))


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
    analysis = run_analysis.ensure_result(settings, database, held, times, ready)
    result = claims.RecordedResult(
        analysis.verdict,
        analysis.probability,
        analysis.media.duration,
        analysis.media.frame_rate,
        json.dumps(summary_of(analysis)),
        run_analysis.made_of(folders, held, analysis),
    )
    _remove_fetched(folders, held)
    with around_finish(settings, database, folders, held.job_id):
        retry_while_unreachable(lambda: claims.finish(database, held, result))
        times.log_done(held)


def _compare(settings: Settings, database: Database, folders: Folders, held: ComparisonClaim) -> None:
    times = StageTimes(reporter(database, held))
    comparison = run_comparison.ensure_result(settings, database, held, times)
    made_of = run_comparison.made_of(folders, held)
    _remove_fetched(folders, held)
    retry_while_unreachable(lambda: comparisons.finish(database, held, comparison, made_of))
    times.log_done(held)


def _remove_fetched(folders: Folders, held: next_job.AnyClaim) -> None:
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


def _remove_unwanted(database: Database, folders: Folders, held: next_job.AnyClaim, name: str) -> None:
    """Remove what a lost attempt published of the job ``name``, cancelled, paused or deleted meanwhile."""
    try:
        if isinstance(held, ComparisonClaim):
            deletion.remove_unwanted_comparison(database, folders, held.job_id)
        else:
            deletion.remove_unwanted(database, folders, held.job_id, Path(held.exhibit).name)
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
            claims.beat(database, held, stage, fraction)

    return progress
