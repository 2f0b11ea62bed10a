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
from webapp.models import service as model_service
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import open_database

if TYPE_CHECKING:
    from detector.models.loaded import LoadedModel


log = logging.getLogger(__name__)

ENGINE_SHARE = 0.88
"""Where on the progress bar the engine ends and a preview, if one is needed, begins."""


class ReadyEngine:
    """A waiting process; it starts when this is made, with the model that is then the default."""

    def __init__(self, settings: Settings) -> None:
        folders = Folders.local(settings.data)
        with open_database(settings) as database, database.begin() as session:
            self._card = model_service.card_path(folders, model_service.default_model(session, folders))
        self._read = self._card.read_bytes()
        self._sandbox = ReadySandbox(
            _prepared,
            _prepare_heatmaps,
            run_engine,
            self._card,
            limits=settings.limits,
            readable=(self._card.parent,),
            folder=folders.ready,
            patience=settings.ready_seconds,
        )

    def make(self, job: EngineJob, folder: Path, progress: Progress) -> bool:
        """Do what :func:`webapp.worker.run_analysis.make_result` does; False where this cannot be done here.

        Then nothing has been written. The model may have been replaced by another one of its name.
        """
        if job.others or job.model != self._card or job.model.read_bytes() != self._read:
            return False
        try:
            self._sandbox.hand(job.path, folder, job, report=progress)
        except NotReadyError:
            return False
        finally:
            self.close()
        return True

    def close(self) -> None:
        """End the process, if it still runs."""
        self._sandbox.close()


# Of memory that is free: with less, what others need comes first.
_ENOUGH = 2000 * MEGABYTE  # for networks, which take 0.45 GB
_PLENTY = 4000 * MEGABYTE  # for torch as well, which takes another 0.6 GB


class EngineSlot:
    """The engine that waits in this process, if there is one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: ReadyEngine | None = None

    def start(self) -> None:
        """Start it, unless the settings want none or memory is short."""
        # With what a killed one left: a link to an exhibit, which may have been deleted since.
        remove_abandoned(Folders.local(self._settings.data).ready)
        if self._settings.ready_seconds and _memory_available() >= _ENOUGH:
            try:
                self._engine = ReadyEngine(self._settings)
            except Exception as problem:  # analyses start their own process, and say what is wrong
                log.warning("no process waits for the next analysis: %s", problem)

    def take(self) -> ReadyEngine | None:
        """The engine, for whoever takes it to use or close."""
        engine, self._engine = self._engine, None
        return engine

    def give_up(self) -> None:
        """End it: what comes is no analysis."""
        if (engine := self.take()) is not None:
            engine.close()


def _memory_available() -> float:
    """Bytes that are free or soon can be; infinite where the system does not say."""
    return memory_of("/proc/meminfo").get("MemAvailable", math.inf)


def write_files(analysis: Analysis, folder: Path) -> None:
    """Write all files of a result, in the confined process, into which this imports the report."""
    from reports import write_result

    write_result(analysis, folder)


def _prepared(card: Path) -> LoadedModel:
    import reports  # noqa: F401 - writes the result
    from detector.engine import preload

    return preload(card)


def _prepare_heatmaps(loaded: LoadedModel) -> None:
    from detector.engine import preload_heatmaps

    if _memory_available() >= _PLENTY:
        preload_heatmaps(loaded)
