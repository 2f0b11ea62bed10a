"""Write one export of an analysis in a process of its own.

``python -m webapp.downloads.export_process ANALYSIS_JSON FORMAT FOLDER`` writes the file of the
format into the folder, or ``problem.json``, a cause, if the format cannot hold the analysis.
"""

from __future__ import annotations

import sys
from pathlib import Path

from detector.schema.analysis import Analysis
from reports.exports.formats import FORMATS
from webapp.downloads.writer_process import write_download


def main(analysis: Path, name: str, out: Path) -> int:
    """Write one export and return the exit status."""
    return write_download(
        out / FORMATS[name].ending,
        lambda stream: FORMATS[name].write(
            Analysis.from_json(analysis.read_bytes()), analysis.parent, stream
        ),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
