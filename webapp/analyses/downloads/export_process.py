"""Write one export of an analysis in a process of its own.

``python -m webapp.analyses.downloads.export_process ANALYSIS_JSON FORMAT FOLDER`` writes the file of the
format into the folder, or ``problem.json``, a sentence, if the format cannot hold the analysis.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import tempfile
from pathlib import Path

from detector.files import is_disk_full
from detector.process.signals import end_with_named_parent
from detector.schema.analysis import Analysis
from reports.errors import ReportError
from reports.exports.formats import FORMATS


def main(analysis: Path, name: str, out: Path) -> int:
    """Write one export and return the exit status."""
    end_with_named_parent()
    os.nice(5)  # like the worker, so that pages stay fast
    # Not confined: only our own files are read, and XlsxWriter sets times of its temporary ones.
    tempfile.tempdir = str(out)  # removed with it, whatever happens
    try:
        with (out / FORMATS[name].ending).open("xb") as stream:
            FORMATS[name].write(Analysis.from_json(analysis.read_bytes()), analysis.parent, stream)
    except ReportError as problem:
        (out / "problem.json").write_text(json.dumps(str(problem)))
        return 1
    except OSError as problem:
        if is_disk_full(problem):
            return errno.ENOSPC
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
