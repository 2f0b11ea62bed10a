"""Run one step of a training command and report failures in one line."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import av

from detector.errors import ReelproofError
from detector.schema.formatting import printable

_MISSING = "Run the step that makes it first, or name another."


def run_step(step: Callable[[], object], data: Path) -> int:
    """Run ``step`` on the research folder ``data``; return 0, or 2 after one line on standard error.

    The line says what failed, which file is missing or unreadable, and what to do.
    """
    try:
        step()
    except ReelproofError as error:
        message = str(error)
    except zipfile.BadZipFile as error:
        message = f"{error}: a zip in {data} is damaged. Copy or download it again."
    except (OSError, av.FFmpegError) as error:
        path = error.filename if isinstance(error.filename, str) else ""
        message = f"{path}: " * bool(path) + (error.strerror or str(error))
        if isinstance(error, FileNotFoundError):
            inside = data in Path(path).parents
            advice = "Give --data the whole research folder." if inside else _MISSING
            message = f"{message}. {advice}"
        elif isinstance(error, av.FFmpegError):
            message = f"{message}. Copy or download it again."
    else:
        return 0
    print(printable(" ".join(message.split())), file=sys.stderr)
    return 2
