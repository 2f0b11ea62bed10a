"""Telling the workers of an analysis that waits."""

from __future__ import annotations

import logging

from flask import current_app

log = logging.getLogger(__name__)


def tell_workers(analysis_id: str) -> None:
    """Send the id. Never raises: the row is queued, and the sweep sends it again."""
    try:
        current_app.extensions["send"](analysis_id)
    except Exception as problem:
        log.warning("analysis %s is queued, but the broker was not told: %s", analysis_id, problem)
