"""The sound of an analysis as data of the review desk: waveform, scores and segments of the voice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.schema.analysis import Voice
from reports.language.translation import reason_text, translated

if TYPE_CHECKING:  # the section's pictures need OpenCV, which the web process does not load
    from reports.sound.sound_section import SoundView

_MOST = 6000  # points of the waveform, and scores, that a browser draws at once
_REACH = 1.6  # steps of the windows over which the line continues


def sound_document(voice: Voice, view: SoundView, pictures: str) -> dict[str, Any]:
    """Return the voices of an analysis as JSON; ``pictures`` precedes the paths of pictures.

    Of many scores and of a long waveform, stretches are joined: the highest score and the outline stay.
    """
    scores = voice.scores
    size = -(-len(scores.time) // _MOST) or 1
    highest = [
        max(range(at, min(at + size, len(scores.time))), key=scores.smoothed.__getitem__)
        for at in range(0, len(scores.time), size)
    ]
    return {
        "verdict": translated(voice.verdict.value),
        "words": view.reason or view.sentence,
        "start": None if voice.stream is None else round(voice.stream.start, 3),
        "end": None if voice.stream is None else round(voice.stream.start + voice.stream.duration, 3),
        "enter": scores.enter,
        "leave": scores.leave,
        "reach": round(_REACH * scores.step * size, 3),
        "scores": {
            "time": [round(scores.time[at], 3) for at in highest],
            "score": [round(scores.probability[at], 4) for at in highest],
            "smooth": [round(scores.smoothed[at], 4) for at in highest],
        },
        "waveform": _waveform(voice),
        "spectrogram": None
        if voice.spectrogram is None or view.spectrogram is None or view.spectrogram.path is None
        else {
            "picture": pictures + view.spectrogram.path,
            "start": voice.spectrogram.start,
            "end": voice.spectrogram.end,
        },
        "gaps": [
            {"start": round(gap.start, 3), "end": round(gap.end, 3), "reason": reason_text(gap)}
            for gap in voice.gaps
        ],
        "segments": [
            {
                "id": segment.id,
                "name": shown.name,
                "start": round(shown.start_seconds, 3),
                "end": round(shown.end_seconds, 3),
                "from": shown.start,
                "to": shown.end,
                "flagged": segment.flagged,
                "confidence_words": shown.confidence,
            }
            for segment, shown in zip(voice.segments, view.segments, strict=True)
        ],
    }


def _waveform(voice: Voice) -> dict[str, Any] | None:
    wave = voice.waveform
    if wave is None or not wave.low:
        return None
    size = -(-len(wave.low) // _MOST)
    starts = range(0, len(wave.low), size)
    return {
        "start": wave.start,
        "step": wave.step * size,
        "low": [min(wave.low[at : at + size]) for at in starts],
        "high": [max(wave.high[at : at + size]) for at in starts],
    }
