"""Examine the voices of an exhibit: the stages in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from detector.errors import MediaError
from detector.media.acceptance import InputLimits
from detector.media.sound_clock import plausible_start
from detector.progress import EndingReport, ReportShare
from detector.schema.analysis import Media, Parameters
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import cause_of
from detector.schema.causes.voices import VoiceCode
from detector.schema.voice import ChannelFinding, SoundStream, Voice, VoiceSegment, VoiceVerdict
from detector.voice.channels import Heard, HeardChannels, listen_to_channels
from detector.voice.findings import (
    Decision,
    choose_explained,
    decide,
    find_segments,
    lowered_by,
    properties,
    scores_of,
    strongest_windows,
    unjudged_spans,
)
from detector.voice.maps import VoiceMap, draw_peak, explain_window
from detector.voice.model import LoadedVoiceModel, load_voice_model
from detector.voice.outline import SPECTROGRAM
from detector.voice.samples import SoundFacts, SoundReader, read_spans
from detector.voice.views import MARGIN, share_of_views
from detector.voice.windows import STEP, Listening, Window

ExplainVoice = Callable[[ReportShare], Voice]
"""Explains the segments of voices; called with a callback for the share done."""

log = logging.getLogger(__name__)

_VIEWED = 4  # windows of which other views are scored
_HEARD = 0.85  # progress when the sound has been listened to; views follow


def examine_voice(
    path: Path,
    media: Media,
    parameters: Parameters,
    images: Path | None,
    progress: ReportShare,
    bounds: InputLimits | None = None,
) -> tuple[Voice, ExplainVoice | None]:
    """Examine the default sound of the file at ``path``.

    Returns the finding, whose segments have no peaks, and a function that returns it with their peaks and
    maps; None if there is nothing to explain. Times are seconds from the first frame of ``media``, or from
    the start of a recording of sound. Pictures are written to ``images/overlays``. Sound that cannot be
    examined, for whatever reason, is a finding that names it. Raises :class:`~detector.errors.ModelError` if
    the network cannot be used, and what ``progress`` raises.
    """
    model, report = load_voice_model(), EndingReport(progress)
    try:
        return _examined(model, path, media, parameters, images, report, bounds)
    except Exception as problem:
        if problem is report.ending:
            raise
        return _without_finding(model, VoiceVerdict.INCONCLUSIVE, _cause(problem)), None


def _cause(problem: Exception) -> Cause:
    """Say why sound was not examined."""
    if isinstance(problem, MediaError):
        return VoiceCode.REFUSED.cause(problem=(cause_of(str(problem)),))
    if isinstance(problem, MemoryError):
        return VoiceCode.OUT_OF_MEMORY.cause()
    log.error("the sound could not be examined", exc_info=problem)
    return VoiceCode.ERROR.cause(error=type(problem).__name__)


def _examined(
    model: LoadedVoiceModel,
    path: Path,
    media: Media,
    parameters: Parameters,
    images: Path | None,
    progress: ReportShare,
    bounds: InputLimits | None,
) -> tuple[Voice, ExplainVoice | None]:
    reader = SoundReader(path, bounds)
    heard = _listen(reader, model, media, progress)
    facts = reader.facts
    if facts is None:
        if media.has_sound:
            return _without_finding(model, VoiceVerdict.INCONCLUSIVE, VoiceCode.NOT_DECODED.cause()), None
        return _without_finding(model, VoiceVerdict.NO_SPEECH, VoiceCode.NO_SOUND.cause()), None
    start = float(plausible_start(facts.start, media.duration)) - (media.start_offset or 0.0)
    groups = [_Judged(group, facts, model, start) for group in heard.groups]
    _measure_stability(groups, path, bounds, model)
    progress(1.0)
    decisions = [group.decide(model) for group in groups]
    numbered = len(groups) > 1
    findings = []
    for group, decision in zip(groups, decisions, strict=True):
        channels = group.numbers if numbered else ()
        spoken = decision.verdict is not VoiceVerdict.NO_SPEECH or not numbered
        name = f"{SPECTROGRAM}-{channels[0]}" if channels else SPECTROGRAM
        findings.append(
            ChannelFinding(
                channels=channels,
                verdict=decision.verdict,
                causes=(decision.cause,),
                probability=decision.probability,
                stability=group.stability,
                speech=group.speech,
                not_judged=group.not_judged,
                gaps=tuple(group.gaps),
                scores=group.scores,
                properties=properties(group.heard, model, facts.rate),
                waveform=group.outline.waveform(start) if spoken else None,
                spectrogram=group.outline.spectrogram(start, images, name) if spoken else None,
            )
        )
    worst, *others = sorted(findings, key=lambda finding: finding.seriousness, reverse=True)
    flagged = [decision.flagged for decision in decisions]
    voice = Voice(
        **dict(worst),
        stream=SoundStream(
            index=facts.index,
            codec=facts.codec,
            sample_rate=facts.rate,
            channels=facts.channels,
            start=start,
            duration=facts.seconds,
            others=facts.others,
            undecodable=facts.undecodable,
            channel_names=facts.names if facts.channels > 1 else (),
            channels_left_out=tuple(channel + 1 for channel in heard.left_out),
            restarts=facts.restarts,
            closed_gaps=facts.closed,
            repeated=facts.repeated,
            unread=facts.unread,
        ),
        segments=tuple(_published(groups, flagged, {}, start, facts.seconds, images)),
        other_channels=tuple(others),
        model=model.as_published(),
    )
    explained = choose_explained(
        [(group.segments, group.heard.windows, group.logits) for group in groups], flagged
    )

    def explain(report: ReportShare) -> Voice:
        maps = _maps(path, bounds, model, groups, explained, parameters.seed, report)
        segments = tuple(_published(groups, flagged, maps, start, facts.seconds, images))
        return voice.model_copy(update={"segments": segments})

    return voice, explain if explained else None


class _Judged:
    """Channels that carry the same speech, counted from 0, with their scores and segments."""

    def __init__(
        self, group: HeardChannels, facts: SoundFacts, model: LoadedVoiceModel, start: float
    ) -> None:
        self.channels, self.heard, self.outline = group.channels, group.heard, group.outline
        self.scores = scores_of(self.heard, model, start)
        self.segments = find_segments(self.heard.windows, self.scores, self.heard.speech)
        self.not_judged, self.gaps, self.speech = unjudged_spans(self.heard, facts, start)
        self.logits = np.array(self.scores.logit)
        self.stability: float | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The channels as results number them, from 1."""
        return tuple(channel + 1 for channel in self.channels)

    def decide(self, model: LoadedVoiceModel) -> Decision:
        spoken = STEP * sum(self.heard.speech)
        return decide(self.segments, self.scores, spoken, self.speech, self.stability, model.card.doubt)


def _measure_stability(
    groups: Sequence[_Judged], path: Path, bounds: InputLimits | None, model: LoadedVoiceModel
) -> None:
    groups = [group for group in groups if group.segments]  # elsewhere views could not change the verdict
    viewed = []
    for group in groups:
        peaks = [number for segment in group.segments for number in segment.peaks]
        numbers = strongest_windows(group.heard.windows, group.logits, peaks, _VIEWED)
        viewed.append([_with_margin(group.heard.windows[i]) for i in numbers])
    spans = [span for of_group in viewed for span in of_group]
    channels = [group.channels for group, of_group in zip(groups, viewed, strict=True) for _ in of_group]
    stretches = iter(read_spans(path, spans, bounds, channels) if spans else [])
    for group, of_group in zip(groups, viewed, strict=True):
        group.stability = share_of_views(model, [next(stretches) for _ in of_group])


def _listen(reader: SoundReader, model: LoadedVoiceModel, media: Media, progress: ReportShare) -> Heard:
    expected = max(media.duration, 1.0)

    def seen() -> None:
        if reader.facts is not None:
            progress(_HEARD * min(1.0, reader.facts.seconds / expected))

    return listen_to_channels(reader.channel_blocks(), model.network, seen)


def _without_finding(model: LoadedVoiceModel, verdict: VoiceVerdict, cause: Cause) -> Voice:
    """Return the finding for a file without sound, or without any that could be examined."""
    return Voice(
        verdict=verdict,
        causes=(cause,),
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
    groups: Sequence[_Judged],
    explained: Sequence[tuple[int, int]],
    seed: int,
    progress: ReportShare,
) -> dict[tuple[int, int], VoiceMap]:
    """Read windows by group and number again, and explain them."""
    windows = [groups[at].heard.windows[number] for at, number in explained]
    spans = [(window.start, window.end) for window in windows]
    channels = [groups[at].channels for at, _ in explained]
    stretches = read_spans(path, spans, bounds, channels) if spans else []
    maps: dict[tuple[int, int], VoiceMap] = {}
    for place, window, samples in zip(explained, windows, stretches, strict=True):
        progress(len(maps) / len(windows))
        heard = groups[place[0]].heard
        shares = np.array(heard.speech[round(window.start / STEP) : round(window.end / STEP)], np.float32)
        maps[place] = explain_window(model, window, samples, shares, seed, lowered_by(heard, model))
    return maps


def _published(
    groups: Sequence[_Judged],
    flagged: Sequence[bool],
    maps: dict[tuple[int, int], VoiceMap],
    start: float,
    seconds: float,
    images: Path | None,
) -> Iterator[VoiceSegment]:
    """Yield the segments of all ``groups`` with their peaks, whose maps are drawn on one scale.

    Sound of ``seconds`` begins at ``start``; windows are whole cells, so the last one may end after it.
    """
    last = start + seconds
    full = max((float(explained.heat.max()) for explained in maps.values()), default=0.0) or 1.0
    found = [(at, segment) for at, group in enumerate(groups) for segment in group.segments]
    found.sort(key=lambda pair: pair[1].start)
    for count, (of_group, segment) in enumerate(found, start=1):
        windows = range(segment.windows.first, segment.windows.last + 1)
        explained = [maps[at, number] for at, number in maps if at == of_group and number in windows]
        peaks = [
            draw_peak(explained_window, f"voice-{count}-{rank}", full, start, images)
            for rank, explained_window in enumerate(explained, start=1)
        ]
        yield VoiceSegment(
            id=f"voice-{count}",
            start=start + segment.start,
            end=min(start + segment.end, last),
            confidence=segment.confidence,
            windows=len(windows),
            flagged=flagged[of_group],
            peaks=tuple(peak.model_copy(update={"end": min(peak.end, last)}) for peak in peaks),
            channels=groups[of_group].numbers if len(groups) > 1 else (),
        )
