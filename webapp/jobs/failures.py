"""Explain the failure of a job to people: a code, whose message says what happened and what to do."""

from __future__ import annotations

import errno

from detector.errors import MediaError, NotOpenedError, ReelproofError
from detector.files import is_disk_full
from detector.sandbox import CrashError, LimitError
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import FailureCode, cause_of
from webapp.errors import StoreError
from webapp.storage.tables import AnalysisRow, ComparisonRow

_PREFIXES = {AnalysisRow.noun: "", ComparisonRow.noun: "COMPARISON_"}


def failure_for(noun: str, failure: Cause) -> Cause:
    """Return a failure as that of the kind of job that a table's noun names."""
    name = f"{_PREFIXES[noun]}{failure.code.upper()}"
    return FailureCode[name].cause() if _PREFIXES[noun] and name in FailureCode.__members__ else failure


def explain_failure(problem: Exception) -> Cause:
    """Explain an exception; the engine's own errors state a remedy already."""
    if isinstance(problem, LimitError):
        return FailureCode.OUT_OF_TIME.cause() if problem.is_time_limit else problem.cause
    if isinstance(problem, CrashError):
        return FailureCode.CRASHED.cause()
    if isinstance(problem, MediaError) and not isinstance(problem, NotOpenedError):
        return FailureCode.REFUSED.cause(message=(cause_of(str(problem)),))
    if isinstance(problem, StoreError):
        return FailureCode.STORE_ERROR.cause(
            message=(cause_of(problem.error),), remedy=(cause_of(problem.remedy),)
        )
    if isinstance(problem, ReelproofError):
        return FailureCode.ENGINE_ERROR.cause(message=(cause_of(str(problem)),))
    if isinstance(problem, MemoryError):
        return FailureCode.OUT_OF_MEMORY.cause()
    if is_disk_full(problem):
        return FailureCode.DISK_FULL.cause()
    if isinstance(problem, OSError) and problem.errno == errno.EROFS:
        return FailureCode.DISK_READ_ONLY.cause()
    return FailureCode.UNEXPECTED_ERROR.cause()
