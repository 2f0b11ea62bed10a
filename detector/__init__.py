"""The analysis engine: from a file to an :class:`Analysis`, without the web application.

    from detector import analyze
    analysis = analyze("clip.mp4")

    from detector import predict
    probability = predict("clip.mp4")

:mod:`detector.engine` runs the stages in order; each package beside it is one stage, or something that
uses them (docs/ARCHITECTURE.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.engine import analyze as analyze
    from detector.prediction import predict as predict
    from detector.schema.analysis import Analysis as Analysis
    from detector.schema.analysis import Parameters as Parameters
    from detector.schema.analysis import Verdict as Verdict
    from detector.verdict.judged_persons import flagged_segments as flagged_segments


__all__ = ["Analysis", "Parameters", "Verdict", "analyze", "flagged_segments", "predict"]

# Torch takes a second to import, which the web process and `--help` never need; and
# `setup-check` must run where nothing of it is installed.
_WHERE = {
    "analyze": "detector.engine",
    "Analysis": "detector.schema.analysis",
    "Parameters": "detector.schema.analysis",
    "Verdict": "detector.schema.analysis",
    "flagged_segments": "detector.verdict.judged_persons",
    "predict": "detector.prediction",
}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(import_module(_WHERE[name]), name)
