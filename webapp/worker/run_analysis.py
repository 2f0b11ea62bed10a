"""Compute the result of one analysis or comparison."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import OperationalError

from detector.files import publish_folder, write_atomically
from detector.progress import Progress
from detector.sandbox import Limits
from detector.sandboxed_engine import EngineJob, read_result, run_job
from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from detector.schema.formatting import N_
from webapp.analyses.media import previews
from webapp.analyses.media.previews import make_confined_thumbnail
from webapp.custody import custody_log
from webapp.custody.integrity import DamagedExhibit
from webapp.custody.job_records import COMPARISON_FILE, COMPARISON_SUMS_FILE, comparison_sums_text
from webapp.errors import DamagedFile
from webapp.jobs import claims
from webapp.jobs.claims import ComparisonClaim
from webapp.models import service as model_service
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.worker import store_transfer
from webapp.worker.fingerprint_jobs import FINGERPRINT, FingerprintKeeper
from webapp.worker.ready_engine import ENGINE_SHARE, ReadyEngine, write_files

log = logging.getLogger(__name__)

_BACK = 60.0  # seconds in which a database that is started anew should be there again
_Answer = TypeVar("_Answer")


def retry_while_unreachable(ask: Callable[[], _Answer]) -> _Answer:
    """Read or write, again and again for a minute where the database cannot be reached."""
    until = time.monotonic() + _BACK
    while True:
        try:
            return ask()
        except OperationalError as problem:
            if time.monotonic() >= until:
                raise
            log.warning("the database cannot be reached, trying again: %s", problem.orig)
            time.sleep(1)


def ensure_analysis(
    settings: Settings,
    database: Database,
    held: claims.AnalysisClaim,
    progress: Progress,
    ready: ReadyEngine | None,
) -> Analysis:
    """The finished result in its place, made now or found whole from an attempt that was lost after it."""
    folders = Folders.of(settings)
    place, exhibit = folders.result(held.job_id), folders.data / held.exhibit
    if folders.store.elsewhere:
        exhibit = _fetched_exhibit(settings, database, held, exhibit.name, progress)
    if not place.exists():
        _make_and_publish(settings, database, held, exhibit, progress, ready)
    analysis = Analysis.from_json((place / "analysis.json").read_bytes())
    make_confined_thumbnail(
        analysis,
        place,
        exhibit,
        folders.thumbnail(held.job_id),
        settings.limits,
        lambda *_: progress("making a thumbnail", ENGINE_SHARE),
    )

    def encoding(share: float) -> None:
        words = N_("making a preview the browser can play")
        progress(words, ENGINE_SHARE + share * (1 - ENGINE_SHARE))

    previews.prepare_playback(folders, exhibit, analysis.media, settings.spare, encoding, settings.limits)
    if folders.store.elsewhere:
        store_transfer.put_result(
            settings,
            held.job_id,
            exhibit.name,
            lambda: progress("putting the result into the store", 1.0),
        )
    return analysis


def _make_and_publish(
    settings: Settings,
    database: Database,
    held: claims.AnalysisClaim,
    exhibit: Path,
    progress: Progress,
    ready: ReadyEngine | None,
) -> None:
    """Run the engine beside the result's place, keep the fingerprint, and put the result there."""
    folders = Folders.of(settings)
    unfinished = folders.unfinished(held.job_id, held.name)
    unfinished.mkdir(mode=0o700, parents=True)
    model = model_service.card_path(folders, _model(database, folders, held))
    others = tuple(model_service.card_path(folders, name) for name in held.others.names)
    job = EngineJob(exhibit, held.file, model, held.parameters, others, held.others.rule)
    keeper = FingerprintKeeper(database, exhibit.name, unfinished, progress)
    made = make_analysis(job, unfinished, keeper, settings.limits, ready)
    keeper.take()
    if made.media.sha256 != exhibit.name:
        raise DamagedExhibit
    # A lost claim ends here, not with somebody else's place taken.
    retry_while_unreachable(lambda: claims.record_heartbeat(database, held))
    publish_folder(unfinished, folders.result(held.job_id))


def _model(database: Database, folders: Folders, held: claims.AnalysisClaim) -> str:
    """The name of the model that is asked."""

    def default() -> str:
        with database.begin() as session:
            return model_service.default_model(session, folders)

    return held.model or retry_while_unreachable(default)


def make_analysis(
    job: EngineJob, folder: Path, progress: Progress, limits: Limits, ready: ReadyEngine | None
) -> Analysis:
    """Run the engine over an exhibit and write everything the result consists of into ``folder``.

    All of it is done in a confined process: in that of ``ready`` if it is for this model alone.
    """
    job = replace(job, write=write_files, fingerprint=FINGERPRINT)

    def report(stage: str, fraction: float) -> None:
        progress(stage, fraction * ENGINE_SHARE)

    if ready is not None and ready.make(job, folder, report):
        return read_result(folder)
    return run_job(job, folder, report, limits, scratch=folder.parent)


def _fetched_exhibit(
    settings: Settings, database: Database, held: claims.AnalysisClaim, sha256: str, progress: Progress
) -> Path:
    """The exhibit, from the store unless the data folder has it."""
    folders = Folders.of(settings)
    to = folders.fetched(held.job_id, held.name) / sha256
    model = ",".join((_model(database, folders, held), *held.others.names))
    try:
        return store_transfer.fetch_inputs(
            settings,
            held.job_id,
            sha256,
            to,
            model,
            lambda: progress("fetching the exhibit from the store", 0.0),
        )
    except DamagedFile as problem:
        log.error("exhibit %s: %s", sha256, problem)
        raise DamagedExhibit from problem


def analysis_inputs(
    folders: Folders, held: claims.AnalysisClaim, analysis: Analysis
) -> custody_log.EntryDetails:
    """What the custody log says of a finished analysis, so that its result can be told from any other."""
    manifest = (folders.result(held.job_id) / "manifest.json").read_bytes()
    return {
        "model": analysis.model.name,
        "model sha256": analysis.model.sha256,
        "manifest sha256": hashlib.sha256(manifest).hexdigest(),
        "reelproof": analysis.software.reelproof,
    }


def ensure_comparison(
    settings: Settings, database: Database, held: ComparisonClaim, progress: Progress
) -> Comparison:
    """The finished result in its place, made now or found whole from an attempt that was lost after it."""
    folders = Folders.of(settings)
    place = folders.comparison(held.job_id)
    sums = tuple(Path(path).name for path in held.paths)
    if not place.exists():
        exhibit, reference = _files(settings, held, progress)
        unfinished = folders.unfinished(held.job_id, held.name)
        unfinished.mkdir(mode=0o700, parents=True)
        made = make_comparison(exhibit, reference, unfinished, held.files, settings, progress)
        if (made.exhibit.sha256, made.reference.sha256) != sums:
            raise DamagedExhibit
        write_atomically(unfinished / COMPARISON_SUMS_FILE, comparison_sums_text(unfinished))
        # A lost claim ends here, not with somebody else's place taken.
        retry_while_unreachable(lambda: claims.record_heartbeat(database, held))
        publish_folder(unfinished, place)
    if folders.store.elsewhere:
        store_transfer.put_comparison(
            settings, held.job_id, lambda: progress("putting the result into the store", 1.0)
        )
    return Comparison.from_json((place / COMPARISON_FILE).read_bytes())


def make_comparison(
    exhibit: Path,
    reference: Path,
    folder: Path,
    names: tuple[str, str],
    settings: Settings,
    progress: Progress,
) -> Comparison:
    """Run the engine over both files, in a confined process with the limits of analyses."""
    from detector.comparison.compare import compare_confined  # brings OpenCV

    return compare_confined(
        exhibit, reference, folder, names=names, limits=settings.limits, progress=progress
    )


def comparison_inputs(folders: Folders, held: ComparisonClaim) -> custody_log.EntryDetails:
    """What the custody log says of a finished comparison, so that its result can be told from any other."""
    place = folders.comparison(held.job_id)
    return {
        f"{name.partition('.')[0]} sha256": hashlib.sha256((place / name).read_bytes()).hexdigest()
        for name in (COMPARISON_FILE, COMPARISON_SUMS_FILE)
    }


def _files(settings: Settings, held: ComparisonClaim, progress: Progress) -> tuple[Path, Path]:
    """Exhibit and reference, from the store unless the data folder has them."""
    folders = Folders.of(settings)
    exhibit, reference = (folders.data / path for path in held.paths)
    if not folders.store.elsewhere:
        return exhibit, reference
    to = folders.fetched(held.job_id, held.name)
    try:
        return store_transfer.fetch_both(
            settings,
            exhibit.name,
            reference.name,
            to,
            lambda: progress("fetching the two files from the store", 0.0),
        )
    except DamagedFile as problem:
        log.error("comparison %s: %s", held.job_id, problem)
        raise DamagedExhibit from problem
