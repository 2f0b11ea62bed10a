"""One analysis from end to end: the stages in order, each from its own module."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

import detector
from detector import findings
from detector.analysis import (
    Analysis,
    Coverage,
    Media,
    MediaKind,
    Parameters,
    Software,
    Span,
)
from detector.media import MediaReader, open_media
from detector.models import LoadedModel, load_model
from detector.scoring import Scorer
from detector.survey import Survey
from detector.verdict import decide

Progress = Callable[[str, float], None]

# Shares of the whole that the stages take, for the progress bar.
_READ, _SCORED = 0.03, 0.90


def analyze(
    path: str | Path,
    *,
    name: str | None = None,
    parameters: Parameters | None = None,
    model: str | Path | LoadedModel | None = None,
    images: Path | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Analyse the video or photo at ``path``.

    ``name`` is the exhibit's own file name where ``path`` is not; ``model`` a name in
    ``models/``, a path, or one already loaded. Frames and overlays of peak frames are
    written below ``images`` if given, as ``overlays/*.png``. ``progress`` is called with
    a stage and the fraction of the whole done, 0 to 1; what it raises ends the analysis.

    Raises :class:`~detector.errors.MediaError` for a file that cannot be examined and
    :class:`~detector.errors.ModelError` for a model that cannot be used.
    """
    path = Path(path)
    parameters = parameters or Parameters()
    report = progress or (lambda stage, fraction: None)
    scorer = Scorer(model if isinstance(model, LoadedModel) else load_model(model))
    report("reading", 0.0)
    with open_media(path) as reader:
        size, digest = _hashed(path)
        survey = Survey(reader, parameters, scorer)
        for frame in reader.frames(parameters.sample_rate):
            survey.process_frame(frame)
            done = float(frame.time) / reader.expected_duration if reader.expected_duration else 0.0
            report("finding and scoring faces", _READ + (_SCORED - _READ) * min(1.0, done))
        survey.post_process()
        interval = float(reader.duration) / len(survey.times)
        people = findings.people(survey, scorer, parameters)
        found = [
            f for who, seen in people.items() for f in findings.flagged(who, seen, parameters, reader.kind)
        ]
        flagged = findings.explained(
            found,
            reader,
            scorer,
            images,
            parameters.seed,
            lambda share: report("explaining", _SCORED + (1 - _SCORED) * share),
        )
        persons = tuple(findings.person(who, seen, flagged, scorer, interval) for who, seen in people.items())
        coverage = _coverage(survey, reader)
        verdict, reason = decide(reader.kind, parameters, coverage, persons, flagged)
        report("finishing", 1.0)
        return Analysis(
            verdict=verdict,
            reason=reason,
            probability=max((p.probability for p in persons if p.probability is not None), default=None),
            segments=flagged,
            persons=persons,
            media=_media(reader, _printable(name or path.name), size, digest),
            model=scorer.card.as_model(),
            parameters=parameters,
            coverage=coverage,
            software=Software(
                reelproof=detector.__version__,
                torch=torch.__version__,
                device=scorer.device_name,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        )


def _coverage(survey: Survey, reader: MediaReader) -> Coverage:
    faces = {s.time for s in survey.seen}
    usable = {s.time for s in survey.seen if s.usable}
    spans: list[Span] = []
    if reader.kind is MediaKind.VIDEO:
        for i, time in enumerate(survey.times):
            if time in usable:
                continue
            reason = "faces too small or too unsure to judge" if time in faces else "no face found"
            end = float(survey.times[i + 1]) if i + 1 < len(survey.times) else float(reader.duration)
            if spans and spans[-1].reason == reason and spans[-1].end == float(time):
                spans[-1] = Span(start=spans[-1].start, end=end, reason=reason)
            else:
                spans.append(Span(start=float(time), end=max(end, float(time)), reason=reason))
    if reader.missing:
        end = float(reader.duration)
        spans.append(Span(start=end, end=end + reader.missing, reason="the file breaks off here"))
    return Coverage(
        frames_sampled=len(survey.times),
        frames_with_face=len(faces),
        frames_with_usable_face=len(usable),
        faces_found=len(survey.seen),
        faces_unusable=sum(not s.usable for s in survey.seen),
        faces_discarded=survey.discarded,
        cuts=tuple(survey.cuts),
        not_examined=tuple(spans),
    )


def _media(reader: MediaReader, name: str, size: int, digest: str) -> Media:
    rate = reader.frame_rate
    return Media(
        file=name,
        bytes=size,
        sha256=digest,
        kind=reader.kind,
        container=reader.container_format,
        codec=reader.codec,
        width=reader.width,
        height=reader.height,
        rotation=reader.rotation,
        time_base=f"{reader.time_base.numerator}/{reader.time_base.denominator}",
        frame_rate=f"{rate.numerator}/{rate.denominator}" if rate else None,
        variable_frame_rate=reader.variable_frame_rate,
        duration=float(reader.duration),
        frames_decoded=reader.tally.decoded,
        frames_undecodable=reader.tally.undecodable,
        has_sound=reader.has_sound,
    )


def _printable(name: str) -> str:
    """``name`` as text that UTF-8 can hold; bytes of a name that are no text become question marks."""
    return name.encode("utf-8", "replace").decode()


def _hashed(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest
