"""One analysis, from a claimed row to a finished result. Runs in a worker's child process.

The result is written beside its place, flushed, renamed and only then marked done, so
that no reader and no crash ever sees half of one.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import OperationalError

from detector.analysis import Analysis
from webapp import jobs, models
from webapp.database import Database, opened
from webapp.durable import publish
from webapp.failures import OUT_OF_TIME, explain
from webapp.folders import Folders
from webapp.settings import Settings
from webapp.thumbnails import make_thumbnail

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]

_WRITE_EVERY = 0.4  # seconds between two writes of progress to the row
_ENGINE_SHARE = 0.95  # of the progress bar; the rest is the report


def analyse_and_report(path: Path, file: str, model: Path, folder: Path, progress: Progress) -> Analysis:
    """Run the engine over an exhibit and write everything the result consists of into ``folder``.

    ``model`` is the path of the model's card.
    """
    # Here and nowhere else: these bring torch and WeasyPrint into the process.
    from detector import analyze
    from reports import write_report

    analysis = analyze(
        path,
        name=file,
        model=model,
        images=folder,
        progress=lambda stage, fraction: progress(stage, fraction * _ENGINE_SHARE),
    )
    progress("writing the report", _ENGINE_SHARE)
    write_report(analysis, folder)
    return analysis


def work(settings: Settings, analysis_id: str) -> None:
    """Claim an analysis and see it through; returns silently if there is nothing to claim.

    Never raises for anything a file can do: that ends as a failed row with words.
    """
    with opened(settings) as database:
        held = jobs.claim(database, analysis_id)
        if held is None:
            return
        folders = Folders(settings.data)
        try:
            with alive(database, held):
                analysis = _result(database, held, folders)
            jobs.finish(database, held, analysis.verdict, analysis.probability)
        except jobs.LostClaim:
            log.warning("analysis %s was given to another worker; this attempt ends", analysis_id)
        except SoftTimeLimitExceeded:
            jobs.fail(database, held, OUT_OF_TIME)
        except Exception as problem:
            log.warning("analysis %s failed: %s", analysis_id, problem, exc_info=problem)
            jobs.fail(database, held, explain(problem))
        finally:
            shutil.rmtree(folders.unfinished(held.analysis_id, held.attempt), ignore_errors=True)


@contextlib.contextmanager
def alive(database: Database, held: jobs.Claim) -> Iterator[None]:
    """Keep the row's heartbeat going while the block runs, whatever the engine is busy with."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(jobs.HEARTBEAT_EVERY.total_seconds()):
            try:
                jobs.beat(database, held)
            except jobs.LostClaim:
                return  # the next report of progress meets the same and ends the attempt
            except OperationalError as problem:
                log.warning("heartbeat of analysis %s not written: %s", held.analysis_id, problem)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _result(database: Database, held: jobs.Claim, folders: Folders) -> Analysis:
    """The finished result in its place, made now or found whole from an attempt that was lost after it."""
    place = folders.result(held.analysis_id)
    if not place.exists():
        unfinished = folders.unfinished(held.analysis_id, held.attempt)
        unfinished.mkdir(mode=0o700, parents=True)
        with database.begin() as session:
            model = models.card_path(folders, held.model or models.default(session, folders))
        exhibit = folders.data / held.exhibit
        analyse_and_report(exhibit, held.file, model, unfinished, reporter(database, held))
        jobs.beat(database, held)  # a lost claim ends here, not with somebody else's place taken
        publish(unfinished, place)
    analysis = Analysis.from_json((place / "analysis.json").read_bytes())
    make_thumbnail(analysis, place, folders.thumbnail(held.analysis_id))
    return analysis


def reporter(database: Database, held: jobs.Claim, clock: Callable[[], float] = time.monotonic) -> Progress:
    """A progress callback that writes the row a few times a second, and at each new stage."""
    last, shown = float("-inf"), ""

    def progress(stage: str, fraction: float) -> None:
        nonlocal last, shown
        moment = clock()
        if stage == shown and moment - last < _WRITE_EVERY:
            return
        last, shown = moment, stage
        # Progress is a courtesy: a busy database must not end an analysis.
        with contextlib.suppress(OperationalError):
            jobs.beat(database, held, stage, fraction)

    return progress
