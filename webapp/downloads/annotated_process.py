"""Draw the findings of an analysis into a copy of its video, in a process of its own.

``python -m webapp.downloads.annotated_process`` reads JSON from standard input: the paths of exhibit and
analysis, the file to write, and the limits. It leaves ``problem.json``, a cause, beside that file if the
video cannot be drawn.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from detector.errors import ReelproofError
from detector.process.signals import end_with_named_parent
from detector.sandbox import Limits
from detector.sandboxed_engine import annotate_confined
from detector.schema.analysis import Analysis
from detector.schema.causes.failures import cause_of
from reports.exports.overlays import kept_maps


def main() -> int:
    """Draw what standard input asks for, and return the exit status."""
    end_with_named_parent()
    os.nice(5)  # like the worker, so that pages stay fast
    request = json.load(sys.stdin)
    path, out = Path(request["analysis"]), Path(request["out"])
    analysis = Analysis.from_json(path.read_bytes())
    try:
        maps = kept_maps(analysis, path.parent)
        annotate_confined(
            Path(request["exhibit"]), analysis, out, maps, {}, None, limits=Limits(**request["limits"])
        )
    except ReelproofError as problem:
        (out.parent / "problem.json").write_text(cause_of(str(problem)).model_dump_json())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
