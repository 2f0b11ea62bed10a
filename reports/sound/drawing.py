"""Drawing of the sound over time: outline of the waveform, scores, and segments, as SVG path data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from detector.schema.analysis import Voice
from detector.schema.voice import ChannelFinding, VoiceSegment
from language.formatting import time_span
from language.translation import gettext
from reports.persons.timeline_scale import LEFT, LETTER, RIGHT, Tick, time_ticks, time_x

_WAVE_TOP, _WAVE_BOTTOM = 16.0, 56.0
_SPECTRUM = 44.0  # height of the spectrogram, if there is one
_GAP = 6.0
_SCORES = 56.0  # from score 0 to score 1
_BUCKETS = 500  # most points of a curve
_LEAST_BAND = 2.5
_Scale = Callable[[float], float]


@dataclass(frozen=True)
class SoundBand:
    """A segment as a tinted box with a label if there is room."""

    segment: str
    name: str
    label: bool
    x: float
    width: float
    flagged: bool
    title: str


@dataclass(frozen=True)
class SpectrumPlace:
    """The rectangle of the spectrogram, on the same scale of time as the waveform."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class SoundDrawing:
    """Geometry of the drawing; ``width`` and ``height`` are those of its view box."""

    width: float
    height: float
    left: float
    right: float
    wave_top: float
    wave_bottom: float
    spectrum: SpectrumPlace | None
    top: float
    bottom: float
    enter: float
    leave: float
    wave: str
    line: str
    dots: str
    bands: tuple[SoundBand, ...]
    gaps: tuple[tuple[float, float], ...]
    ticks: tuple[Tick, ...]
    title: str


def draw_sound(voice: Voice, finding: ChannelFinding, end: float, spectrogram: bool = False) -> SoundDrawing:
    """Lay out the drawing of the channels of one ``finding`` of ``voice``.

    Picture and sound end at ``end`` seconds.
    With ``spectrogram`` there is room for its picture.
    """
    span = max(end, finding.scores.window, 0.001)

    def x(time: float) -> float:
        return round(time_x(max(0.0, time), span), 1)

    spectrum = None
    top = _WAVE_BOTTOM + 20.0
    if spectrogram and finding.spectrogram is not None:
        start = x(finding.spectrogram.start)
        width = round(x(finding.spectrogram.end) - start, 1)
        spectrum = SpectrumPlace(start, _WAVE_BOTTOM + _GAP, width, _SPECTRUM)
        top = _WAVE_BOTTOM + _GAP + _SPECTRUM + 14.0
    bottom = top + _SCORES

    def y(score: float) -> float:
        return round(bottom - _SCORES * score, 1)

    scores = finding.scores
    return SoundDrawing(
        width=RIGHT + 14.0,
        height=bottom + 24.0,
        left=LEFT,
        right=RIGHT,
        wave_top=_WAVE_TOP,
        wave_bottom=_WAVE_BOTTOM,
        spectrum=spectrum,
        top=top,
        bottom=bottom,
        enter=y(scores.enter),
        leave=y(scores.leave),
        wave=_wave(finding, x),
        line="".join(_line(finding, x, y)),
        dots="".join(
            f"M{x(time)} {y(score)}h0"
            for time, score in _thinned(tuple(zip(scores.time, scores.probability, strict=True)))
        ),
        bands=tuple(_bands(voice.segments_of(finding), x)),
        gaps=tuple((x(gap.start), round(x(gap.end) - x(gap.start), 1)) for gap in finding.gaps),
        ticks=time_ticks(span),
        title=gettext(
            "The sound over time: waveform, spectrogram (low frequencies at the bottom), and the score of "
            "each judged window, 0 to 1"
        )
        if spectrum
        else gettext(
            "The sound over time: above its waveform, below the score of each judged window, 0 to 1"
        ),
    )


def _bands(segments: Iterable[VoiceSegment], x: _Scale) -> Iterator[SoundBand]:
    free = 0.0
    for segment in segments:
        start, name = x(segment.start), gettext("Voice %(number)s", number=segment.id.partition("-")[2])
        label = start >= free
        if label:
            free = start + len(name) * LETTER
        width = max(_LEAST_BAND, round(x(segment.end) - start, 1))
        when = time_span(max(0.0, segment.start), max(0.0, segment.end))
        yield SoundBand(segment.id, name, label, start, width, segment.flagged, when)


def _thinned(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Keep the highest score of each of at most ``_BUCKETS`` stretches."""
    size = -(-len(points) // _BUCKETS)
    if size <= 1:
        return points
    return tuple(
        max(points[at : at + size], key=lambda point: point[1]) for at in range(0, len(points), size)
    )


def _line(finding: ChannelFinding, x: _Scale, y: _Scale) -> Iterator[str]:
    """Yield the smoothed curve, broken where windows are missing."""
    scores = finding.scores
    points = _thinned(tuple(zip(scores.time, scores.smoothed, strict=True)))
    step = max(scores.step * 1.5, 1.5 * (points[-1][0] - points[0][0]) / len(points)) if points else 0.0
    last = None
    for time, score in points:
        yield f"{'M' if last is None or time - last > step else 'L'}{x(time)} {y(score)}"
        last = time


def _wave(finding: ChannelFinding, x: _Scale) -> str:
    """Return the outline of the waveform as one closed path; "" if it was not kept."""
    wave = finding.waveform
    if wave is None or not wave.low:
        return ""
    size = -(-len(wave.low) // _BUCKETS)
    full = max(1, *(abs(value) for value in (*wave.low, *wave.high)))
    middle, half = (_WAVE_TOP + _WAVE_BOTTOM) / 2, (_WAVE_BOTTOM - _WAVE_TOP) / 2
    upper, lower = [], []
    for at in range(0, len(wave.low), size):
        place = x(wave.start + wave.step * at)
        upper.append(f"{place} {middle - half * max(wave.high[at : at + size]) / full:.1f}")
        lower.append(f"{place} {middle - half * min(wave.low[at : at + size]) / full:.1f}")
    return f"M{'L'.join((*upper, *reversed(lower)))}Z"
