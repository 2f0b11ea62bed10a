"""Explain the failure of a job to people: cause and remedy."""

from __future__ import annotations

import errno
from typing import NamedTuple

from detector.errors import MediaError, NotOpenedError, ReelproofError
from detector.files import is_disk_full
from detector.sandbox import CrashError, LimitError
from detector.schema.formatting import N_
from webapp.errors import StoreError
from webapp.storage.tables import AnalysisRow, ComparisonRow


class JobFailure(NamedTuple):
    """An error and its remedy, a sentence or two each; no remedy if the error contains it."""

    error: str
    remedy: str


UNEXPECTED = JobFailure(
    N_("Reelproof met an error it did not expect, so there is no result."),
    N_(
        "Hand the file in again. If it fails again, note this page's address and look at the messages in the "
        "terminal Reelproof runs in: they say what went wrong."
    ),
)
OUT_OF_TIME = JobFailure(
    N_("The analysis was stopped because it took longer than the time limit."),
    N_("Cut out the part in question and hand that in, or raise REELPROOF_TIME_LIMIT."),
)
OUT_OF_MEMORY = JobFailure(
    N_("There was not enough memory to analyse this file."),
    N_("Close other programs or hand in a shorter or smaller version, then try again."),
)
CRASHED = JobFailure(
    N_("The file made the decoder crash. Nothing else was affected, and there is no result."),
    N_(
        "The file is damaged or was built to do this. Play it in a video program, save it anew from there if "
        "that works, and hand that in; keep the original as it is."
    ),
)
DISK_FULL = JobFailure(
    N_("The disk that holds Reelproof's data is full, so the result could not be written."),
    N_("Free some space on it, then hand the file in again."),
)
DISK_READ_ONLY = JobFailure(
    N_("The disk that holds Reelproof's data is read-only, so the result could not be written."),
    N_("Whoever runs Reelproof has to check it and make it writable. Then hand the file in again."),
)
WORKER_LOST = JobFailure(
    N_("Worker lost: the process that analysed this file was ended from outside, three times."),
    N_(
        "This often means that the machine ran out of memory. Close other programs or hand in a shorter "
        "version, then try again."
    ),
)

_OF_COMPARISONS = {
    UNEXPECTED: JobFailure(
        UNEXPECTED.error,
        N_(
            "Compare the two files again. If it fails again, note this page's address and look at the "
            "messages in the terminal Reelproof runs in: they say what went wrong."
        ),
    ),
    OUT_OF_TIME: JobFailure(
        N_("The comparison was stopped because it took longer than the time limit."),
        N_("Cut out the part in question, hand that in and compare it, or raise REELPROOF_TIME_LIMIT."),
    ),
    OUT_OF_MEMORY: JobFailure(
        N_("There was not enough memory to compare these files."),
        N_("Close other programs or compare shorter or smaller versions, then try again."),
    ),
    CRASHED: JobFailure(
        N_("One of the two files made the decoder crash. Nothing else was affected, and there is no result."),
        CRASHED.remedy,
    ),
    DISK_FULL: JobFailure(DISK_FULL.error, N_("Free some space on it, then compare the files again.")),
    DISK_READ_ONLY: JobFailure(
        DISK_READ_ONLY.error,
        N_("Whoever runs Reelproof has to check it and make it writable. Then compare the files again."),
    ),
    WORKER_LOST: JobFailure(
        N_("Worker lost: the process that compared these files was ended from outside, three times."),
        N_(
            "This often means that the machine ran out of memory. Close other programs or compare shorter "
            "versions, then try again."
        ),
    ),
}


_WORDINGS: dict[str, dict[JobFailure, JobFailure]] = {
    AnalysisRow.noun: {},
    ComparisonRow.noun: _OF_COMPARISONS,
}


def failure_for(noun: str, failure: JobFailure) -> JobFailure:
    """Word a failure for the kind of job, by the noun of its table."""
    return _WORDINGS[noun].get(failure, failure)


def explain_failure(problem: Exception) -> JobFailure:
    """Explain an exception; the engine's own errors state a remedy already."""
    if isinstance(problem, LimitError):
        return OUT_OF_TIME if problem.is_time_limit else JobFailure(problem.error, problem.remedy)
    if isinstance(problem, CrashError):
        return CRASHED
    if isinstance(problem, MediaError) and not isinstance(problem, NotOpenedError):
        return JobFailure(str(problem), "")
    if isinstance(problem, StoreError):
        return JobFailure(problem.error, problem.remedy)
    if isinstance(problem, ReelproofError):
        return JobFailure(str(problem), N_("Once that is put right, hand the file in again."))
    if isinstance(problem, MemoryError):
        return OUT_OF_MEMORY
    if is_disk_full(problem):
        return DISK_FULL
    if isinstance(problem, OSError) and problem.errno == errno.EROFS:
        return DISK_READ_ONLY
    return UNEXPECTED
