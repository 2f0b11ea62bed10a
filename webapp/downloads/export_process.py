"""Write one export of an analysis in a process of its own.

``python -m webapp.downloads.export_process ANALYSIS_JSON FORMAT FOLDER`` writes the file of the
format into the folder, or ``problem.json``, a sentence, if the format cannot hold the analysis.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from detector.files import is_disk_full
from detector.process.signals import end_with_named_parent
from detector.schema.analysis import Analysis
from detector.schema.causes.failures import cause_of
from reports.errors import ReportError
from reports.exports.formats import FORMATS


def write_download(path: Path, write: Callable[[BinaryIO], None]) -> int:
    """Write a file that does not exist, by ``write``, and return the exit status.

    A :class:`~reports.errors.ReportError` is left beside it as ``problem.json``, a cause; a full disk is
    the status ``ENOSPC``.
    """
    end_with_named_parent()
    os.nice(5)  # like the worker, so that pages stay fast
    # Not confined: only our own files are read, and XlsxWriter sets times of its temporary ones.
    tempfile.tempdir = str(path.parent)  # removed with it, whatever happens
    try:
        with path.open("xb") as stream:
            write(stream)
    except ReportError as problem:
        (path.parent / "problem.json").write_text(cause_of(str(problem)).model_dump_json())
        return 1
    except OSError as problem:
        if is_disk_full(problem):
            return errno.ENOSPC
        raise
    return 0


def main(analysis: Path, name: str, out: Path) -> int:
    """Write one export and return the exit status."""
    export = FORMATS[name]
    return write_download(
        out / export.ending,
        lambda stream: export.write(Analysis.from_json(analysis.read_bytes()), analysis.parent, stream),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
