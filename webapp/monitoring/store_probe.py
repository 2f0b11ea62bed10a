"""Whether the object store answers: asked by one thread, however many want to know, and waited for shortly.

A store that hangs would otherwise hold every request that asks, and in the end all threads of the server.
"""

from __future__ import annotations

import threading
import time
from functools import lru_cache

from reports.text.translation.language import N_
from webapp.errors import StoreError
from webapp.storage.data_folder import Folders

_WITHIN = 5.0  # seconds for an answer
_KEPT = 5.0  # seconds for which it counts
_SILENT = N_("The store cannot be reached, or failed.")


class StoreProbe:
    """What is wrong with the store of ``folders``, if anything, as it was at most some seconds ago."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._asking = False
        self._until = float("-inf")
        self._problem = ""  # the start saw it work, or there would be nobody to ask

    def problem(self) -> str:
        """In words; empty where it answers. Who comes while somebody asks is told what was known before."""
        with self._lock:
            if self._asking or time.monotonic() < self._until:
                return self._problem
            self._asking = True
        answered = threading.Event()
        threading.Thread(target=self._ask, args=(answered,), name="store probe", daemon=True).start()
        answered.wait(_WITHIN)
        with self._lock:
            if self._asking:
                self._problem = _SILENT
            return self._problem

    def _ask(self, answered: threading.Event) -> None:
        problem = _SILENT
        try:
            # A file that is not there: the question is for an answer.
            self._folders.store.size(self._folders.data / "readiness")
            problem = ""
        except StoreError as found:
            problem = found.error
        finally:
            with self._lock:
                self._problem, self._asking = problem, False
                self._until = time.monotonic() + _KEPT
            answered.set()


@lru_cache
def probe_of(folders: Folders) -> StoreProbe:
    """The one of this process."""
    return StoreProbe(folders)
