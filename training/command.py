"""Run one step of a training command and report failures in one line."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import av

from detector.errors import ReelproofError
from detector.schema.formatting import printable


def run_step(step: Callable[[], object], data: Path) -> int:
    """Run ``step``, which reads the research folder ``data``: 0, or 2 with a line on standard error.

    That says what cannot be done, names the file where one is missing or cannot be read, and what to do.
    """
    try:
        step()
    except ReelproofError as error:
        message = str(error)
    except zipfile.BadZipFile as error:
        message = f"{error}: a zip in {data} is damaged. Copy or download it again."
    except (OSError, av.FFmpegError) as error:
        message = _of_file(error, data)
    else:
        return 0
    print(printable(" ".join(message.split())), file=sys.stderr)
    return 2


def _of_file(error: OSError | av.FFmpegError, data: Path) -> str:
    path = error.filename if isinstance(error.filename, str) else ""
    message = f"{path}: " * bool(path) + (error.strerror or str(error))
    if isinstance(error, FileNotFoundError):
        if data in Path(path).parents:
            return f"{message}. Give --data the whole research folder."
        return f"{message}. Run the step that makes it first, or name another."
    if isinstance(error, av.FFmpegError):
        return f"{message}. Copy or download it again."
    return message
