"""One analysis from end to end: the stages in order, each from its own module."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector import timestamps
from detector.environment import repeated_with, software
from detector.explain.boxed_photo import BOXED, PHOTO, write_boxed, write_photo
from detector.faces.finding.turned import turn_with_faces
from detector.files import hashed, write_atomically
from detector.fingerprint.sampling import FingerprintSampler
from detector.media.completeness import lost_frames, missing_seconds
from detector.media.exhibit.limits import Bounds
from detector.media.frame import Image
from detector.media.open import open_media
from detector.media.prefetch import ahead
from detector.media.reader import MediaReader
from detector.memory import share_arenas
from detector.metadata.anomalies.rules import anomalies_of
from detector.metadata.c2pa import read_store
from detector.metadata.collect import collect
from detector.metadata.declarations import declarations_of
from detector.models.loaded import LoadedModel, load_model
from detector.other_models import Others, concluded, keeps_moments
from detector.schema.analysis import (
    Analysis,
    Coverage,
    Declaration,
    FaceQuality,
    Media,
    MediaKind,
    Parameters,
    Segment,
    Span,
    Spread,
)
from detector.schema.others import JointRule
from detector.scoring.first_pass import BATCH, FirstPass, FirstPassResult
from detector.scoring.moments import MomentKeeper
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import look_again
from detector.segments import findings
from detector.segments.boundaries import refine_boundaries
from detector.verdict.kinds import manipulation_kind
from detector.verdict.reasons import not_seen
from detector.verdict.stability import stability
from detector.verdict.verdict import answers, decide

Progress = Callable[[str, float], None]

# Shares of the whole that the stages take, for the progress bar.
_READ, _SCORED, _LOOKED, _SHARP = 0.03, 0.80, 0.90, 0.93
_TRIED = 6  # frames in which turned faces are looked for, about
_AHEAD, _AHEAD_BYTES = 4, 96 * 1024 * 1024  # frames decoded before they are looked at, at most


def analyze(
    path: str | Path,
    *,
    name: str | None = None,
    parameters: Parameters | None = None,
    model: str | Path | LoadedModel | None = None,
    images: Path | None = None,
    progress: Progress | None = None,
    bounds: Bounds | None = None,
    fingerprint: Path | None = None,
    also: Sequence[str | Path | LoadedModel] = (),
    joint: JointRule = JointRule.FIRST,
) -> Analysis:
    """Analyse the video or photo at ``path``.

    ``name`` is the exhibit's own file name where ``path`` is not; ``model`` a name in
    ``models/``, a path, or one already loaded. Frames and overlays of peak frames are
    written below ``images`` if given, as ``overlays/*.png``. ``progress`` is called with
    a stage and the fraction of the whole done, 0 to 1; what it raises ends the analysis.
    ``bounds`` are how much of what the file may hold. The perceptual fingerprint of the frames that are
    decoded is written to ``fingerprint`` if given, once all of them were seen. ``also`` are further models,
    which judge the same faces beside ``model``; ``joint`` is the rule of their joint verdict.

    Raises :class:`~detector.errors.MediaError` for a file that cannot be examined and
    :class:`~detector.errors.ModelError` for a model that cannot be used.
    """
    job = _Job(
        Path(path), name, parameters or Parameters(), model, images, bounds, fingerprint, Others(also, joint)
    )
    share_arenas()
    report = progress or (lambda stage, fraction: None)
    analysis, turn = _analyzed(job, report)
    if turn:
        shown = _shown(job.images)
        again, _ = _analyzed(job, lambda stage, share: report(stage, max(share, _SHARP)), turn)
        if again.coverage.frames_with_usable_face:
            return again
        for path, picture in shown.items():  # the turned photo lies there now
            write_atomically(path, picture, durable=False)
    report("finishing", 1.0)
    return analysis


def _shown(images: Path | None) -> dict[Path, bytes]:
    """The pictures of a whole photo that were written below ``images``."""
    if images is None:
        return {}
    paths = [images / name for name in (PHOTO, BOXED)]
    return {path: path.read_bytes() for path in paths if path.exists()}


@dataclass(frozen=True)
class _Job:
    """What :func:`analyze` was asked for."""

    path: Path
    name: str | None
    parameters: Parameters
    model: str | Path | LoadedModel | None
    images: Path | None
    bounds: Bounds | None
    fingerprint: Path | None
    others: Others


def _analyzed(job: _Job, report: Progress, turn: int = 0) -> tuple[Analysis, int]:
    """An analysis of frames turned by ``turn`` clockwise quarters, and by how many they should have been."""
    path, parameters, model = job.path, job.parameters, job.model

    def reporter(stage: str, start: float, end: float) -> Callable[[float], None]:
        return lambda share: report(stage, start + (end - start) * share)

    report("reading", 0.0)
    with open_media(path, job.bounds) as reader:
        reader.turned = turn
        loaded = model if isinstance(model, LoadedModel) else load_model(model)
        if not parameters.second_look:
            loaded = loaded.alone
        scorer = Scorer(loaded, still=reader.kind is MediaKind.IMAGE)
        beside = job.others.loaded(loaded, parameters)
        others = [Scorer(one, still=scorer.still) for one in beside]
        size, digest = hashed(path)
        still = reader.kind is MediaKind.IMAGE
        looking = keeps_moments([loaded, *beside])
        keeper = MomentKeeper(parameters.second_look, still=still) if looking else None
        first_pass = FirstPass(reader, parameters, scorer, keeper=keeper, others=others)
        photo = None
        # Of the picture as the file means it, not as it was turned to find faces.
        sampler = None
        if job.fingerprint and not turn:
            sampler = FingerprintSampler(still=reader.kind is MediaKind.IMAGE)
        sampled = reader.frames(parameters.sample_rate, all_decoded=not parameters.skip_unreferenced)
        with ahead(first_pass.with_cuts(sampled), _depth(reader)) as frames:
            for frame, is_cut in frames:
                first_pass.process_frame(frame, is_cut)
                if sampler is not None:
                    sampler.process_frame(frame)
                if reader.kind is MediaKind.IMAGE and job.images:
                    photo = write_photo(job.images, frame.image)
                done = float(frame.time) / reader.expected_duration if reader.expected_duration else 0.0
                report("finding and scoring faces", _READ + (_SCORED - _READ) * min(1.0, done))
        first_pass.post_process()
        if job.fingerprint and sampler is not None and (made := sampler.post_process()):
            write_atomically(job.fingerprint, made.to_bytes(), durable=False)
        seen_by_others = first_pass.seen_by_others()
        if keeper is not None and loaded.second_look is not None:
            scorer = look_again(
                loaded, scorer, first_pass, keeper, parameters, reporter("looking again", _SCORED, _LOOKED)
            )
        if reader.kind is MediaKind.VIDEO:
            sharpen = reporter("finding where segments begin and end", _LOOKED, _SHARP)
            first_pass.detections = refine_boundaries(first_pass, reader, scorer, parameters, sharpen)

        def explained(found: Sequence[findings.FlaggedInterval]) -> tuple[Segment, ...]:
            show = reporter("explaining", _SHARP, 1.0)
            return findings.explained(found, reader, scorer, job.images, parameters.seed, show)

        media, declared = _known(
            media_facts(reader, _printable(job.name or path.name), size, digest), reader, path
        )
        analysis = conclude(first_pass, media, missing_seconds(reader), scorer, parameters, explained)
        wanted = 0
        if not turn and not analysis.coverage.frames_with_usable_face:
            wanted = turn_with_faces(_spread_frames(reader, first_pass.times), parameters, still=still)
        told: dict[str, object] = {"declarations": declared}
        if photo is not None and job.images:
            flagged = {segment.person for segment in analysis.segments}
            write_boxed(job.images, photo, reader.width, analysis.persons, flagged)
            told |= {"picture": PHOTO, "boxed": BOXED}
        if others:
            asked = job.others.rule, keeper, reader, job.images
            told |= concluded(analysis, seen_by_others, others, *asked, lambda share: None)
            told["software"] = repeated_with(analysis, [one.card.name for one in beside], job.others.rule)
        return analysis.model_copy(update=told), wanted


def _spread_frames(reader: MediaReader, times: Sequence[float]) -> Iterator[Image]:
    """About six of the sampled frames, read again."""
    first = reader.tally.first_pts or 0
    chosen = times[:: max(1, len(times) // _TRIED)]
    wanted = {first + round(Fraction(time) / reader.time_base) for time in chosen}
    return (frame.image for frame in reader.at(wanted))


def _depth(reader: MediaReader) -> int:
    """How many frames may be decoded ahead: fewer of those that fill the memory."""
    picture = reader.stream.codec_context
    return max(1, min(_AHEAD, _AHEAD_BYTES // max(1, 3 * picture.width * picture.height)))


def conclude(
    first_pass: FirstPassResult,
    media: Media,
    missing: float,
    scorer: Scorer,
    parameters: Parameters,
    explained: Callable[[Sequence[findings.FlaggedInterval]], tuple[Segment, ...]],
) -> Analysis:
    """What a first pass over an exhibit, already scored, amounts to.

    ``missing`` is the number of seconds its file breaks off early; ``explained`` makes segments
    of flagged intervals.
    """
    interval = media.duration / len(first_pass.times)
    people = findings.group_persons(first_pass, scorer, parameters)
    found = [
        f
        for who, detections in people.items()
        for f in findings.flagged(who, detections, parameters, media.kind)
    ]
    segments = explained(found)
    persons = tuple(
        findings.person(who, detections, found, scorer, parameters.sample_rate, interval)
        for who, detections in people.items()
    )
    coverage = _coverage(first_pass, media, missing)
    verdict, reason = decide(media.kind, parameters, coverage, persons, segments)
    reason = " ".join([reason, *not_seen(media, missing)])
    return Analysis(
        answers=answers(persons),
        stability=stability(verdict, persons, segments),
        verdict=verdict,
        kind=manipulation_kind(verdict, persons, segments),
        reason=reason,
        probability=max((p.probability for p in persons if p.probability is not None), default=None),
        segments=segments,
        persons=persons,
        media=media,
        model=scorer.card.as_model(),
        parameters=parameters,
        coverage=coverage,
        software=software(
            scorer.backend,
            BATCH,
            timestamps.iso_seconds(datetime.now(UTC)),
            media.file,
            scorer.card.name,
            parameters,
        ),
    )


def _coverage(first_pass: FirstPassResult, media: Media, missing: float) -> Coverage:
    every, rows = first_pass.detections.rows, first_pass.detections.sampled.rows
    usable = np.unique(rows["time"][rows["usable"]])
    flaws: dict[float, set[str]] = defaultdict(set)
    for time, flaw in rows[["time", "flaw"]][~np.isin(rows["time"], usable)].tolist():
        flaws[time].add(flaw)
    spans: list[Span] = []
    if media.kind is MediaKind.VIDEO:
        for i in np.flatnonzero(~np.isin(first_pass.times, usable)).tolist():
            time = first_pass.times[i]
            reason = "no face found"
            if time in flaws:
                reason = f"faces {' or '.join(sorted(flaws[time]))} to judge"
            end = first_pass.times[i + 1] if i + 1 < len(first_pass.times) else media.duration
            if spans and spans[-1].reason == reason and spans[-1].end == time:
                spans[-1] = Span(start=spans[-1].start, end=end, reason=reason)
            else:
                spans.append(Span(start=time, end=max(end, time), reason=reason))
    spans = sorted([*spans, *gaps_of(media)], key=lambda span: span.start)
    if missing:
        end = media.duration
        spans.append(Span(start=end, end=end + missing, reason="the file breaks off here"))
    return Coverage(
        frames_sampled=len(first_pass.times),
        frames_with_face=len(usable) + len(flaws),
        frames_with_usable_face=len(usable),
        faces_found=len(rows),
        faces_unusable=int(np.count_nonzero(~rows["usable"])),
        flaws=dict(Counter(sorted(rows["flaw"][~rows["usable"]].tolist()))),
        faces_discarded=first_pass.discarded,
        frames_between=len(np.unique(every["pts"][every["between"] & every["usable"]])),
        cuts=tuple(first_pass.cuts),
        not_examined=tuple(spans),
        quality=_quality(rows),
    )


def gaps_of(media: Media) -> Iterator[Span]:
    """Where the file is damaged and shows no frame for long."""
    timing = media.details.timing if media.details else None
    if timing is None or not media.frames_undecodable:
        return
    for gap in timing.gaps:
        start = gap.start + min(gap.length, timing.median_interval or 0.0)
        yield Span(start=start, end=gap.start + gap.length, reason="no picture could be decoded here")


def _quality(rows: NDArray[np.void]) -> FaceQuality | None:
    judged = rows[rows["usable"] & ~np.isnan(rows["contrast"])]
    if not len(judged):
        return None
    return FaceQuality(
        width=_spread(judged["box"][:, 2] - judged["box"][:, 0]),
        contrast=_spread(judged["contrast"]),
        sharpness=_spread(judged["sharpness"]),
        tilt=_spread(np.abs(judged["tilt"])),
        grey=int(np.count_nonzero(judged["grey"])) / len(judged),
    )


def _spread(values: NDArray[np.float64]) -> Spread:
    tenth, median, ninetieth = np.percentile(values, [10, 50, 90]).tolist()
    return Spread(tenth=round(tenth, 4), median=round(median, 4), ninetieth=round(ninetieth, 4))


def media_facts(reader: MediaReader, name: str, size: int, digest: str) -> Media:
    """Facts about the file ``reader`` has read."""
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
        turned=90 * reader.turned,
        time_base=f"{reader.time_base.numerator}/{reader.time_base.denominator}",
        frame_rate=f"{rate.numerator}/{rate.denominator}" if rate else None,
        variable_frame_rate=reader.variable_frame_rate,
        duration=float(reader.duration),
        start_offset=reader.start_offset,
        frames_decoded=reader.tally.decoded,
        frames_passed_over=reader.tally.passed_over,
        frames_undecodable=reader.tally.undecodable + lost_frames(reader),
        has_sound=reader.has_sound,
    )


def _known(media: Media, reader: MediaReader, path: Path) -> tuple[Media, tuple[Declaration, ...]]:
    """``media`` with everything else that is known of the file, and what the file declares."""
    collected = collect(reader, path)
    details = collected.details
    with path.open("rb") as file:
        credentials, claims = read_store(file, reader.container_format)
    known = {
        "details": details,
        "anomalies": anomalies_of(media, details, datetime.now(UTC)),
        "credentials": credentials,
    }
    declared = declarations_of(collected.texts, details.photo, credentials, claims)
    return media.model_copy(update=known), declared


def _printable(name: str) -> str:
    """``name`` as text that UTF-8 can hold; bytes of a name that are no text become question marks."""
    return name.encode("utf-8", "replace").decode()
