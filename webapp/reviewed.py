"""Reports with what reviewers say: set when somebody asks for one, and kept until more is said.

The stored report of an analysis is part of its result, and is what is handed out while
nobody has said anything.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from reports.annotations import Annotation
from reports.judgements import checksum, plain
from webapp.durable import publish
from webapp.errors import PageError
from webapp.folders import Folders

log = logging.getLogger(__name__)

_TIME_LIMIT = 300  # seconds; a report of a few pages takes five on a busy machine
_PATIENCE = 60  # seconds to wait for another report that is being set
_ROOT = Path(__file__).resolve().parent.parent
_SETTING = threading.Lock()  # it takes a core and a quarter of a gigabyte: one at a time


def report_folder(folders: Folders, analysis_id: str, annotations: Sequence[Annotation]) -> Path:
    """The folder that holds ``report.html`` and ``report.pdf`` as they are to be handed out now.

    Raises :class:`PageError` where they cannot be made, or not soon.
    """
    result = folders.result(analysis_id)
    if not annotations:
        return result
    values = [plain(annotation) for annotation in annotations]
    place = folders.reviewed(analysis_id) / checksum(values)[:32]
    if place.is_dir():
        return place
    if not _SETTING.acquire(timeout=_PATIENCE):
        raise PageError(503, "Other reports are being set at the moment.", "Try again in a minute.")
    try:
        if not place.is_dir():
            _set(result / "analysis.json", json.dumps(values), place)
    finally:
        _SETTING.release()
    return place


def _set(analysis: Path, annotations: str, place: Path) -> None:
    aside = place.parent / f".{secrets.token_hex(8)}"
    aside.mkdir(mode=0o700, parents=True)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "webapp.report_process", str(analysis), str(aside)],
            cwd=_ROOT,
            input=annotations.encode(),
            timeout=_TIME_LIMIT,
        )
        if ended.returncode:
            raise _not_made()
        publish(aside, place)
    except subprocess.TimeoutExpired:
        raise _not_made() from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    for older in place.parent.iterdir():
        if older != place:
            shutil.rmtree(older, ignore_errors=True)


def _not_made() -> PageError:
    return PageError(
        500,
        "The report with the reviewers' judgements could not be set.",
        "The terminal Reelproof runs in may say why. Nothing is lost: the judgements are on the page, "
        "and the machine's findings in analysis.json.",
    )
