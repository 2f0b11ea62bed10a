"""From scores of windows to segments, stability and the verdict on the voices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.schema.causes.cause import Cause
from detector.schema.causes.spans import SpanCode
from detector.schema.causes.voices import VoiceCode
from detector.schema.formatting import N_
from detector.schema.measurements import Span
from detector.schema.scores import sigmoid
from detector.schema.voice import VoiceProperty, VoiceScores, VoiceVerdict
from detector.segments.rules import IndexRange, find_peaks, hysteresis, merge_intervals, sliding_median
from detector.voice.model import LoadedVoiceModel
from detector.voice.samples import SoundFacts
from detector.voice.windows import SHORT_WINDOW, STEP, WINDOW, Listening, Window

_MEDIAN = 1.2  # seconds: three windows
_MOST_GAP, _MERGE_GAP = 1.5, 1.0  # seconds
_FEWEST_WINDOWS = 2  # of a segment, in recordings that have as many
MOST_EXPLAINED = 3
"""Windows with a map at most; each takes ten seconds of a processor."""
LEAST_STABILITY = 0.6
"""Share of views that must agree with a finding."""
LEAST_JUDGED = 2.0
"""Seconds of speech below which nothing is ruled out."""


@dataclass(frozen=True)
class SpokenSegment:
    """A segment: its windows by index, its edges in seconds from the first sample, its logit and peaks."""

    windows: IndexRange
    start: float
    end: float
    logit: float
    peaks: tuple[int, ...]

    @property
    def confidence(self) -> float:
        return float(sigmoid(self.logit))


def lowered_by(heard: Listening, model: LoadedVoiceModel) -> float:
    """Return by how much logits are lowered: short windows vary more than those that were calibrated."""
    return model.card.short_lowered if heard.much_speech else 0.0


def scores_of(heard: Listening, model: LoadedVoiceModel, start: float) -> VoiceScores:
    """Return the published scores of all windows; ``start`` is the time of the first sample."""
    lowered = lowered_by(heard, model)
    logits = np.array([model.logit(window.raw) - lowered for window in heard.windows], np.float64)
    times = np.array([window.middle for window in heard.windows], np.float64)
    chances = sigmoid(logits)
    return VoiceScores(
        window=SHORT_WINDOW if heard.much_speech else WINDOW,
        step=STEP,
        enter=model.card.enter,
        leave=model.card.leave,
        time=tuple((times + start).tolist()),
        logit=tuple(logits.tolist()),
        probability=tuple(chances.tolist()),
        smoothed=tuple(smooth(times, chances).tolist()) if len(times) else (),
    )


def smooth(times: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of windows after the sliding median."""
    return sliding_median(times, chances, _MEDIAN)


def segment_runs(
    times: NDArray[np.float64], smoothed: NDArray[np.float64], enter: float, leave: float
) -> list[IndexRange]:
    """Return the windows of each segment, by index, from smoothed probabilities and both thresholds."""
    runs = merge_intervals(times, hysteresis(times, smoothed, enter, leave, _MOST_GAP), _MERGE_GAP)
    return [run for run in runs if run.last - run.first + 1 >= min(_FEWEST_WINDOWS, len(times))]


def find_segments(
    windows: Sequence[Window], scores: VoiceScores, speech: Sequence[float]
) -> list[SpokenSegment]:
    """Return the segments, in order of time; ``speech`` is the share of speech of each cell.

    A window is high where most of its speech is synthetic, so a segment begins half a step before the middle
    of its first window; where speech begins there, with the speech.
    """
    if not windows:
        return []
    times = np.array([window.middle for window in windows])
    smoothed, logits = np.array(scores.smoothed), np.array(scores.logit)
    segments = []
    for run in segment_runs(times, smoothed, scores.enter, scores.leave):
        first, last = (round(times[i] / STEP) for i in (run.first, run.last))
        before = run.first > 0 and times[run.first] - times[run.first - 1] <= STEP
        after = run.last + 1 < len(times) and times[run.last + 1] - times[run.last] <= STEP
        start = times[run.first] - STEP / 2 if before else STEP * (first - 1 if speech[first - 1] else first)
        end = times[run.last] + STEP / 2
        if not after:
            end = STEP * (last + 1 if last < len(speech) and speech[last] else last)
        segments.append(
            SpokenSegment(
                windows=run,
                start=float(start),
                end=float(end),
                logit=float(logits[run.first : run.last + 1].mean()),
                peaks=tuple(find_peaks(times, smoothed, logits, run)),
            )
        )
    return segments


def unjudged_spans(
    heard: Listening, facts: SoundFacts, start: float
) -> tuple[dict[str, float], list[Span], float]:
    """Return the seconds that were not judged by code, the spans of a second and more, and speech judged.

    The seconds of both together are those of the sound.
    """
    count = len(heard.speech)
    judged = np.zeros(count, bool)
    for window in heard.windows:
        judged[round(window.start / STEP) : round(window.end / STEP)] = True
    codes: list[SpanCode | None] = []
    for number in range(count):
        middle = (number + 0.5) * STEP
        if any(begin <= middle < end for begin, end in facts.missing):
            codes.append(SpanCode.SOUND_NOT_DECODED)
        elif heard.speech[number]:
            codes.append(None if judged[number] else SpanCode.TOO_LITTLE_SPEECH)
        else:
            codes.append(SpanCode.SILENCE if heard.silent[number] else SpanCode.NO_SPEECH)
    lengths = np.minimum(STEP, np.maximum(0.0, facts.seconds - STEP * np.arange(count)))
    seconds: dict[str, float] = {}
    speech = 0.0
    for code, length, share in zip(codes, lengths.tolist(), heard.speech, strict=True):
        spoken = min(share * STEP, length) if code is None else 0.0
        speech += spoken
        if length > spoken:
            name = (code or SpanCode.PAUSES).code
            seconds[name] = seconds.get(name, 0.0) + length - spoken
    seconds = {name: round(total, 3) for name, total in seconds.items() if total >= 0.0005}
    spans, first = [], 0
    for number in range(1, count + 1):
        if number < count and codes[number] is codes[first]:
            continue
        code, begin, end = codes[first], first * STEP, min(number * STEP, facts.seconds)
        if code is not None and end - begin >= 1.0 and start + end > 0:
            spans.append(Span(start=max(0.0, start + begin), end=start + end, cause=code.cause()))
        first = number
    return seconds, spans, speech


def properties(heard: Listening, model: LoadedVoiceModel, rate: int) -> tuple[VoiceProperty, ...]:
    """Compare the sound, sampled at ``rate`` hertz, with the ranges in which the network was measured."""
    bandwidth = heard.levels.bandwidth()
    if bandwidth is not None:
        bandwidth = min(bandwidth, rate / 2)  # resampling leaves a little above it
    values = {N_("bandwidth"): bandwidth, N_("signal-to-noise ratio"): heard.levels.noise_ratio()}
    compared = []
    for validated in model.card.validated:
        value = values.get(validated.name)
        inside = None
        if value is not None:
            least, most = validated.least, validated.most
            inside = (least is None or value >= least) and (most is None or value <= most)
        compared.append(
            VoiceProperty(
                name=validated.name,
                value=None if value is None else round(value, 1),
                unit=validated.unit,
                least=validated.least,
                most=validated.most,
                inside=inside,
            )
        )
    return tuple(compared)


@dataclass(frozen=True)
class Decision:
    """The verdict on the voices with its reason and probability."""

    verdict: VoiceVerdict
    cause: Cause
    probability: float | None
    flagged: bool


def decide(
    segments: Sequence[SpokenSegment],
    scores: VoiceScores,
    spoken: float,
    judged: float,
    stability: float | None,
    doubt: float,
) -> Decision:
    """Return the verdict, which never depends on the faces.

    ``spoken`` are the seconds of speech in the recording, ``judged`` those of them that were judged; from the
    probability ``doubt`` over all speech nothing is ruled out.
    """
    seconds = round(judged, 1)
    if spoken < STEP:
        return Decision(VoiceVerdict.NO_SPEECH, VoiceCode.NO_SPEECH.cause(), None, False)
    if not scores.logit:
        cause = VoiceCode.TOO_LITTLE.cause(seconds=LEAST_JUDGED)
        return Decision(VoiceVerdict.INCONCLUSIVE, cause, None, False)
    overall = float(sigmoid(float(np.mean(scores.logit))))
    if segments:
        probability = max(segment.confidence for segment in segments)
        if stability is not None and stability < LEAST_STABILITY:
            return Decision(VoiceVerdict.INCONCLUSIVE, VoiceCode.UNSTABLE.cause(), probability, False)
        cause = VoiceCode.FOUND.cause(segments=len(segments), seconds=seconds)
        return Decision(VoiceVerdict.SYNTHETIC, cause, probability, True)
    if judged < LEAST_JUDGED:
        return Decision(
            VoiceVerdict.INCONCLUSIVE,
            VoiceCode.TOO_LITTLE.cause(seconds=LEAST_JUDGED),
            overall,
            False,
        )
    if overall >= doubt:
        return Decision(VoiceVerdict.INCONCLUSIVE, VoiceCode.DOUBTFUL.cause(), overall, False)
    return Decision(VoiceVerdict.NOT_FOUND, VoiceCode.BELOW_THRESHOLD.cause(seconds=seconds), overall, False)


def windows_to_explain(
    segments: Sequence[SpokenSegment], windows: Sequence[Window], logits: NDArray[np.float64], count: int
) -> list[int]:
    """Return at most ``count`` windows inside ``segments`` that do not overlap, in order of time.

    The strongest window of each segment comes first, then the strongest of the others.
    """
    inside = [range(segment.windows.first, segment.windows.last + 1) for segment in segments]
    best = [max(numbers, key=lambda i: logits[i]) for numbers in inside]
    order = sorted(best, key=lambda i: -logits[i])
    order += sorted((i for numbers in inside for i in numbers), key=lambda i: -logits[i])
    return _apart(order, windows, count, WINDOW)


def choose_explained(
    groups: Sequence[tuple[Sequence[SpokenSegment], Sequence[Window], NDArray[np.float64]]],
    flagged: Sequence[bool],
) -> list[tuple[int, int]]:
    """Return the windows that get a map as group and number, by group and in order of time.

    ``groups`` of channels have segments, windows and their logits; ``flagged``: a finding rests on the
    segments of the group. Those windows come first, then the strongest of each segment.
    """
    ranked = []
    for at, ((segments, windows, logits), of_finding) in enumerate(zip(groups, flagged, strict=True)):
        best = [
            max(range(segment.windows.first, segment.windows.last + 1), key=lambda i: logits[i])
            for segment in segments
        ]
        for number in windows_to_explain(segments, windows, logits, MOST_EXPLAINED):
            ranked.append(((not of_finding, number not in best, -logits[number]), at, number))
    return sorted((at, number) for _, at, number in sorted(ranked)[:MOST_EXPLAINED])


def strongest_windows(
    windows: Sequence[Window], logits: NDArray[np.float64], among: Iterable[int], count: int
) -> list[int]:
    """Return at most ``count`` of the highest-scoring windows ``among`` these, half a window apart."""
    return _apart(sorted(among, key=lambda i: -logits[i]), windows, count, WINDOW / 2)


def _apart(order: Iterable[int], windows: Sequence[Window], count: int, apart: float) -> list[int]:
    """Return the first ``count`` windows of ``order``, those left out that are closer to one before."""
    chosen: list[int] = []
    for i in order:
        if len(chosen) == count:
            break
        if all(abs(windows[i].middle - windows[j].middle) >= apart for j in chosen):
            chosen.append(i)
    return sorted(chosen)
