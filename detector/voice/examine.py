"""Examine the voices of an exhibit: the stages in order."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from detector.errors import MediaError
from detector.media.acceptance import InputLimits
from detector.progress import EndingReport, ReportShare
from detector.schema.analysis import Media, Parameters
from detector.schema.voice import SoundStream, Voice, VoiceSegment, VoiceVerdict
from detector.verdict.sentences import Reason, Statement
from detector.voice.findings import (
    SpokenSegment,
    decide,
    find_segments,
    lowered_by,
    properties,
    scores_of,
    strongest_windows,
    unjudged_spans,
    windows_to_explain,
)
from detector.voice.maps import VoiceMap, draw_peak, explain_window
from detector.voice.model import LoadedVoiceModel, load_voice_model
from detector.voice.outline import Outline
from detector.voice.samples import Samples, SoundReader, read_spans
from detector.voice.views import MARGIN, share_of_views
from detector.voice.windows import STEP, Listening, Window, listen

log = logging.getLogger(__name__)

_EXPLAINED = 3  # windows with a map at most; each takes ten seconds of a processor
_VIEWED = 4  # windows of which other views are scored
_HEARD, _VIEWS = 0.7, 0.8  # progress at the end of the first stages


def examine_voice(
    path: Path,
    media: Media,
    parameters: Parameters,
    images: Path | None,
    progress: ReportShare,
    bounds: InputLimits | None = None,
) -> Voice:
    """Examine the default sound of the file at ``path``.

    Times are seconds from the first frame of ``media``, or from the start of a recording of sound. Pictures
    are written to ``images/overlays``. Sound that cannot be examined, for whatever reason, is a finding that
    names it. Raises :class:`~detector.errors.ModelError` if the network cannot be used, and what
    ``progress`` raises.
    """
    model, report = load_voice_model(), EndingReport(progress)
    try:
        return _examined(model, path, media, parameters, images, report, bounds)
    except Exception as problem:
        if problem is report.ending:
            raise
        return _without_finding(model, VoiceVerdict.INCONCLUSIVE, Reason(_statement(problem)))


def _statement(problem: Exception) -> Statement:
    """Say why sound was not examined."""
    if isinstance(problem, MediaError):
        return Statement("voice_refused", problem=str(problem))
    if isinstance(problem, MemoryError):
        return Statement("voice_out_of_memory")
    log.error("the sound could not be examined", exc_info=problem)
    return Statement("voice_error", error=type(problem).__name__)


def _examined(
    model: LoadedVoiceModel,
    path: Path,
    media: Media,
    parameters: Parameters,
    images: Path | None,
    progress: ReportShare,
    bounds: InputLimits | None,
) -> Voice:
    reader, outline = SoundReader(path, bounds), Outline()
    heard = _listen(reader, outline, model, media, progress)
    facts = reader.facts
    if facts is None:
        if media.has_sound:
            reason = Reason(Statement("voice_not_decoded"))
            return _without_finding(model, VoiceVerdict.INCONCLUSIVE, reason)
        return _without_finding(model, VoiceVerdict.NO_SPEECH, Reason(Statement("voice_no_sound")))
    start = float(facts.start) - (media.start_offset or 0.0)
    scores = scores_of(heard, model, start)
    segments = find_segments(heard.windows, scores, heard.speech)
    not_judged, gaps, speech = unjudged_spans(heard, facts, start)
    logits = np.array(scores.logit)
    peaks = [number for segment in segments for number in segment.peaks]
    viewed = strongest_windows(heard.windows, logits, peaks or range(len(logits)), _VIEWED)
    stability = share_of_views(
        model,
        read_spans(path, [_with_margin(heard.windows[i]) for i in viewed], bounds) if viewed else [],
    )
    progress(_VIEWS)
    decision = decide(segments, scores, STEP * sum(heard.speech), speech, stability, model)
    explained = windows_to_explain(segments, heard.windows, logits, _EXPLAINED)
    maps = _maps(path, bounds, model, heard, explained, parameters.seed, progress)
    return Voice(
        verdict=decision.verdict,
        reason=str(decision.reason),
        causes=decision.reason.causes,
        probability=decision.probability,
        stability=stability,
        stream=SoundStream(
            index=facts.index,
            codec=facts.codec,
            sample_rate=facts.rate,
            channels=facts.channels,
            start=start,
            duration=facts.seconds,
            others=facts.others,
            undecodable=facts.undecodable,
        ),
        speech=speech,
        not_judged=not_judged,
        gaps=tuple(gaps),
        segments=tuple(_published(segments, maps, start, facts.seconds, images, decision.flagged)),
        scores=scores,
        properties=properties(heard, model, facts.rate),
        waveform=outline.waveform(start),
        spectrogram=outline.spectrogram(start, images),
        model=model.as_published(),
    )


def _listen(
    reader: SoundReader, outline: Outline, model: LoadedVoiceModel, media: Media, progress: ReportShare
) -> Listening:
    expected = max(media.duration, 1.0)

    def blocks() -> Iterator[Samples]:
        for block in reader.blocks():
            yield block
            if reader.facts is not None:
                progress(_HEARD * min(1.0, reader.facts.seconds / expected))

    return listen(blocks(), model.network, outline.add)


def _without_finding(model: LoadedVoiceModel, verdict: VoiceVerdict, reason: Reason) -> Voice:
    """Return the finding for a file without sound, or without any that could be examined."""
    return Voice(
        verdict=verdict,
        reason=str(reason),
        causes=reason.causes,
        probability=None,
        stream=None,
        speech=0.0,
        scores=scores_of(Listening(), model, 0.0),
        model=model.as_published(),
    )


def _with_margin(window: Window) -> tuple[float, float]:
    return window.start - MARGIN, window.end + MARGIN


def _maps(
    path: Path,
    bounds: InputLimits | None,
    model: LoadedVoiceModel,
    heard: Listening,
    numbers: Sequence[int],
    seed: int,
    progress: ReportShare,
) -> dict[int, VoiceMap]:
    """Read windows by number again, and explain them."""
    windows = [heard.windows[number] for number in numbers]
    spans = [(window.start, window.end) for window in windows]
    stretches = read_spans(path, spans, bounds) if spans else []
    maps: dict[int, VoiceMap] = {}
    for number, window, samples in zip(numbers, windows, stretches, strict=True):
        progress(_VIEWS + (1 - _VIEWS) * len(maps) / len(windows))
        shares = np.array(heard.speech[round(window.start / STEP) : round(window.end / STEP)], np.float32)
        maps[number] = explain_window(model, window, samples, shares, seed, lowered_by(heard, model))
    return maps


def _published(
    segments: Sequence[SpokenSegment],
    maps: dict[int, VoiceMap],
    start: float,
    seconds: float,
    images: Path | None,
    flagged: bool,
) -> Iterator[VoiceSegment]:
    """Yield the segments with their peaks, whose maps are drawn on one scale.

    Sound of ``seconds`` begins at ``start``; windows are whole cells, so the last one may end after it.
    """
    last = start + seconds
    full = max((float(explained.heat.max()) for explained in maps.values()), default=0.0) or 1.0
    for count, segment in enumerate(segments, start=1):
        peaks = [
            draw_peak(maps[number], f"voice-{count}-{rank}", full, start, images)
            for rank, number in enumerate(
                (i for i in maps if segment.windows.first <= i <= segment.windows.last), start=1
            )
        ]
        yield VoiceSegment(
            id=f"voice-{count}",
            start=start + segment.start,
            end=min(start + segment.end, last),
            confidence=segment.confidence,
            windows=segment.windows.last - segment.windows.first + 1,
            flagged=flagged,
            peaks=tuple(peak.model_copy(update={"end": min(peak.end, last)}) for peak in peaks),
        )
