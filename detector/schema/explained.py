"""What a finding states before it is explained, and how an explanation made later is joined to it."""

from __future__ import annotations

from typing import TypeVar

from detector.schema.analysis import Analysis, CalmFrame, Peak, Person, Segment, StripFace
from detector.schema.scores import Score
from detector.schema.voice import Voice

_Frame = TypeVar("_Frame", Peak, CalmFrame, StripFace)


def without_explanation(analysis: Analysis) -> Analysis:
    """Return the analysis without peaks, heatmaps and film strips."""
    if not analysis.has_segments:
        return analysis
    voice = analysis.voice
    updates: dict[str, object] = {
        "segments": _bare(analysis.segments),
        "others": tuple(
            other.model_copy(update={"segments": _bare(other.segments)}) for other in analysis.others
        ),
        "explained": False,
    }
    if voice is not None:
        silent = tuple(segment.model_copy(update={"peaks": ()}) for segment in voice.segments)
        updates["voice"] = voice.model_copy(update={"segments": silent})
    return analysis.model_copy(update=updates)


def states_the_same(finding: Analysis, complete: Analysis) -> bool:
    """Return whether two results differ in their explanation at most."""
    return without_explanation(finding) == without_explanation(complete)


def explained_as(finding: Analysis, again: Analysis) -> Analysis:
    """Return a published finding with the explanation of ``again``, a repetition of the same analysis.

    Figures of frames are those of the finding: another machine rounds otherwise. The finding is returned as
    it is if the repetition has other segments, or explains frames that the finding has no scores of.
    """
    try:
        updates: dict[str, object] = {
            "segments": _joined(finding.segments, again.segments, finding.persons),
            "others": tuple(
                other.model_copy(update={"segments": _joined(other.segments, new.segments, other.persons)})
                for other, new in zip(finding.others, again.others, strict=True)
            ),
            "voice": _joined_voice(finding.voice, again.voice),
            "explained": again.explained,
        }
    except (LookupError, ValueError):
        return finding
    return finding.model_copy(update=updates)


def _bare(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    return tuple(segment.model_copy(update={"peaks": (), "calm": None, "strip": ()}) for segment in segments)


def _joined(
    segments: tuple[Segment, ...], explained: tuple[Segment, ...], persons: tuple[Person, ...]
) -> tuple[Segment, ...]:
    scores = {person.id: {score.pts: score for score in person.scores} for person in persons}
    joined = []
    for segment, new in zip(segments, explained, strict=True):
        if _place(segment) != _place(new):
            raise ValueError(segment.id)
        own = scores[segment.person]
        updates = {
            "peaks": tuple(_with_figures(peak, own) for peak in new.peaks),
            "calm": None if new.calm is None else _with_figures(new.calm, own),
            "strip": tuple(_with_figures(face, own) for face in new.strip),
        }
        joined.append(segment.model_copy(update=updates))
    return tuple(joined)


def _place(segment: Segment) -> tuple[object, ...]:
    return segment.id, segment.person, segment.start, segment.end, segment.frames


def _with_figures(frame: _Frame, scores: dict[int, Score]) -> _Frame:
    score = scores[frame.pts]
    figures: dict[str, object] = {"time": score.time, "probability": score.probability}
    if not isinstance(frame, StripFace):
        figures["box"] = score.box
    return frame.model_copy(update=figures)


def _joined_voice(voice: Voice | None, again: Voice | None) -> Voice | None:
    if voice is None or again is None:
        return voice
    segments = []
    for segment, new in zip(voice.segments, again.segments, strict=True):
        if (segment.id, segment.start, segment.windows) != (new.id, new.start, new.windows):
            raise ValueError(segment.id)
        segments.append(segment.model_copy(update={"peaks": new.peaks}))
    return voice.model_copy(update={"segments": tuple(segments)})
