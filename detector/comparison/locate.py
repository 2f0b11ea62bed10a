"""Locate the part of the reference that the exhibit shows, and read it frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.comparison.affine_view import SAME_PICTURE, SURE_VIEW, AffineView, guess_view, shown_of
from detector.comparison.similarity import NOWHERE
from detector.comparison.strips import Floats, Strip, expected_length, read_key_frames, read_spans, read_strip
from detector.comparison.time_map import MappedStretch, TimeMap, coarse_path, map_times
from detector.media.reader import MediaReader
from detector.progress import ReportShare
from detector.schema.analysis import MediaKind

PtsRange = tuple[int, int]  # from a PTS to another

_AROUND = 1.0  # seconds before and after what the exhibit shows in which each frame of the reference is read
_MOST_READ = 20_000  # frames of a long reference that are read one by one
# Frames of a reference, and times the exhibit's, from which on key frames come first.
_LONG, _LONGER = 1500, 2.5
_MOST_SHARE = 0.6  # of it that key frames may leave to be read
_SPEED = 0.08  # by which an exhibit may run faster than what is read around key frames allows for
_WHOLE = 0.97  # of the exhibit's frames that have to be found in what they leave


@dataclass(frozen=True, eq=False)
class Located:
    """``strip`` is the reference's, every frame around what is shown; without ``times`` nothing is."""

    strip: Strip
    view: AffineView | None
    times: TimeMap | None


def locate(exhibit: Strip, reference: MediaReader, report: ReportShare) -> Located:
    """Find what ``exhibit`` shows of ``reference``, which has not been read yet.

    ``report`` is called with the share of the reference that was read. Its strip is empty where not one
    frame could be decoded.
    """
    if reference.kind is MediaKind.VIDEO:
        _, count = expected_length(reference)
        if reference.can_skip and count > max(_LONG, _LONGER * len(exhibit)):
            found = _by_key_frames(exhibit, reference)
            if found is not None:
                report(1.0)
                return found
            reference.rewind()
    known = read_strip(reference, report)
    if not len(known):
        return Located(known, None, None)
    guess = guess_view(exhibit, known)
    coarse = coarse_path(exhibit, known, guess.view) if guess and guess.similarity >= SAME_PICTURE else []
    if guess is None or not coarse:
        return Located(known, None, None)
    known = _every_frame(reference, known, coarse)
    return Located(known, guess.view, map_times(exhibit, known, guess.view, coarse))


def _by_key_frames(exhibit: Strip, reference: MediaReader) -> Located | None:
    """What is found around key frames that the exhibit shows; None where that is in doubt."""
    keys = read_key_frames(reference)
    if len(keys) < 2 or reference.tally.packets.without_time:
        return None
    shown = shown_of(exhibit, keys)
    if shown is None:
        return None
    spans = _between_keys(exhibit, keys, *shown, end=reference.tally.end_pts or 0)
    total = float(reference.tally.end_pts or 0) - float(keys.pts[0])
    length = sum(last - first for first, last in spans)
    frames = length * float(reference.time_base) * float(reference.frame_rate or 25)
    if length > _MOST_SHARE * total or frames > _MOST_READ:
        return None
    known = read_spans(reference, spans, keys.size)
    guess = guess_view(exhibit, known) if len(known) else None
    if guess is None or guess.similarity < SURE_VIEW:
        return None
    times = map_times(exhibit, known, guess.view, coarse_path(exhibit, known, guess.view))
    if float((times.places != NOWHERE).mean()) < _WHOLE:
        return None
    return Located(known, guess.view, times)


def _between_keys(
    exhibit: Strip, keys: Strip, shown: NDArray[np.bool_], moments: Floats, end: int
) -> list[PtsRange]:
    """From the key frame before each that is shown to the one after it, where the exhibit reaches so far."""
    per_second = (keys.pts[-1] - keys.pts[0]) / (keys.times[-1] - keys.times[0])
    spans = []
    for place in np.flatnonzero(shown).tolist():
        at = keys.times[place]
        before = (1 + _SPEED) * moments[place] + _AROUND
        after = (1 + _SPEED) * (exhibit.times[-1] - moments[place]) + _AROUND
        # Frames are sought by their exact time, which is known of key frames only.
        early = max(0, place - 1, int(np.searchsorted(keys.times, at - before, side="right")) - 1)
        late = int(keys.pts[place + 1]) if place + 1 < len(keys) else end
        spans.append((int(keys.pts[early]), min(late, int(keys.pts[place] + after * per_second))))
    return _joined(spans)


def _every_frame(reference: MediaReader, known: Strip, coarse: Iterable[MappedStretch]) -> Strip:
    """``known``, or every frame of what ``coarse`` passes through where some of them were not decoded."""
    rate = float(reference.frame_rate or 25)
    if known.interval <= 1.5 / rate:
        return known
    spans = []
    for one in coarse:
        first = int(np.searchsorted(known.times, one.reference_start - _AROUND).clip(0, len(known) - 1))
        last = int(np.searchsorted(known.times, one.reference_end + _AROUND).clip(0, len(known) - 1))
        spans.append((int(known.pts[first]), int(known.pts[last])))
    joined = _joined(spans)
    seconds = sum(last - first for first, last in joined) * float(reference.time_base)
    return read_spans(reference, joined, known.size) if seconds * rate <= _MOST_READ else known


def _joined(spans: Iterable[PtsRange]) -> list[PtsRange]:
    """``spans`` in order, those that touch made one."""
    out: list[PtsRange] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
