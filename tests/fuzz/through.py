"""A broken file through the whole house: the upload's route, the worker's path, and the pages after it."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from werkzeug.test import TestResponse

from detector.sandbox import Sandbox
from detector.schema.causes.failures import FailureCode
from webapp import create_app
from webapp.exhibits.media import previews
from webapp.jobs import parameters
from webapp.storage.tables import AnalysisRow
from webapp.worker import run_analysis, run_job

MEMORY_MB = 2500
CPU_LIMIT = 60  # seconds of processor time
TIME_LIMIT = 3600  # seconds by the clock, on a machine that may have much else to do; a hang is beyond
# Outcomes that are as they should be: the file was examined, or refused in words, or ended only itself.
FINE = (
    "examined",
    "refused",
    "contained crash",
    "over the memory limit",
    "rejected",
)


_GUARDED = ("faces_error", "voice_error")


class Outcome(NamedTuple):
    """What became of one file; ``faults`` lists what must never happen."""

    kind: str
    words: str
    seconds: float
    peak: int  # bytes of memory of its confined processes at most
    faults: tuple[str, ...]


class House:
    """An app on a folder of its own, and a worker's path beside it in the same process."""

    def __init__(self, folder: Path) -> None:
        self._sent: list[str] = []
        self.app = create_app(
            {
                "TESTING": False,
                "PROPAGATE_EXCEPTIONS": False,
                "REELPROOF_DATA": folder,
                "REELPROOF_MEMORY_LIMIT_MB": MEMORY_MB,
                "REELPROOF_TIME_LIMIT": TIME_LIMIT,
                "REELPROOF_CPU_LIMIT": CPU_LIMIT,
                "SEND": self._sent.append,
            }
        )
        self._client = self.app.test_client()
        self._peaks: list[int] = []

    def through(self, data: bytes, name: str, changes: Mapping[str, float], report: bool = False) -> Outcome:
        """Hand in one file, have it analysed with these changes to parameters, look at its pages.

        With ``report`` its report is rendered as well.
        """
        started = time.perf_counter()
        faults: list[str] = []
        self._peaks.clear()
        self._sent.clear()
        form = {"file": (io.BytesIO(data), name)}
        self._page(faults, self._client.post("/analyses", data=form, content_type="multipart/form-data"))
        if not self._sent:
            return Outcome("rejected", "", time.perf_counter() - started, 0, tuple(faults))
        (analysis_id,) = self._sent
        if changes:
            with self.app.extensions["database"].begin() as session:
                session.get_one(AnalysisRow, analysis_id).changed_parameters = parameters.dump_parameters(
                    changes
                )
        with self._watched():
            run_job.work(self.app.extensions["settings"])
        page = f"/analyses/{analysis_id}"
        api = (f"/api/v1{page}{name}" for name in ("", "/analysis.json", "/desk"))
        for path in (page, *api, f"{page}/thumbnail", *[f"{page}/report.pdf"] * report):
            answer = self._client.get(path)
            self._page(faults, answer)
            # Errors by which one question does not fail the other are unexpected nevertheless.
            faults += [f"result with {code}" for code in _GUARDED if code.encode() in answer.get_data()]
        with self.app.extensions["database"].begin() as session:
            row = session.get_one(AnalysisRow, analysis_id)
        kind, words = _kind(row)
        if kind not in FINE:
            faults.append(f"{kind}: {words}")
        seconds, peak = time.perf_counter() - started, max(self._peaks, default=0)
        if seconds > TIME_LIMIT * 1.5:
            faults.append(f"took {seconds:.0f} seconds")
        if peak > MEMORY_MB * 1_000_000 * 1.1:
            faults.append(f"took {peak / 1e6:.0f} MB")
        return Outcome(kind, words, seconds, peak, tuple(faults))

    def close(self) -> None:
        """Let go of the database."""
        self.app.extensions["database"].close()

    @staticmethod
    def _page(faults: list[str], answer: TestResponse) -> None:
        content = answer.get_data()
        if answer.status_code >= 500:
            faults.append(f"{answer.request.path} answered {answer.status_code}")
        if b"Traceback (most recent call last)" in content:
            faults.append(f"{answer.request.path} shows a traceback")

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Note what each confined process took."""
        peaks = self._peaks

        class Noted(Sandbox):
            def close(self) -> None:
                peaks.append(self.peak)
                super().close()

        places = (run_analysis, previews, previews)
        for place in places:
            place.Sandbox = Noted
        try:
            yield
        finally:
            for place in places:
                place.Sandbox = Sandbox


def _kind(row: AnalysisRow) -> tuple[str, str]:
    if row.state == "done":
        return "examined", row.verdict or ""
    error = row.error or ""
    for failure, kind in (
        (FailureCode.CRASHED.cause(), "contained crash"),
        (FailureCode.UNEXPECTED_ERROR.cause(), "unexpected error"),
        (FailureCode.OUT_OF_TIME.cause(), "hang"),
        (FailureCode.WORKER_LOST.cause(), "lost"),
    ):
        if error == failure.text:
            return kind, error
    if "more memory than" in error:
        return "over the memory limit", error
    if "processor time than" in error:
        return "hang", error
    return ("refused", error) if row.state == "failed" and error else (str(row.state), error)
