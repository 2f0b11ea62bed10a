"""Compare what two analyses of one exhibit say of its voices."""

from __future__ import annotations

from collections.abc import Iterator

from detector.schema.analysis import Analysis
from detector.schema.formatting import count_noun, timecode
from detector.schema.voice import ChannelFinding, Voice, VoiceCheck, VoicePeak, VoiceSegment
from detector.verdict.reproducibility.field_agreement import differences
from detector.verdict.reproducibility.field_rules import FIELDS
from detector.verdict.reproducibility.grounds import is_covered_by, shortened
from detector.verdict.reproducibility.segment_agreement import (
    HEAT,
    Tolerance,
    same_engine_version,
    same_logit,
)


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
    if old.channels != new.channels or len(old.findings) != len(new.findings):
        yield f"the verdict is that of {_of(new)}, where that of {_of(old)} is recorded"
    same_engine = same_engine_version(recorded.software, again.software)
    for before, after in zip(old.findings, new.findings, strict=False):
        yield from _of_channels(before, after, tolerance)
        if same_engine:
            yield from _of_reason(before, after)
            yield from _of_gaps(before, after)
    if same_engine:
        yield from shortened(list(differences(old, new, FIELDS, "of the voices,")))
    if [segment.id for segment in old.segments] != [segment.id for segment in new.segments]:
        segments = count_noun(len(new.segments), "segment")
        yield f"the voice has {segments}, where {len(old.segments)} are recorded"
        return
    step = old.scores.step + 1e-6
    for first, second in zip(old.segments, new.segments, strict=True):
        if max(abs(first.start - second.start), abs(first.end - second.end)) > step:
            yield (
                f"segment {first.id} is {timecode(max(0.0, second.start))} to "
                f"{timecode(max(0.0, second.end))}, where {timecode(max(0.0, first.start))} to "
                f"{timecode(max(0.0, first.end))} is recorded"
            )
        if first.channels != second.channels:
            yield f"{first.id} is of other channels than recorded"
        if abs(first.confidence - second.confidence) > tolerance.probability:
            yield f"the confidence of {first.id} differs by {abs(first.confidence - second.confidence):.3f}"
        yield from _of_peaks(first, second, tolerance)


def _of(voice: Voice) -> str:
    if not voice.channels:
        return "all channels together"
    return f"channel {', '.join(map(str, voice.channels))} of {len(voice.findings)} that differ"


def _of_channels(old: ChannelFinding, new: ChannelFinding, tolerance: Tolerance) -> Iterator[str]:
    """Compare verdict and probability of channels that were judged together."""
    where = f" of channel {', '.join(map(str, old.channels))}" if old.channels else ""
    if old.channels != new.channels:
        yield f"the finding{where} is of other channels than recorded"
        return
    if old.verdict is not new.verdict:
        yield f"the verdict on the voices{where} is {new.verdict}, where {old.verdict} is recorded"
    if (old.probability is None) != (new.probability is None):
        yield f"a probability of synthetic speech{where} stands in one of both only"
    elif old.probability is not None and new.probability is not None:
        difference = abs(old.probability - new.probability)
        if difference > tolerance.probability:
            yield f"the probability of synthetic speech{where} differs by {difference:.3f}"


def _of_reason(old: ChannelFinding, new: ChannelFinding) -> Iterator[str]:
    """Compare what the reason says; its seconds follow from fields that are compared."""
    codes = [[cause.code for cause in finding.causes] for finding in (old, new)]
    if codes[0] != codes[1] or (not codes[0] and old.reason != new.reason):
        yield f"the reason of the verdict on the voices is “{new.reason}”, where “{old.reason}” is recorded"


def _of_gaps(old: ChannelFinding, new: ChannelFinding) -> Iterator[str]:
    """Compare intervals that were not judged, whose edges may move by a window."""
    room = old.scores.step
    for first, second, word in ((old, new, "not recorded"), (new, old, "not found")):
        for gap in second.gaps:
            if gap.end - gap.start > 2 * room and not is_covered_by(gap, first.gaps, room):
                yield (
                    f"that the sound from {timecode(gap.start)} to {timecode(gap.end)} was not judged "
                    f"({gap.reason}) is {word}"
                )


def _of_peaks(old: VoiceSegment, new: VoiceSegment, tolerance: Tolerance) -> Iterator[str]:
    """Compare heatmaps and checks; of windows that score alike another machine may choose another one."""
    if len(old.peaks) != len(new.peaks):
        yield f"{old.id} has {len(new.peaks)} peaks, where {len(old.peaks)} are recorded"
    repeated = {peak.time: peak for peak in new.peaks}
    for number, peak in enumerate(old.peaks, start=1):
        if (match := repeated.get(peak.time)) is not None:
            yield from _of_peak(f"peak {number} of {old.id}", peak, match, tolerance)


def _of_peak(name: str, old: VoicePeak, new: VoicePeak, tolerance: Tolerance) -> Iterator[str]:
    for measure, a, b, allowed in (
        ("probability", old.probability, new.probability, tolerance.probability),
        ("heat", old.heat, new.heat, HEAT),
    ):
        if abs(a - b) > allowed:
            yield f"{name}: {measure} is {b:.3g}, where {a:.3g} is recorded"
    if old.check and new.check:
        yield from _of_check(name, old.check, new.check)
    elif old.check or new.check:
        yield f"{name}: it has {'a' if new.check else 'no'} check, unlike the recorded window"


def _of_check(name: str, old: VoiceCheck, new: VoiceCheck) -> Iterator[str]:
    for measure, a, b in (
        ("drop without the hottest area", old.drop_highlight, new.drop_highlight),
        ("drop without random areas", old.drop_random, new.drop_random),
    ):
        if not same_logit(a, b):
            yield f"{name}: {measure} is {b:.3g}, where {a:.3g} is recorded"
