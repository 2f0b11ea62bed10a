"""Waiting for what another thread, process or page does: for a state, and never for a time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE = 300.0
"""Seconds within which anything comes about that comes about at all, on a slow machine that is busy."""
_LOOK_EVERY = 0.02

T = TypeVar("T")


def until(
    happened: Callable[[], T],
    otherwise: str,
    *,
    seconds: float = PATIENCE,
    process: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None,
    page: Page | None = None,
) -> T:
    """What ``happened()`` says as soon as it is true; fails with the words ``otherwise`` where it never is.

    ``process`` is one that has to run meanwhile. ``page`` is one whose requests and dialogs a test hears of:
    Playwright calls nobody while Python sleeps.
    """
    end = time.monotonic() + seconds
    while not (result := happened()):
        assert process is None or process.poll() is None, f"{otherwise}: the process ended"
        assert time.monotonic() < end, otherwise
        if page is None:
            time.sleep(_LOOK_EVERY)
        else:
            page.wait_for_timeout(1000 * _LOOK_EVERY)
    return result
