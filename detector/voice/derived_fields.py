"""Check the fields of a finding about voices that follow from its other fields, without the exhibit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from detector.errors import ModelError
from detector.schema.analysis import Analysis
from detector.schema.causes.voices import VoiceCode
from detector.schema.scores import finite_logit, sigmoid
from detector.schema.voice import (
    ChannelFinding,
    SoundStream,
    Spectrogram,
    Voice,
    VoiceCheck,
    VoicePeak,
    VoiceSegment,
    VoiceVerdict,
    Waveform,
)
from detector.segments.rules import IndexRange
from detector.voice.card import VoiceCard, read_voice_card
from detector.voice.channels import MOST_CHANNELS
from detector.voice.findings import (
    Decision,
    SpokenSegment,
    choose_explained,
    decide,
    segment_runs,
    smooth,
)
from detector.voice.maps import LEAST_MARGIN, RANDOM_AREAS
from detector.voice.outline import FINEST, MOST_COLUMNS, SPECTROGRAM
from detector.voice.samples import RATE
from detector.voice.windows import MUCH_SPEECH, SHORT_WINDOW, STEP, WINDOW, Window

_EXACT = 1e-6  # seconds and probabilities, both stored as the nearest float
_ROUNDED = 1e-3  # of values that the network's arithmetic of 32 bits gave
_SUMMED = 0.01  # seconds, of a sum of rounded durations
_SATURATED = 1e-6  # distance of a probability of 32 bits from 1 at which its logit is uncertain
_AFTER_HIDING = 0.02  # of a probability that follows from a logit and its drop

Floats = NDArray[np.float64]


def voice_contradictions(analysis: Analysis) -> Iterator[str]:
    """Yield descriptions of fields about voices that do not follow from others by the rules of this version.

    Call it for analyses of this version of the engine only. What was measured in the sound itself follows
    from nothing: docs/evidence.md lists it.
    """
    voice = analysis.voice
    due = analysis.media.has_sound and analysis.parameters.sound
    if voice is None or not due:
        if due:
            yield "the sound was examined, but the voices are missing"
        elif voice is not None:
            yield "it states a finding about voices, although no sound was examined"
        return
    card = _card(voice)
    if card is not None and voice.model != card.as_model():
        yield "what is quoted of the card of the network of voices is not what it states"
    if voice.stream is None:
        yield from _of_no_sound(voice)
        return
    details = analysis.media.details
    if details is not None and any(
        stream.index == voice.stream.index and not stream.examined for stream in details.streams
    ):
        yield "the stream of the sound that was examined is not stated as examined"
    judged = [_Judged(finding, voice.stream, voice.segments_of(finding), card) for finding in voice.findings]
    for finding in judged:
        where = (
            f" of channel {', '.join(map(str, finding.recorded.channels))}" if voice.other_channels else ""
        )
        for problem in finding.problems():
            yield f"{problem}{where}"
    yield from _of_channels(voice)
    yield from _of_peaks(voice, judged, explained=analysis.explained)


def _of_no_sound(voice: Voice) -> Iterator[str]:
    """Check the finding about a file of which no sound was examined."""
    findings = (voice.probability, voice.stability, voice.waveform, voice.spectrogram)
    lists = (voice.segments, voice.scores.time, voice.gaps, voice.not_judged, voice.properties)
    if any(finding is not None for finding in findings) or any(lists) or voice.speech or voice.other_channels:
        yield "it states a finding about voices in sound that could not be examined"
    no_sound = [cause.code for cause in voice.causes] == [VoiceCode.NO_SOUND.code]
    verdict = VoiceVerdict.NO_SPEECH if no_sound else VoiceVerdict.INCONCLUSIVE
    if voice.verdict is not verdict or len(voice.causes) != 1:
        yield "the verdict on the voices is not that of sound that was not examined"


def _of_channels(voice: Voice) -> Iterator[str]:
    """Check the order of segments and of findings about channels."""
    if [segment.id for segment in voice.segments] != [f"voice-{n + 1}" for n in range(len(voice.segments))]:
        yield "the segments of the voices are not numbered in order"
    starts = [segment.start for segment in voice.segments]
    levels = [finding.seriousness for finding in (voice, *voice.other_channels)]
    if starts != sorted(starts) or levels != sorted(levels, reverse=True):
        yield "the segments or the channels of the voices are not in order"
    stream = voice.stream
    if stream is not None and (
        (stream.channels_left_out and len(voice.findings) < MOST_CHANNELS)
        or (bool(stream.channel_names) is not (stream.channels > 1))
        or bool(voice.channels) is not bool(voice.other_channels)
    ):
        yield "what is stated of the channels of the sound contradicts itself"


def _card(voice: Voice) -> VoiceCard | None:
    """Return the card of the network that judged, if it is the one that is here."""
    try:
        card = read_voice_card()
    except ModelError:
        return None
    same = voice.model.sha256 == card.sha256 or voice.model.card_sha256 == card.deciding_sha256
    return card if same else None


def _close(first: float, second: float, by: float = _EXACT) -> bool:
    return math.isclose(first, second, rel_tol=by, abs_tol=by)


def _all_close(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> bool:
    return bool(np.allclose(first, second, rtol=0, atol=_EXACT))


class _Judged:
    """A finding about channels in a ``stream`` and its ``segments``, with what follows from its scores.

    ``card`` is that of the network that judged, None if it is not here.
    """

    def __init__(
        self,
        recorded: ChannelFinding,
        stream: SoundStream,
        segments: Sequence[VoiceSegment],
        card: VoiceCard | None,
    ) -> None:
        self.recorded, self.stream, self.recorded_segments, self.card = recorded, stream, segments, card
        self.start, self.end = stream.start, stream.start + stream.duration
        scores = recorded.scores
        self.times: Floats = np.array(scores.time, np.float64) - self.start  # from the first sample
        self.logits: Floats = np.array(scores.logit, np.float64)
        self.windows = [Window(middle, middle, middle, 0.0, 0.0) for middle in self.times.tolist()]
        runs = segment_runs(self.times, np.array(scores.smoothed), scores.enter, scores.leave)
        # The edges of these segments are the middles of their windows.
        self.segments = [
            SpokenSegment(run, self.times[run.first], self.times[run.last], self._level(run), ())
            for run in runs
        ]
        self.decision = self._decisions()[0]

    def _level(self, run: IndexRange) -> float:
        return float(self.logits[run.first : run.last + 1].mean())

    def _decisions(self) -> list[Decision]:
        """Return the decision, or those that are possible where the threshold of doubt is not known."""
        finding = self.recorded
        # Of sound without a judged window only the verdict tells whether there was any speech.
        silent = finding.verdict is VoiceVerdict.NO_SPEECH and not finding.scores.logit
        doubts = [self.card.doubt] if self.card is not None else [0.0, 2.0]
        return [
            decide(
                self.segments,
                finding.scores,
                0.0 if silent else STEP,
                finding.speech,
                finding.stability,
                doubt,
            )
            for doubt in doubts
        ]

    def problems(self) -> Iterator[str]:
        """Yield what does not follow."""
        yield from self._of_scores()
        yield from self._of_segments()
        yield from self._of_verdict()
        yield from self._of_speech()
        yield from self._of_properties()
        yield from self._of_outline()

    def _of_scores(self) -> Iterator[str]:
        scores, times = self.recorded.scores, self.times
        if scores.step != STEP or scores.window not in (WINDOW, SHORT_WINDOW):
            yield "the windows of the voices have another length or distance than this version uses"
        if scores.window != SHORT_WINDOW and self.recorded.speech >= MUCH_SPEECH:
            yield "the windows of the voices are not those for so much speech"
        if self.card is not None and (scores.enter, scores.leave) != (self.card.enter, self.card.leave):
            yield "the thresholds of the voices are not those of the network's card"
        numbers = times / STEP
        if not _all_close(numbers, np.round(numbers)) or (np.diff(times) < STEP - _EXACT).any():
            yield "the windows of the voices do not follow each other every half second"
        if len(times) and (times[0] < STEP - _EXACT or scores.time[-1] >= self.end + STEP):
            yield "a window of the voices lies outside of the sound"
        if len(times) and not _all_close(sigmoid(scores.logit), scores.probability):
            yield "probabilities of the voices do not follow from their logits"
        if len(times) and not _all_close(smooth(times, np.array(scores.probability)), scores.smoothed):
            yield "smoothed probabilities of the voices do not follow from those of the windows"

    def _of_segments(self) -> Iterator[str]:
        if len(self.recorded_segments) != len(self.segments):
            yield "the segments of the voices are not those that follow from their scores"
            return
        times = self.times
        for recorded, due in zip(self.recorded_segments, self.segments, strict=True):
            name = f"segment {recorded.id}"
            first, final = due.windows.first, due.windows.last
            if recorded.windows != final - first + 1:
                yield f"{name} has other windows than follow from the scores"
            if not _close(recorded.confidence, due.confidence):
                yield f"the confidence of {name} does not follow from its scores"
            # Where windows go on, an edge lies between two of them, else at a cell with or without speech.
            before = first > 0 and times[first] - times[first - 1] <= STEP
            after = final + 1 < len(times) and times[final + 1] - times[final] <= STEP
            starts = [due.start - STEP / 2] if before else [due.start - STEP, due.start]
            ends = [due.end + STEP / 2] if after else [due.end, due.end + STEP]
            if not any(_close(recorded.start, self.start + start) for start in starts):
                yield f"{name} begins elsewhere than follows from its scores"
            if not any(_close(recorded.end, min(self.start + end, self.end)) for end in ends):
                yield f"{name} ends elsewhere than follows from its scores"
            if recorded.flagged is not self.decision.flagged:
                yield f"whether a finding rests on {name} does not follow from the verdict"

    def _of_verdict(self) -> Iterator[str]:
        finding, due = self.recorded, self.decision
        own = finding.verdict, finding.causes
        if own not in [(decision.verdict, (decision.cause,)) for decision in self._decisions()]:
            yield "the verdict on the voices or its reason does not follow from scores, speech and stability"
        if (due.probability is None) != (finding.probability is None) or (
            due.probability is not None and not _close(due.probability, finding.probability or 0.0)
        ):
            yield "the probability of the voices does not follow from their scores"
        if finding.stability is not None and not finding.scores.logit:
            yield "a stability of the voices is stated without scores"

    def _of_speech(self) -> Iterator[str]:
        """Check that speech and what was not judged are together the duration of the sound."""
        finding = self.recorded
        total = finding.speech + math.fsum(finding.not_judged.values())
        if abs(total - self.stream.duration) > _SUMMED:
            yield "speech that was judged and sound that was not are not the duration of the sound"
        if not finding.scores.logit and finding.speech:
            yield "speech of the voices was judged without a window"
        before = 0.0
        of_cause: dict[str, float] = {}
        for gap in finding.gaps:
            if gap.start < before - _EXACT or gap.end <= gap.start or gap.end > self.end + _EXACT:
                yield "intervals of sound that was not judged overlap, or lie outside of it"
            before = gap.end
            code = gap.cause.code if gap.cause else ""
            of_cause[code] = of_cause.get(code, 0.0) + gap.end - gap.start
        if any(seconds > finding.not_judged.get(cause, 0.0) + _SUMMED for cause, seconds in of_cause.items()):
            yield "intervals of sound that was not judged are longer than the seconds stated for their cause"

    def _of_properties(self) -> Iterator[str]:
        if self.card is not None:
            due = [(known.name, known.unit, known.least, known.most) for known in self.card.validated]
            recorded = [(p.name, p.unit, p.least, p.most) for p in self.recorded.properties]
            if due != recorded:
                yield "the properties of the sound are not those of the network's card"
        for known in self.recorded.properties:
            inside = None
            if isinstance(known.value, float):
                inside = (known.least is None or known.value >= known.least) and (
                    known.most is None or known.value <= known.most
                )
            if known.inside is not inside:
                yield f"whether the {known.name} lies in its range does not follow from its value"

    def _of_outline(self) -> Iterator[str]:
        """Check that waveform and spectrogram show the whole sound."""
        finding, wave = self.recorded, self.recorded.waveform
        # Of channels that differ, those without speech are not drawn.
        drawn = not finding.channels or finding.verdict is not VoiceVerdict.NO_SPEECH
        if wave is None:
            if drawn and self.stream.duration >= 2 * FINEST / RATE:
                yield "the waveform is missing"
            if finding.spectrogram is not None:
                yield "there is a spectrogram without a waveform"
            return
        if not drawn or not _wave_fits(wave, self.stream.start, self.stream.duration):
            yield "the waveform is not that of the sound by its times or values"
        name = f"{SPECTROGRAM}-{finding.channels[0]}" if finding.channels else SPECTROGRAM
        if finding.spectrogram is not None and not _spectrogram_fits(finding.spectrogram, wave, name):
            yield "the spectrogram is not that of the sound by its times"

    def peak_fits(self, peak: VoicePeak, name: str) -> bool:
        """Check a peak whose pictures are called ``name`` against its window.

        Its probability is that of the window's sound encoded by itself, which the window's score does not
        determine.
        """
        pictures = (f"overlays/{name}-spectrogram.png", f"overlays/{name}.png")
        # Windows at an edge are shorter; of one at the end of the sound only whole cells are read.
        starts = [max(self.start, peak.time - half) for half in (SHORT_WINDOW / 2, WINDOW / 2)]
        ends = [min(self.end, peak.time + half) for half in (SHORT_WINDOW / 2, WINDOW / 2)]
        return (
            (peak.spectrogram, peak.overlay) in (pictures, (None, None))
            and any(_close(peak.start, start) for start in starts)
            and any(end - STEP < peak.end + _EXACT and peak.end <= end + _EXACT for end in ends)
            and peak.check is not None
            and _close(peak.check.probability, peak.probability, _ROUNDED)
            and _check_fits(peak.check)
        )


def _of_peaks(voice: Voice, judged: Sequence[_Judged], *, explained: bool) -> Iterator[str]:
    """Check which windows have a map, on one scale for all channels, and the figures of each map."""
    chosen = choose_explained(
        [(finding.segments, finding.windows, finding.logits) for finding in judged],
        [finding.decision.flagged for finding in judged],
    )
    due = sorted((at, judged[at].recorded.scores.time[number]) for at, number in chosen if explained)
    own = sorted(
        (at, peak.time)
        for at, finding in enumerate(judged)
        for segment in finding.recorded_segments
        for peak in segment.peaks
    )
    if [at for at, _ in due] != [at for at, _ in own] or not _all_close(
        [time for _, time in due], [time for _, time in own]
    ):
        yield "the windows of the voices with a heatmap are not those that follow from the scores"
        return
    peaks = [peak for segment in voice.segments for peak in segment.peaks]
    if peaks and max(peak.heat for peak in peaks) not in (0.0, 1.0):
        yield "no heatmap of the voices has the highest heat"
    kept = {picture is not None for peak in peaks for picture in (peak.spectrogram, peak.overlay)}
    kept |= {finding.spectrogram is not None for finding in voice.findings if finding.waveform is not None}
    if len(kept) > 1:
        yield "some pictures of the sound were kept, and some were not"
    for finding in judged:
        for segment in finding.recorded_segments:
            for rank, peak in enumerate(segment.peaks, start=1):
                if not finding.peak_fits(peak, f"{segment.id}-{rank}"):
                    yield f"peak {rank} of {segment.id} is not that of its window"


def _check_fits(check: VoiceCheck) -> bool:
    """Check that the probability after hiding follows from the drop of the logit."""
    if check.areas != RANDOM_AREAS or not 0 < check.area < 1:
        return False
    if check.margin is None or check.margin < LEAST_MARGIN:
        return False
    if check.probability > 1 - _SATURATED:
        return True
    hidden = sigmoid(finite_logit(check.probability) - check.drop_highlight)
    return abs(hidden - check.hidden_highlight) <= _AFTER_HIDING


def _wave_fits(wave: Waveform, start: float, duration: float) -> bool:
    low, high = np.array(wave.low), np.array(wave.high)
    factor = wave.step * RATE / FINEST
    if (
        len(low) != len(high)
        or not len(low)
        or factor < 1
        or not _close(math.log2(factor), round(math.log2(factor)))
    ):
        return False
    left = duration - len(low) * wave.step
    return (
        _close(wave.start, start)
        and len(low) < 2 * MOST_COLUMNS
        and bool((low <= high).all())
        and -FINEST / RATE <= left < wave.step + 2 * FINEST / RATE
    )


def _spectrogram_fits(picture: Spectrogram, wave: Waveform, name: str) -> bool:
    return (
        picture.path == f"overlays/{name}.png"
        and _close(picture.start, wave.start)
        and _close(picture.end, wave.start + len(wave.low) * wave.step)
        and picture.highest == RATE / 2
    )
