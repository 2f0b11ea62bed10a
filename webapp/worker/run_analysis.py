"""One job, from a claimed row to a finished result. Runs in a worker's child process.

Analyses are made here, comparisons with a reference in :mod:`webapp.worker.run_comparison`.

The result is written beside its place, flushed, renamed and only then marked done, so
that no reader and no crash ever sees half of one. Its report is set after that (:mod:`.prepared_report`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import OperationalError

from detector.files import publish
from detector.sandbox import AllowedPaths, KilledError, Limits, Sandbox, refuse_links
from detector.schema.analysis import Analysis, Parameters
from detector.schema.joint_rule import JointRule
from detector.schema.summary import summary_of
from detector.schema.translatable import N_
from webapp.custody.integrity import DamagedExhibit
from webapp.errors import DamagedFile, StoreError
from webapp.jobs import claims, comparisons, next_job
from webapp.jobs.comparisons import ComparisonClaim
from webapp.jobs.failures import OUT_OF_TIME, WORKER_LOST, explain
from webapp.media import preview_job
from webapp.media.thumbnails import confined_thumbnail
from webapp.services import deletion
from webapp.services import models as model_service
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, opened
from webapp.worker import run_comparison, store_transfer
from webapp.worker.fingerprint_jobs import FingerprintKeeper
from webapp.worker.ready_engine import ENGINE_SHARE, ReadyEngine, run_engine

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
Around = contextlib.AbstractContextManager[None]

_WRITE_EVERY = 0.4  # seconds between two writes of progress to the row
_DATABASE_BACK = 60.0  # seconds in which a database that is started anew should be there again


def make_result(
    path: Path,
    file: str,
    model: Path,
    parameters: Parameters,
    folder: Path,
    progress: Progress,
    limits: Limits,
    others: Sequence[Path] = (),
    joint: JointRule = JointRule.FIRST,
    ready: ReadyEngine | None = None,
) -> Analysis:
    """Run the engine over an exhibit and write everything the result consists of into ``folder``.

    ``model`` is the path of the model's card, ``others`` are those of other models, which decide with it by
    the rule ``joint``. All of it is done in a confined process: in that of ``ready`` if it is for this model.
    """
    if others or ready is None or not ready.make(path, file, model, parameters, folder, progress):
        readable = (path, model.parent, *(each.parent for each in others))
        places = AllowedPaths(readable=readable, writable=(folder,))
        what = (run_engine, model, path, folder, file, parameters, tuple(others), joint)
        with Sandbox(*what, limits=limits, places=places, scratch=folder.parent) as confined:
            confined.result(progress)
    refuse_links(folder)
    return Analysis.from_json((folder / "analysis.json").read_bytes())


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
            if isinstance(held, ComparisonClaim):
                _compare(settings, database, folders, held)
            else:
                _analyse(settings, database, folders, held, around_finish, ready)
        except claims.LostClaim:
            log.warning("%s was cancelled, paused or given to another worker; this attempt ends", name)
            shutil.rmtree(unfinished, ignore_errors=True)
            with _logged(f"what it put into the store of {name} is still there"):
                if isinstance(held, ComparisonClaim):
                    deletion.remove_unwanted_comparison(database, folders, held.job_id)
                else:
                    deletion.remove_unwanted(database, folders, held.job_id, Path(held.exhibit).name)
        except SoftTimeLimitExceeded:
            claims.fail(database, held, OUT_OF_TIME)
        except KilledError:
            # Most often the machine ran out of memory, which is worth another attempt: to this process's
            # own parent it must look as if it had been this one, since it was for the same work.
            shutil.rmtree(unfinished, ignore_errors=True)
            if end is not None:
                end()
            claims.fail(database, held, WORKER_LOST)
        except Exception as problem:
            log.warning("%s failed: %s", name, problem, exc_info=problem)
            claims.fail(database, held, explain(problem))
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            _remove_fetched(folders, held)


def _analyse(
    settings: Settings,
    database: Database,
    folders: Folders,
    held: claims.Claim,
    around_finish: Callable[[Settings, Database, Folders, str], Around],
    ready: ReadyEngine | None,
) -> None:
    analysis = _result(settings, database, held, reporter(database, held), ready)
    length, made_of = analysis.media.duration, _made_of(folders, held, analysis)
    finding = json.dumps(summary_of(analysis))
    _remove_fetched(folders, held)
    with around_finish(settings, database, folders, held.analysis_id):
        retry_while_unreachable(
            lambda: claims.finish(
                database, held, analysis.verdict, analysis.probability, length, made_of, finding
            )
        )


def _compare(settings: Settings, database: Database, folders: Folders, held: ComparisonClaim) -> None:
    comparison = run_comparison.result(settings, database, held, reporter(database, held))
    made_of = run_comparison.made_of(folders, held)
    _remove_fetched(folders, held)
    retry_while_unreachable(lambda: comparisons.finish(database, held, comparison, made_of))


def _remove_fetched(folders: Folders, held: claims.Claim | ComparisonClaim) -> None:
    """Remove what was fetched from the store for this job.

    A machine on which the exhibit had to be fetched serves no pages, so nothing else would remove it.
    """
    fetched = folders.fetched(held.job_id, held.name)
    if not fetched.exists():
        return
    if isinstance(held, ComparisonClaim):
        shutil.rmtree(folders.comparison(held.job_id), ignore_errors=True)
    else:
        folders.forget(held.analysis_id, Path(held.exhibit).name)
    shutil.rmtree(fetched, ignore_errors=True)


@contextlib.contextmanager
def _logged(words: str) -> Iterator[None]:
    try:
        yield
    except StoreError as problem:
        log.error("%s: %s", words, problem)


def retry_while_unreachable(write: Callable[[], None], patience: float = _DATABASE_BACK) -> None:
    """Write to the database, again and again for ``patience`` seconds where it cannot be reached."""
    until = time.monotonic() + patience
    while True:
        try:
            return write()
        except OperationalError as problem:
            if time.monotonic() >= until:
                raise
            log.warning("the database cannot be reached, trying again: %s", problem.orig)
            time.sleep(1)


def _result(
    settings: Settings,
    database: Database,
    held: claims.Claim,
    progress: Progress,
    ready: ReadyEngine | None,
) -> Analysis:
    """The finished result in its place, made now or found whole from an attempt that was lost after it."""
    folders = Folders.of(settings)
    place, exhibit = folders.result(held.analysis_id), folders.data / held.exhibit
    if folders.store.elsewhere:
        exhibit = _fetched_exhibit(settings, database, held, exhibit.name, progress)
    if not place.exists():
        unfinished = folders.unfinished(held.analysis_id, held.name)
        unfinished.mkdir(mode=0o700, parents=True)
        with database.begin() as session:
            model = model_service.card_path(folders, held.model or model_service.default(session, folders))
            beside = [model_service.card_path(folders, name) for name in held.others.names]
        more: dict[str, Any] = {"others": beside, "joint": held.others.rule} if beside else {}
        more |= {"ready": ready} if ready else {}
        keeper = FingerprintKeeper(database, exhibit.name, unfinished, progress)
        made = make_result(
            exhibit, held.file, model, held.parameters, unfinished, keeper, settings.limits, **more
        )
        keeper.take()
        if made.media.sha256 != exhibit.name:
            raise DamagedExhibit
        claims.beat(database, held)  # a lost claim ends here, not with somebody else's place taken
        publish(unfinished, place)
    analysis = Analysis.from_json((place / "analysis.json").read_bytes())
    confined_thumbnail(
        analysis,
        place,
        exhibit,
        folders.thumbnail(held.analysis_id),
        settings.limits,
        lambda *_: progress("making a thumbnail", ENGINE_SHARE),
    )

    def encoding(share: float) -> None:
        words = N_("making a preview the browser can play")
        progress(words, ENGINE_SHARE + share * (1 - ENGINE_SHARE))

    preview_job.prepare(folders, exhibit, analysis.media, settings.spare, encoding, settings.limits)
    if folders.store.elsewhere:

        def waiting() -> None:
            progress("putting the result into the store", 1.0)

        store_transfer.put_result(settings, held.analysis_id, exhibit.name, waiting)
    return analysis


def _fetched_exhibit(
    settings: Settings, database: Database, held: claims.Claim, sha256: str, progress: Progress
) -> Path:
    """The exhibit, from the store unless the data folder has it."""
    folders = Folders.of(settings)
    to = folders.fetched(held.analysis_id, held.name) / sha256
    with database.begin() as session:
        model = held.model or model_service.default(session, folders)
    model = ",".join((model, *held.others.names))
    try:
        return store_transfer.fetch_inputs(
            settings,
            held.analysis_id,
            sha256,
            to,
            model,
            lambda: progress("fetching the exhibit from the store", 0.0),
        )
    except DamagedFile as problem:
        log.error("exhibit %s: %s", sha256, problem)
        raise DamagedExhibit from problem


def _made_of(folders: Folders, held: claims.Claim, analysis: Analysis) -> dict[str, str | int]:
    """What the custody log says of a finished analysis, so that its result can be told from any other."""
    manifest = (folders.result(held.analysis_id) / "manifest.json").read_bytes()
    return {
        "model": analysis.model.name,
        "model sha256": analysis.model.sha256,
        "manifest sha256": hashlib.sha256(manifest).hexdigest(),
        "reelproof": analysis.software.reelproof,
    }


def reporter(
    database: Database,
    held: claims.Hold,
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
