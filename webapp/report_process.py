"""Sets a report with what reviewers say. A process of its own: the web process never loads WeasyPrint.

``python -m webapp.report_process ANALYSIS_JSON OUT``, with the annotations as a JSON list on
standard input, writes ``report.html`` and ``report.pdf`` into the folder ``OUT``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from detector.analysis import Analysis
from detector.confinement import Limits, Places, confine, means
from reports.judgements import understood
from reports.writing import write_judged
from webapp.worker_process import end_with


def main(analysis: Path, out: Path) -> None:
    """Set one report."""
    end_with(os.getppid())
    os.nice(5)  # as the worker is: pages stay quick
    # Its pictures were drawn by the engine from the exhibit.
    places = Places(readable=(analysis.parent,), writable=(out,))
    confine(Limits(), places, out, network=means().network)
    said = [understood(values) for values in json.load(sys.stdin)]
    text = analysis.read_bytes()
    write_judged(Analysis.from_json(text), text, analysis.parent, out, said)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
