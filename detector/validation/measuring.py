"""Analyse every file of the material, resumably, and repeat some of the analyses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.backends import selection as backends
from detector.batch.input_files import File
from detector.batch.results_file import (
    ALONE,
    OtherModelNames,
    ResultLine,
    ResultsFile,
    read_lines,
    run_key,
    verdict_fields,
)
from detector.batch.worker_pool import score_files
from detector.errors import ParameterError
from detector.progress import Progress
from detector.schema.analysis import Analysis, Parameters
from detector.validation.material import LabelledFile, Material
from detector.validation.rates import of_other
from detector.verdict.judged_persons import flagged_segments
from detector.verdict.validated_domain import criteria, measured

MEASURED = "measured.jsonl"
AGAIN = "again.jsonl"
OTHER = "other-backend.jsonl"
_PURPOSE = "validation 4"  # raise the number when `told` says other things


@dataclass(frozen=True)
class Run:
    """What all passes over the material have in common."""

    model: str | None
    parameters: Parameters
    workers: int | None = None
    repeated: int = 5  # files of each kind that are analysed again, by the first model alone
    also: tuple[str, ...] = ()  # other models, which judge the same faces


@dataclass(frozen=True)
class Measurements:
    """The line of each file by its path; of those repeated, with the back end of each pass."""

    first: dict[str, ResultLine]
    again: dict[str, ResultLine]
    other: dict[str, ResultLine]
    other_backend: str | None


def told(analysis: Analysis) -> ResultLine:
    """What a validation wants of an analysis beside what ``score`` prints; runs in the confined process."""
    values, _ = measured(analysis)
    software = analysis.software
    flagged = flagged_segments(analysis.persons, analysis.segments)
    return {
        "media": str(analysis.media.kind),
        "codec": None if analysis.media.still else analysis.media.codec,
        "segments": [[each.start, each.end, each.confidence] for each in flagged],
        "values": {name: float(value) for name, value in values.items() if name != "still images"},
        "outside": [each.name for each in criteria(analysis) if each.inside is False],
        "backend": f"{software.backend}, {software.precision}, {software.device}",
        **({"models": [of_other(one.model) for one in analysis.others]} if analysis.others else {}),
    }


def line_of_finished(analysis: Analysis) -> ResultLine:
    """The line of an analysis that is there already, without the name of its file."""
    return {**verdict_fields(analysis), **told(analysis)}


def measure(material: Material, out: Path, run: Run, card: str, progress: Progress) -> Measurements:
    """Analyse what was not analysed yet; raises what :func:`~detector.batch.worker_pool.score_files` does.

    ``card`` tells the model with its second look from any other.
    """
    if run.workers is not None and run.workers < 1:
        raise ParameterError(f"--workers {run.workers}: at least one file is analysed at a time.")
    others = OtherModelNames(run.also)
    others.refuse(run.model)
    first = _pass(material.files, out / MEASURED, run, card, "files", progress, others)
    some = _some(material.files, first, run.repeated)
    again = _pass(some, out / AGAIN, run, card, "files again", progress)
    other: dict[str, ResultLine] = {}
    name = _other_backend() if some else None
    if name is not None:
        with _backend(name):
            other = _pass(some, out / OTHER, run, f"{card} {name}", f"files again with {name}", progress)
    return Measurements(first, again, other, name if other else None)


def _pass(
    files: Sequence[LabelledFile],
    path: Path,
    run: Run,
    made: str,
    what: str,
    progress: Progress,
    others: OtherModelNames = ALONE,
) -> dict[str, ResultLine]:
    by = run_key(run.model, run.parameters, purpose=f"{_PURPOSE} {made}", others=others)
    waiting = [File(str(each.path), each.path, each.path, sha256=each.sha256) for each in files]
    with ResultsFile(path, by) as kept:
        new = [file for file in waiting if not kept.has(file)]
        done = len(waiting) - len(new)
        progress(what, done / max(len(waiting), 1))
        scored = score_files(new, run.model, run.parameters, run.workers, told, others)
        with contextlib.closing(scored) as lines:
            for file, line in lines:
                kept.add(file, line)
                done += 1
                progress(what, done / len(waiting))
    found = read_lines(path, by)
    known = {file.name: found.get(file.sha256) or found.get(file.name) for file in waiting}
    return {name: line for name, line in known.items() if line is not None}


def _some(files: Sequence[LabelledFile], lines: dict[str, ResultLine], count: int) -> list[LabelledFile]:
    """Of each kind of media the first ``count`` by SHA-256, which has nothing to do with what they show."""
    chosen: list[LabelledFile] = []
    for kind in ("video", "image"):
        of_kind = [
            each
            for each in files
            if (line := lines.get(str(each.path), {})).get("media") == kind and "error" not in line
        ]
        chosen += sorted(of_kind, key=lambda each: each.sha256)[:count]
    return chosen


def _other_backend() -> str | None:
    """Another back end than the one that ran, of those that are here; None where there is no other."""
    ran = backends.requested_backend() or backends.available_backends()[0]
    return next((name for name in backends.available_backends() if name != ran), None)


@contextlib.contextmanager
def _backend(name: str) -> Iterator[None]:
    """By the environment, which also reaches the processes of the worker pool."""
    before = os.environ.get(backends.BACKEND_VARIABLE)
    os.environ[backends.BACKEND_VARIABLE] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[backends.BACKEND_VARIABLE]
        else:
            os.environ[backends.BACKEND_VARIABLE] = before
