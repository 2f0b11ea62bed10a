"""Compute the heatmaps of a segment's sampled frames, in a process of its own.

``python -m webapp.review.heatmaps_process`` reads JSON from standard input: the paths of exhibit, analysis
and model's card, the segment, the folder to write to, and the limits. It writes lines of JSON: the progress,
or the error as a cause.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from detector.errors import ReelproofError
from detector.process.signals import end_with_named_parent
from detector.sandbox import Limits
from detector.sandboxed_engine import segment_maps_confined
from detector.schema.analysis import Analysis
from detector.schema.causes.failures import cause_of
from detector.schema.formatting import N_

NOT_COMPUTED = N_(
    "The heatmaps could not be computed. The finding does not depend on them. The terminal Reelproof runs in "
    "may say why."
)


def main() -> int:
    """Compute what standard input asks for, and return the exit status."""
    end_with_named_parent()
    os.nice(5)  # like the worker, so that pages stay fast
    request = json.load(sys.stdin)
    try:
        segment_maps_confined(
            Path(request["exhibit"]),
            Analysis.from_json(Path(request["analysis"]).read_bytes()),
            request["segment"],
            Path(request["out"]),
            progress=lambda _stage, share: _write({"progress": share}),
            limits=Limits(**request["limits"]),
            model=request["card"],
        )
    except ReelproofError as problem:
        _write({"error": cause_of(str(problem)).model_dump(mode="json")})
        return 1
    except Exception:
        traceback.print_exc()
        _write({"error": cause_of(NOT_COMPUTED).model_dump(mode="json")})
        return 1
    return 0


def _write(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    sys.exit(main())
