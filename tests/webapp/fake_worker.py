"""A real worker around an engine that does what the file's name says. Run by test_celery_worker.py."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import cv2
import made_comparisons
from made_results import made_result

from detector.errors import MediaError
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox
from detector.sandboxed_engine import EngineJob
from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from webapp.jobs import broker
from webapp.settings import Settings
from webapp.worker import celery_worker, prepared_report, run_analysis
from webapp.worker import run_analysis as worker_run_analysis


def engine(job: EngineJob, folder: Path, progress: Progress, _limits: object, _ready: object) -> Analysis:
    """Stand-in for :func:`webapp.worker.run_analysis.make_analysis`."""
    _happens(job.file, progress)
    return made_result(job.path, job.file, folder)


def _happens(file: str, progress: Progress) -> None:
    progress("reading", 0.1)
    match Path(file).stem:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(10)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(10)
        case "slow":
            for step in range(6000):
                progress("scoring", step / 6000)
                time.sleep(0.1)
        case "silent":
            with Sandbox(_silent, limits=Limits(), places=AllowedPaths()) as confined:
                confined.result(progress)
        case "stuck":
            # As code outside Python that never looks up: only the hard limit ends it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
            time.sleep(600)
        case "memory":
            raise MemoryError
        case "broken":
            raise MediaError("The file is no video or photo: it holds plain text.")
        case "bug":
            raise ZeroDivisionError


def compare(
    exhibit: Path,
    reference: Path,
    folder: Path,
    names: tuple[str, str],
    settings: Settings,
    progress: Progress,
) -> Comparison:
    """Stand-in for :func:`webapp.worker.run_analysis.make_comparison`."""
    _happens(names[0], progress)
    return made_comparisons.engine(exhibit, reference, folder, names, settings, progress)


def report(analysis: Path, _given: object, out: Path, look: Progress) -> None:
    """Stand-in for :func:`webapp.worker.prepared_report._render_confined`."""
    while b"slow report" in analysis.read_bytes():
        look("", 0.0)
        time.sleep(0.05)
    for name in ("report.html", "report.pdf"):
        (out / name).write_text("stand-in")


def _silent(_report: object) -> None:
    time.sleep(600)


if __name__ == "__main__":
    run_analysis.make_analysis = engine
    worker_run_analysis.make_comparison = compare
    prepared_report._render_confined = report
    celery_worker._PRELOADED = ()
    cv2.setNumThreads(1)  # a process with its threads cannot fork the confined ones, as a real worker does
    broker.GRACE = int(os.environ.get("REELPROOF_TEST_GRACE", broker.GRACE))
    celery_worker.main()
