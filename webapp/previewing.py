"""Has it decided what plays of an exhibit, once, in a process beside the worker.

A process of its own, because the analysis is done by then: whatever a file does to the
decoder or to memory in this last step must not take the result with it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded

from detector.analysis import Media
from webapp.durable import flush_file, flush_folder
from webapp.folders import Folders
from webapp.previews import Playback, record, recorded

log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent


def prepare(
    folders: Folders, exhibit: Path, media: Media, spare: int, progress: Callable[[float], None]
) -> Playback:
    """What plays of an exhibit; decided now unless an earlier analysis of it did.

    Only ``progress``, called with the share done, may raise: whatever else goes wrong is the
    ``reason`` why nothing plays, and the next analysis of the exhibit tries again.
    """
    known = recorded(folders, media.sha256)
    if known is not None and known.source != "none":
        return known
    aside = folders.previews / f".{media.sha256}.{os.getpid()}.part"
    try:
        decided = _ask(exhibit, aside, media, spare, progress)
        if decided.source == "preview":
            flush_file(aside)
            os.replace(aside, folders.preview(media.sha256))
            flush_folder(folders.previews)
        record(folders, media.sha256, decided)
    except OSError as problem:
        log.warning("what plays of %s was not recorded: %s", media.sha256, problem)
        decided = _nothing("It could not be written to the disk.")
    finally:
        aside.unlink(missing_ok=True)
    return decided


def _ask(exhibit: Path, aside: Path, media: Media, spare: int, progress: Callable[[float], None]) -> Playback:
    answer: Playback | None = None
    with subprocess.Popen(
        [sys.executable, "-m", "webapp.preview_process", str(exhibit), str(aside), str(spare)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(media.model_dump_json().encode())
            process.stdin.close()
            for line in process.stdout:
                said = json.loads(line)
                if "done" in said:
                    progress(said["done"])
                else:
                    answer = Playback(**said)
        except SoftTimeLimitExceeded:
            return _nothing("The time limit of the analysis came first.")
        except (OSError, ValueError, TypeError) as problem:
            log.warning("deciding what plays of %s broke off: %s", media.sha256, problem)
            answer = None
        finally:
            process.kill()  # does nothing to one that has ended
    if answer is None:
        log.warning("deciding what plays of %s ended with status %s", media.sha256, process.returncode)
        return _nothing("The process that was to make it ended early.")
    return answer


def _nothing(reason: str) -> Playback:
    return Playback("none", "", 0.0, 0, 0, f"There is no preview of the exhibit. {reason}")
