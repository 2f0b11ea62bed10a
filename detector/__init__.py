"""The engine: from a file to an :class:`Analysis`. Usable with no web app.

from detector import analyze
analysis = analyze("clip.mp4")

:mod:`detector.engine` has the stages in order; the folders are the stages, and what else uses them
(docs/ARCHITECTURE.md). Of the modules beside them:

- :mod:`~detector.sandboxed_engine` runs an analysis in a confined process, :mod:`~detector.preloaded` makes
  a process ready for one.
- :mod:`~detector.model_findings` goes from scored faces to a verdict, for each model of an analysis;
  :mod:`~detector.other_models` has further models judge beside the first.
- :mod:`~detector.environment` and :mod:`~detector.version` say what an analysis was made with.
- :mod:`~detector.model_export` writes a model for other programs, :mod:`~detector.demo_clip` the sample.
- :mod:`~detector.result_folder` is the folder that commands, those of reports too, write a result to.
- :mod:`~detector.files`, :mod:`~detector.paths`, :mod:`~detector.timestamps`, :mod:`~detector.progress` and
  :mod:`~detector.errors` are used everywhere.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.engine import analyze as analyze
    from detector.schema.analysis import Analysis as Analysis
    from detector.schema.analysis import Parameters as Parameters
    from detector.schema.analysis import Verdict as Verdict
    from detector.verdict.persons.flagged import flagged_segments as flagged_segments

__all__ = ["Analysis", "Parameters", "Verdict", "analyze", "flagged_segments"]

# Torch takes a second to import, which the web process and `--help` never need; and
# `setup-check` must run where nothing of it is installed.
_WHERE = {
    "analyze": "detector.engine",
    "Analysis": "detector.schema.analysis",
    "Parameters": "detector.schema.analysis",
    "Verdict": "detector.schema.analysis",
    "flagged_segments": "detector.verdict.persons.flagged",
}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(import_module(_WHERE[name]), name)
