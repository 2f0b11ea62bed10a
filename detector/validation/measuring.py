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
from detector.schema.analysis import Analysis, Parameters, Voice
from detector.schema.laboratory import Subject
from detector.validation.material import LabelledFile, Material
from detector.validation.other_models import other_model_fields
from detector.verdict.finding import finding_of

MEASURED = "measured.jsonl"
AGAIN = "again.jsonl"
OTHER = "other-backend.jsonl"
_PURPOSE = "validation 5"  # raise the number when `validation_fields` returns other fields


@dataclass(frozen=True)
class Run:
    """What all passes over the material have in common."""

    model: str | None
    parameters: Parameters
    workers: int | None = None
    repeated: int = 5  # files of each kind to analyse again, by the primary model only
    also: tuple[str, ...] = ()  # further models, which judge the same faces


@dataclass(frozen=True)
class Measurements:
    """The line of each file by path, and the lines of repetitions with the back end of each pass."""

    first: dict[str, ResultLine]
    again: dict[str, ResultLine]
    other: dict[str, ResultLine]
    other_backend: str | None


def validation_fields(analysis: Analysis) -> ResultLine:
    """Return the fields that a validation needs beside those of ``score``; runs in the confined process."""
    finding, software = finding_of(analysis), analysis.software
    return {
        "media": str(analysis.media.kind),
        "codec": None if analysis.media.still else analysis.media.codec,
        "segments": [[item.start, item.end, item.confidence] for item in finding.flagged],
        "values": {name: float(value) for name, value in finding.measured.items() if name != "still images"},
        "outside": [item.name for item in finding.domain if item.inside is False],
        # Without a picture no back end ran.
        **(
            {"backend": f"{software.backend}, {software.precision}, {software.device}"}
            if software.backend
            else {}
        ),
        "voice": None if analysis.voice is None else _voice_fields(analysis.voice),
        **(
            {"models": [other_model_fields(other.model) for other in analysis.others]}
            if analysis.others
            else {}
        ),
    }


def _voice_fields(voice: Voice) -> ResultLine:
    values = {"speech": voice.speech, **{item.name: item.value for item in voice.properties}}
    return {
        "verdict": str(voice.verdict),
        "probability": voice.probability,
        "stability": voice.stability,
        "codec": voice.stream.codec if voice.stream else None,
        # Sound may begin before the first frame.
        "segments": [[max(0.0, item.start), max(0.0, item.end), item.confidence] for item in voice.flagged],
        "values": {name: value for name, value in values.items() if isinstance(value, float)},
        "outside": [item.name for item in voice.properties if item.inside is False],
    }


def line_of_finished(analysis: Analysis) -> ResultLine:
    """Return the line of a finished analysis, without the name of its file."""
    return {**verdict_fields(analysis), **validation_fields(analysis)}


def measure(material: Material, out: Path, run: Run, card: str, progress: Progress) -> Measurements:
    """Analyse remaining files; raises what :func:`~detector.batch.worker_pool.score_files` raises.

    ``card`` distinguishes the model and its second look from any other.
    """
    if run.workers is not None and run.workers < 1:
        raise ParameterError(f"--workers {run.workers}: at least one file is analysed at a time.")
    others = OtherModelNames(run.also)
    others.refuse(run.model)
    first = _pass(material.files, out / MEASURED, run, card, "files", progress, others)
    repeated = _some(material.files, first, run.repeated)
    again = _pass(repeated, out / AGAIN, run, card, "files again", progress)
    other: dict[str, ResultLine] = {}
    of_faces = [file for file in repeated if file.manipulated is not None]  # back ends run their network
    name = _other_backend() if of_faces else None
    if name is not None:
        with _backend(name):
            other = _pass(of_faces, out / OTHER, run, f"{card} {name}", f"files again with {name}", progress)
    return Measurements(first, again, other, name if other else None)


def _pass(
    files: Sequence[LabelledFile],
    path: Path,
    run: Run,
    variant: str,
    stage: str,
    progress: Progress,
    others: OtherModelNames = ALONE,
) -> dict[str, ResultLine]:
    by = run_key(run.model, run.parameters, purpose=f"{_PURPOSE} {variant}", others=others)
    waiting = [File(str(item.path), item.path, item.path, sha256=item.sha256) for item in files]
    with ResultsFile(path, by) as results_file:
        new = [file for file in waiting if not results_file.has(file)]
        count = len(waiting) - len(new)
        progress(stage, count / max(len(waiting), 1))
        scored = score_files(new, run.model, run.parameters, run.workers, validation_fields, others)
        with contextlib.closing(scored) as lines:
            for file, line in lines:
                results_file.add(file, line)
                count += 1
                progress(stage, count / len(waiting))
    stored = read_lines(path, by)
    lines_by_name = {file.name: stored.get(file.sha256) or stored.get(file.name) for file in waiting}
    return {name: line for name, line in lines_by_name.items() if line is not None}


def _some(files: Sequence[LabelledFile], lines: dict[str, ResultLine], count: int) -> list[LabelledFile]:
    """Return the first ``count`` files of each kind by SHA-256, which is independent of their content."""
    chosen: dict[str, LabelledFile] = {}
    for kind in Subject:
        of_kind = [
            file
            for file in files
            if (line := lines.get(str(file.path))) is not None
            and "error" not in line
            and (
                file.voice is not None
                if kind is Subject.VOICE
                else file.manipulated is not None and line["media"] == kind
            )
        ]
        chosen |= {file.sha256: file for file in sorted(of_kind, key=lambda file: file.sha256)[:count]}
    return list(chosen.values())


def _other_backend() -> str | None:
    """Return an available back end other than the one that ran; None if there is none."""
    ran = backends.requested_backend() or backends.available_backends()[0]
    return next((name for name in backends.available_backends() if name != ran), None)


@contextlib.contextmanager
def _backend(name: str) -> Iterator[None]:
    """Select the back end through the environment, which also reaches the worker processes."""
    before = os.environ.get(backends.BACKEND_VARIABLE)
    os.environ[backends.BACKEND_VARIABLE] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[backends.BACKEND_VARIABLE]
        else:
            os.environ[backends.BACKEND_VARIABLE] = before
