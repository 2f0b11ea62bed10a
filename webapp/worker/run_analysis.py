"""Compute the result of one analysis or comparison."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import OperationalError

from detector.files import publish_folder, write_atomically
from detector.progress import Progress
from detector.sandbox import CrashError, Limits
from detector.sandboxed_engine import EngineJob, read_result, run_job
from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from detector.schema.explained import states_the_same
from detector.schema.formatting import N_
from reports.file_names import ANALYSIS
from webapp.custody import custody_log
from webapp.custody.integrity import DamagedExhibit
from webapp.custody.job_records import COMPARISON_FILE, COMPARISON_SUMS_FILE, comparison_sums_text
from webapp.errors import DamagedFile
from webapp.exhibits.findings import publish_without_pictures, recorded_result
from webapp.exhibits.media import previews
from webapp.exhibits.media.previews import make_confined_thumbnail
from webapp.installed_models import service as model_service
from webapp.jobs import claims
from webapp.jobs.claims import AnalysisClaim, ComparisonClaim
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.worker import store_transfer
from webapp.worker.finding_keeper import FINDING, FindingKeeper
from webapp.worker.fingerprint_jobs import FINGERPRINT, FingerprintKeeper
from webapp.worker.ready_engine import ENGINE_SHARE, ReadyEngine, write_files

log = logging.getLogger(__name__)

_RETRY_FOR = 60.0  # seconds: how long a database may take to restart
_Result = TypeVar("_Result")


def retry_while_unreachable(query: Callable[[], _Result]) -> _Result:
    """Run a query, repeated for a minute while the database cannot be reached."""
    until = time.monotonic() + _RETRY_FOR
    while True:
        try:
            return query()
        except OperationalError as error:
            if time.monotonic() >= until:
                raise
            log.warning("the database cannot be reached, trying again: %s", error.orig)
            time.sleep(1)


def ensure_analysis(
    settings: Settings,
    database: Database,
    claim: AnalysisClaim,
    progress: Progress,
    ready: ReadyEngine | None,
) -> Analysis:
    """Return the finished result in its place, computed now or left by an attempt that was lost after it."""
    folders = Folders.of(settings)
    place, exhibit = folders.result(claim.job_id), folders.data / claim.exhibit
    if folders.store.elsewhere:
        exhibit = _fetch_exhibit(settings, database, claim, exhibit.name, progress)
    if claim.unexplained is not None and folders.finding(claim.job_id).exists() and not place.exists():
        log.warning("analysis %s keeps its finding without pictures", claim.job_id)
        publish_without_pictures(Folders.local(settings.data), claim.job_id)
    if not place.exists():
        unfinished = folders.unfinished(claim.job_id, claim.name)
        unfinished.mkdir(mode=0o700, parents=True)
        model = model_service.card_path(folders, _model_name(database, folders, claim))
        others = tuple(model_service.card_path(folders, name) for name in claim.others.names)
        job = EngineJob(
            exhibit,
            claim.file,
            model,
            claim.parameters,
            others,
            claim.others.rule,
            finding=FINDING,
            published=_published_finding(folders, claim),
        )
        keeper = FingerprintKeeper(database, exhibit.name, unfinished, progress)

        def publish(finding: Path) -> None:
            _publish_finding(settings, database, claim, finding, exhibit.name)

        first = FindingKeeper(publish, unfinished, keeper)
        result = make_analysis(job, unfinished, first, settings.limits, ready)
        keeper.take()
        if result.media.sha256 != exhibit.name:
            raise DamagedExhibit
        _refuse_another_finding(folders, claim, result)
        _publish(database, claim, unfinished, place)
    analysis = Analysis.from_json((place / "analysis.json").read_bytes())
    make_confined_thumbnail(
        analysis,
        place,
        exhibit,
        folders.thumbnail(claim.job_id),
        settings.limits,
        lambda *_: progress(N_("making a thumbnail"), ENGINE_SHARE),
    )

    def encoding(share: float) -> None:
        stage = N_("making a preview the browser can play")
        progress(stage, ENGINE_SHARE + share * (1 - ENGINE_SHARE))

    previews.prepare_playback(folders, exhibit, analysis.media, settings.spare, encoding, settings.limits)
    if folders.store.elsewhere:
        store_transfer.put_result(
            settings,
            claim.job_id,
            exhibit.name,
            lambda: progress(N_("putting the result into the store"), 1.0),
        )
    return analysis


def _publish(database: Database, claim: claims.JobClaim, unfinished: Path, place: Path) -> None:
    # An attempt that has lost its claim ends here instead of taking the place of another's result.
    retry_while_unreachable(lambda: claims.record_heartbeat(database, claim))
    publish_folder(unfinished, place)


def _published_finding(folders: Folders, claim: AnalysisClaim) -> str | None:
    """Return the ``analysis.json`` of the finding that an earlier attempt published, if one did."""
    finding = folders.finding(claim.job_id)
    if not claim.has_finding:
        shutil.rmtree(finding, ignore_errors=True)  # of an attempt that ended before it was shown
        return None
    try:
        return (finding / ANALYSIS).read_text(encoding="utf-8")
    except FileNotFoundError:  # such as after a backup that was made while it was removed
        log.warning("the finding of analysis %s is missing, so it is made again", claim.job_id)
        shutil.rmtree(finding, ignore_errors=True)
        return None


def _publish_finding(
    settings: Settings, database: Database, claim: AnalysisClaim, finding: Path, sha256: str
) -> None:
    """Show the finding in a folder while its pictures are made."""
    analysis = Analysis.from_json((finding / ANALYSIS).read_bytes())
    if analysis.media.sha256 != sha256:
        raise DamagedExhibit
    folders = Folders.of(settings)
    place = folders.finding(claim.job_id)
    _publish(database, claim, finding, place)
    if folders.store.elsewhere:
        store_transfer.put_finding(settings, claim.job_id, lambda: None)
    result = recorded_result(analysis, place)
    retry_while_unreachable(lambda: claims.publish_finding(database, claim, result))


def _refuse_another_finding(folders: Folders, claim: AnalysisClaim, complete: Analysis) -> None:
    """Raise ``CrashError`` if a result does not state the finding that was published."""
    place = folders.finding(claim.job_id) / ANALYSIS
    if place.exists() and not states_the_same(Analysis.from_json(place.read_bytes()), complete):
        log.error("the result of analysis %s is not the finding that was published", claim.job_id)
        raise CrashError()


def _model_name(database: Database, folders: Folders, claim: AnalysisClaim) -> str:
    def default() -> str:
        with database.begin() as session:
            return model_service.default_model(session, folders)

    return claim.model or retry_while_unreachable(default)


def make_analysis(
    job: EngineJob, folder: Path, progress: Progress, limits: Limits, ready: ReadyEngine | None
) -> Analysis:
    """Analyse an exhibit in a confined process, that of ``ready`` if it fits, and write into ``folder``."""
    job = replace(job, write=write_files, fingerprint=FINGERPRINT)

    def report(stage: str, fraction: float) -> None:
        progress(stage, fraction * ENGINE_SHARE)

    if ready is not None and ready.make(job, folder, report):
        return read_result(folder)
    return run_job(job, folder, report, limits, scratch=folder.parent)


def _fetch_exhibit(
    settings: Settings, database: Database, claim: AnalysisClaim, sha256: str, progress: Progress
) -> Path:
    """Return the exhibit, fetched from the store unless the data folder has it."""
    folders = Folders.of(settings)
    models = ",".join((_model_name(database, folders, claim), *claim.others.names))
    try:
        return store_transfer.fetch_inputs(
            settings,
            claim.job_id,
            sha256,
            folders.fetched(claim.job_id, claim.name) / sha256,
            models,
            lambda: progress(N_("fetching the exhibit from the store"), 0.0),
        )
    except DamagedFile as error:
        log.error("exhibit %s: %s", sha256, error)
        raise DamagedExhibit from error


def ensure_comparison(
    settings: Settings, database: Database, claim: ComparisonClaim, progress: Progress
) -> Comparison:
    """Return the finished result in its place, computed now or left by an attempt that was lost after it."""
    folders = Folders.of(settings)
    place = folders.comparison(claim.job_id)
    if not place.exists():
        exhibit, reference = _comparison_files(settings, claim, progress)
        unfinished = folders.unfinished(claim.job_id, claim.name)
        unfinished.mkdir(mode=0o700, parents=True)
        result = make_comparison(exhibit, reference, unfinished, claim.files, settings, progress)
        hashes = tuple(Path(path).name for path in claim.paths)
        if (result.exhibit.sha256, result.reference.sha256) != hashes:
            raise DamagedExhibit
        write_atomically(unfinished / COMPARISON_SUMS_FILE, comparison_sums_text(unfinished))
        _publish(database, claim, unfinished, place)
    if folders.store.elsewhere:
        store_transfer.put_comparison(
            settings, claim.job_id, lambda: progress(N_("putting the result into the store"), 1.0)
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
    """Compare two files in a confined process with the limits of analyses."""
    from detector.comparison.compare import compare_confined  # imports OpenCV

    return compare_confined(
        exhibit, reference, folder, names=names, limits=settings.limits, progress=progress
    )


def comparison_inputs(folders: Folders, claim: ComparisonClaim) -> custody_log.EntryDetails:
    """Return the details by which the custody log identifies the result of a comparison."""
    place = folders.comparison(claim.job_id)
    return {
        f"{name.partition('.')[0]} sha256": hashlib.sha256((place / name).read_bytes()).hexdigest()
        for name in (COMPARISON_FILE, COMPARISON_SUMS_FILE)
    }


def _comparison_files(settings: Settings, claim: ComparisonClaim, progress: Progress) -> tuple[Path, Path]:
    """Return exhibit and reference, fetched from the store unless the data folder has them."""
    folders = Folders.of(settings)
    exhibit, reference = (folders.data / path for path in claim.paths)
    if not folders.store.elsewhere:
        return exhibit, reference
    try:
        return store_transfer.fetch_both(
            settings,
            exhibit.name,
            reference.name,
            folders.fetched(claim.job_id, claim.name),
            lambda: progress(N_("fetching the two files from the store"), 0.0),
        )
    except DamagedFile as error:
        log.error("comparison %s: %s", claim.job_id, error)
        raise DamagedExhibit from error
