"""The result of one comparison of an exhibit with a reference; :mod:`webapp.worker.run_job` calls it."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from detector.files import publish, write_atomically
from detector.progress import Progress
from detector.schema.comparison import Comparison
from webapp.custody import log as custody_log
from webapp.custody.integrity import DamagedExhibit
from webapp.custody.records.comparison_records import RESULT, SUMS, sums_text
from webapp.errors import DamagedFile
from webapp.jobs import claims
from webapp.jobs.comparisons import ComparisonClaim
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.worker import store_transfer
from webapp.worker.database_retries import retry_while_unreachable

log = logging.getLogger(__name__)


def ensure_result(
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
        made = compare(exhibit, reference, unfinished, held.files, settings, progress)
        if (made.exhibit.sha256, made.reference.sha256) != sums:
            raise DamagedExhibit
        write_atomically(unfinished / SUMS, sums_text(unfinished))
        # A lost claim ends here, not with somebody else's place taken.
        retry_while_unreachable(lambda: claims.beat(database, held))
        publish(unfinished, place)
    if folders.store.elsewhere:
        store_transfer.put_comparison(
            settings, held.job_id, lambda: progress("putting the result into the store", 1.0)
        )
    return Comparison.from_json((place / RESULT).read_bytes())


def compare(
    exhibit: Path,
    reference: Path,
    folder: Path,
    names: tuple[str, str],
    settings: Settings,
    progress: Progress,
) -> Comparison:
    """Run the engine over both files, in a confined process with the limits of analyses."""
    from detector.comparison.sandboxed import compare_confined  # brings OpenCV

    return compare_confined(
        exhibit, reference, folder, names=names, limits=settings.limits, progress=progress
    )


def made_of(folders: Folders, held: ComparisonClaim) -> custody_log.EntryDetails:
    """What the custody log says of a finished comparison, so that its result can be told from any other."""
    place = folders.comparison(held.job_id)
    return {
        f"{name.partition('.')[0]} sha256": hashlib.sha256((place / name).read_bytes()).hexdigest()
        for name in (RESULT, SUMS)
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
