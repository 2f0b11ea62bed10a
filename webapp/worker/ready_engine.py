"""The engine in a confined process that keeps its networks loaded for the next exhibit."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

from detector.process.resources import memory_of
from detector.progress import Progress
from detector.sandbox import NotReadyError, ReadySandbox
from detector.sandbox.confined_process import remove_abandoned
from detector.sandbox.kernel import MEGABYTE
from detector.sandboxed_engine import EngineJob, run_engine
from detector.schema.analysis import Analysis
from webapp.installed_models import service as model_service
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import open_database

if TYPE_CHECKING:
    from detector.models.loaded import LoadedModel

log = logging.getLogger(__name__)

ENGINE_SHARE = 0.88  # of the progress bar; the rest is for a preview, if one is needed
# Available memory: with less, other processes come first.
_FOR_NETWORKS = 2000 * MEGABYTE  # they take 0.45 GB
_FOR_HEATMAPS = 4000 * MEGABYTE  # torch takes another 0.6 GB


class ReadyEngine:
    """A waiting process, started here with the model that is the default at this moment."""

    def __init__(self, settings: Settings) -> None:
        folders = Folders.local(settings.data)
        with open_database(settings) as database, database.begin() as session:
            self._card = model_service.card_path(folders, model_service.default_model(session, folders))
        self._card_content = self._card.read_bytes()
        self._sandbox = ReadySandbox(
            _preload,
            _preload_heatmaps,
            run_engine,
            self._card,
            limits=settings.limits,
            readable=(self._card.parent,),
            folder=folders.ready,
            patience=settings.ready_seconds,
        )

    def make(self, job: EngineJob, folder: Path, progress: Progress) -> bool:
        """Run the engine as :func:`webapp.worker.run_analysis.make_analysis`.

        Returns False, with nothing written, if the job needs another engine; the model may have been replaced
        by another of the same name.
        """
        if job.others or job.model != self._card or job.model.read_bytes() != self._card_content:
            return False
        try:
            self._sandbox.submit(job.path, folder, job, report=progress)
        except NotReadyError:
            return False
        finally:
            self.close()
        return True

    def close(self) -> None:
        """End the process if it still runs."""
        self._sandbox.close()


class EngineSlot:
    """The waiting engine of this process, if there is one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: ReadyEngine | None = None

    def start(self) -> None:
        """Start an engine unless the settings disable it or memory is short."""
        # A killed engine leaves a link to an exhibit, which may have been deleted since.
        remove_abandoned(Folders.local(self._settings.data).ready)
        if self._settings.ready_seconds and _available_memory() >= _FOR_NETWORKS:
            try:
                self._engine = ReadyEngine(self._settings)
            except Exception as error:  # analyses start their own process and report the problem
                log.warning("no process waits for the next analysis: %s", error)

    def take(self) -> ReadyEngine | None:
        """Return the engine; the caller uses or closes it."""
        engine, self._engine = self._engine, None
        return engine

    def give_up(self) -> None:
        """End the engine: the next task is no analysis."""
        if (engine := self.take()) is not None:
            engine.close()


def _available_memory() -> float:
    """Return the available memory in bytes; infinite if the system does not report it."""
    return memory_of("/proc/meminfo").get("MemAvailable", math.inf)


def write_files(analysis: Analysis, folder: Path) -> None:
    """Write all files of a result; the confined process calls this, and so imports the report there alone."""
    from reports import write_result

    write_result(analysis, folder)


def _preload(card: Path) -> LoadedModel:
    import reports  # noqa: F401 - writes the result
    from detector.engine import preload

    return preload(card)


def _preload_heatmaps(model: LoadedModel) -> None:
    from detector.engine import preload_heatmaps

    if _available_memory() >= _FOR_HEATMAPS:
        preload_heatmaps(model)
