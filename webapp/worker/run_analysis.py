"""The result of one analysis of an exhibit; :mod:`webapp.worker.run_job` calls it.

What the engine finds, a thumbnail and what plays of the exhibit; the report is rendered once the analysis is
marked done (:mod:`webapp.worker.prepared_report`).
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from detector.files import publish
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links
from detector.schema.analysis import Analysis
from detector.schema.translatable import N_
from webapp.custody import log as custody_log
from webapp.custody.integrity import DamagedExhibit
from webapp.errors import DamagedFile
from webapp.jobs import claims
from webapp.media import preview_job
from webapp.media.thumbnails import confined_thumbnail
from webapp.services import models as model_service
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.worker import store_transfer
from webapp.worker.database_retries import retry_while_unreachable
from webapp.worker.fingerprint_jobs import FingerprintKeeper
from webapp.worker.ready_engine import ENGINE_SHARE, EngineJob, ReadyEngine, run_engine

log = logging.getLogger(__name__)


def ensure_result(
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
    confined_thumbnail(
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

    preview_job.prepare(folders, exhibit, analysis.media, settings.spare, encoding, settings.limits)
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
    made = make_result(job, unfinished, keeper, settings.limits, ready)
    keeper.take()
    if made.media.sha256 != exhibit.name:
        raise DamagedExhibit
    # A lost claim ends here, not with somebody else's place taken.
    retry_while_unreachable(lambda: claims.beat(database, held))
    publish(unfinished, folders.result(held.job_id))


def _model(database: Database, folders: Folders, held: claims.AnalysisClaim) -> str:
    """The name of the model that is asked."""

    def default() -> str:
        with database.begin() as session:
            return model_service.default(session, folders)

    return held.model or retry_while_unreachable(default)


def make_result(
    job: EngineJob, folder: Path, progress: Progress, limits: Limits, ready: ReadyEngine | None
) -> Analysis:
    """Run the engine over an exhibit and write everything the result consists of into ``folder``.

    All of it is done in a confined process: in that of ``ready`` if it is for this model alone.
    """
    if ready is None or not ready.make(job, folder, progress):
        readable = (job.path, *(card.parent for card in (job.model, *job.others)))
        places = AllowedPaths(readable=readable, writable=(folder,))
        what = (run_engine, job.model, job.path, folder, job)
        with Sandbox(*what, limits=limits, places=places, scratch=folder.parent) as confined:
            confined.result(progress)
    refuse_links(folder)
    return Analysis.from_json((folder / "analysis.json").read_bytes())


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


def made_of(folders: Folders, held: claims.AnalysisClaim, analysis: Analysis) -> custody_log.EntryDetails:
    """What the custody log says of a finished analysis, so that its result can be told from any other."""
    manifest = (folders.result(held.job_id) / "manifest.json").read_bytes()
    return {
        "model": analysis.model.name,
        "model sha256": analysis.model.sha256,
        "manifest sha256": hashlib.sha256(manifest).hexdigest(),
        "reelproof": analysis.software.reelproof,
    }
