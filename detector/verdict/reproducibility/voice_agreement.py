"""Compare what two analyses of one exhibit say of its voices."""

from __future__ import annotations

from collections.abc import Iterator

from detector.schema.analysis import Analysis
from detector.schema.formatting import timecode
from detector.verdict.reproducibility.segment_agreement import Tolerance


def voice_problems(recorded: Analysis, again: Analysis, tolerance: Tolerance) -> Iterator[str]:
    """Yield what differs between the findings on the voices, beyond the ``tolerance`` between machines.

    An edge of a segment may move by one window.
    """
    old, new = recorded.voice, again.voice
    if old is None or new is None:
        if (old is None) != (new is None):
            yield "voices were examined in one of both only"
        return
    if old.model.sha256 != new.model.sha256:
        yield "voices were judged by another network"
    if old.verdict is not new.verdict:
        yield f"the verdict on the voices is {new.verdict}, where {old.verdict} is recorded"
    if (old.probability is None) != (new.probability is None):
        yield "a probability of synthetic speech stands in one of both only"
    elif old.probability is not None and new.probability is not None:
        difference = abs(old.probability - new.probability)
        if difference > tolerance.probability:
            yield f"the probability of synthetic speech differs by {difference:.3f}"
    if [segment.id for segment in old.segments] != [segment.id for segment in new.segments]:
        yield f"the voice has {len(new.segments)} segments, where {len(old.segments)} are recorded"
        return
    step = old.scores.step + 1e-6
    for first, second in zip(old.segments, new.segments, strict=True):
        if max(abs(first.start - second.start), abs(first.end - second.end)) > step:
            yield (
                f"segment {first.id} is {timecode(max(0.0, second.start))} to "
                f"{timecode(max(0.0, second.end))}, where {timecode(max(0.0, first.start))} to "
                f"{timecode(max(0.0, first.end))} is recorded"
            )
        if abs(first.confidence - second.confidence) > tolerance.probability:
            yield f"the confidence of {first.id} differs by {abs(first.confidence - second.confidence):.3f}"
