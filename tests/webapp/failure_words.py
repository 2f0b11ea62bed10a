"""The error and the remedy of a failed job, in English."""

from __future__ import annotations

from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import remedy_of


def texts_of(failure: Cause) -> tuple[str, str]:
    return failure.text, remedy_of(failure)
