"""The sound of an analysis as data of the review desk: waveform, scores and segments of the voice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.schema.analysis import Voice
from detector.schema.voice import ChannelFinding, VoiceVerdict
from language.translation import reason_text, translated

if TYPE_CHECKING:  # the section's pictures need OpenCV, which the web process does not load
    from reports.sound.sound_section import SoundLaneView, SoundView

_MOST = 6000  # points of the waveform, and scores, that a browser draws at once
_REACH = 1.6  # steps of the windows over which the line continues


def sound_document(voice: Voice, view: SoundView, pictures: str) -> dict[str, Any]:
    """Return the voices of an analysis as JSON; ``pictures`` precedes the paths of pictures.

    ``lanes`` has one entry, or one for each channel with speech that was judged for itself; segments name
    theirs by number.
    """
    findings = [
        finding
        for finding in voice.findings
        if finding is voice or finding.verdict is not VoiceVerdict.NO_SPEECH
    ]
    lanes = {finding.channels: number for number, finding in enumerate(findings)}
    views = view.lanes or (None,)
    return {
        "verdict": translated(voice.verdict.value),
        "words": view.reason or view.sentence,
        "start": None if voice.stream is None else round(voice.stream.start, 3),
        "end": None if voice.stream is None else round(voice.stream.start + voice.stream.duration, 3),
        "lanes": [_lane(finding, shown, pictures) for finding, shown in zip(findings, views, strict=True)],
        "segments": [
            {
                "id": segment.id,
                "name": shown.name,
                "lane": lanes[segment.channels],
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


def _lane(finding: ChannelFinding, view: SoundLaneView | None, pictures: str) -> dict[str, Any]:
    """Return scores and outline of the channels of ``finding``.

    Of many scores and of a long waveform, stretches are joined: the highest score and the outline stay.
    """
    scores, spectrogram = finding.scores, finding.spectrogram
    size = -(-len(scores.time) // _MOST) or 1
    highest = [
        max(range(at, min(at + size, len(scores.time))), key=scores.smoothed.__getitem__)
        for at in range(0, len(scores.time), size)
    ]
    picture = view.spectrogram if view else None
    return {
        "name": view.name if view else "",
        "enter": scores.enter,
        "leave": scores.leave,
        "windows": size,  # that each score stands for
        "step": scores.step * size,
        "reach": round(_REACH * scores.step * size, 3),
        "scores": {
            "time": [round(scores.time[at], 3) for at in highest],
            "score": [round(scores.probability[at], 4) for at in highest],
            "smooth": [round(scores.smoothed[at], 4) for at in highest],
        },
        "waveform": _waveform(finding),
        "spectrogram": None
        if spectrogram is None or picture is None or picture.path is None
        else {
            "picture": pictures + picture.path,
            "start": spectrogram.start,
            "end": spectrogram.end,
        },
        "gaps": [
            {"start": round(gap.start, 3), "end": round(gap.end, 3), "reason": reason_text(gap)}
            for gap in finding.gaps
        ],
    }


def _waveform(finding: ChannelFinding) -> dict[str, Any] | None:
    wave = finding.waveform
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
