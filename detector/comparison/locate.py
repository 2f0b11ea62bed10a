"""Locate the part of the reference that the exhibit shows, and read it frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.comparison.affine_view import SAME_PICTURE, SURE_VIEW, AffineView, find_shown, guess_view
from detector.comparison.similarity import NOWHERE
from detector.comparison.strips import Floats, Strip, expected_length, read_key_frames, read_spans, read_strip
from detector.comparison.time_map import MappedStretch, TimeMap, coarse_path, map_times
from detector.media.reader import MediaReader
from detector.progress import ReportShare
from detector.schema.analysis import MediaKind

PtsRange = tuple[int, int]  # from one PTS to another

_AROUND = 1.0  # seconds around the shown part in which every frame of the reference is read
_MOST_READ = 20_000  # maximum frames of a long reference that are read completely
# Frames of a reference, and multiple of the exhibit's, from which key frames are read first.
_LONG, _LONGER = 1500, 2.5
_MOST_SHARE = 0.6  # maximum share of the reference that key frames may leave to read
_SPEED = 0.08  # speed of the exhibit that reading around key frames allows for
_WHOLE = 0.97  # minimum share of the exhibit's frames found in the part that is read


@dataclass(frozen=True, eq=False)
class Located:
    """``strip`` is the reference's, with every frame around the shown part; empty ``times`` if nothing is
    shown.
    """

    strip: Strip
    view: AffineView | None
    times: TimeMap | None


def locate(exhibit: Strip, reference: MediaReader, report: ReportShare) -> Located:
    """Find the part of ``reference``, not read before, that ``exhibit`` shows.

    ``report`` receives the share of the reference that was read. The strip is empty if no frame could be
    decoded.
    """
    if reference.kind is MediaKind.VIDEO:
        _, count = expected_length(reference)
        if reference.can_skip and count > max(_LONG, _LONGER * len(exhibit)):
            located = _by_key_frames(exhibit, reference)
            if located is not None:
                report(1.0)
                return located
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
    """Locate around key frames that the exhibit shows; None if that is uncertain."""
    keys = read_key_frames(reference)
    if len(keys) < 2 or reference.tally.packets.without_time:
        return None
    shown = find_shown(exhibit, keys)
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
    """Return the spans from the key frame before each shown one to the one after it."""
    per_second = (keys.pts[-1] - keys.pts[0]) / (keys.times[-1] - keys.times[0])
    spans = []
    for place in np.flatnonzero(shown).tolist():
        at = keys.times[place]
        before = (1 + _SPEED) * moments[place] + _AROUND
        after = (1 + _SPEED) * (exhibit.times[-1] - moments[place]) + _AROUND
        # Seeking needs exact times, which are known for key frames only.
        early = max(0, place - 1, int(np.searchsorted(keys.times, at - before, side="right")) - 1)
        late = int(keys.pts[place + 1]) if place + 1 < len(keys) else end
        spans.append((int(keys.pts[early]), min(late, int(keys.pts[place] + after * per_second))))
    return _joined(spans)


def _every_frame(reference: MediaReader, known: Strip, coarse: Iterable[MappedStretch]) -> Strip:
    """Return ``known``, or a strip with every frame along ``coarse`` if some were not decoded."""
    rate = float(reference.frame_rate or 25)
    if known.interval <= 1.5 / rate:
        return known
    spans = []
    for stretch in coarse:
        first = int(np.searchsorted(known.times, stretch.reference_start - _AROUND).clip(0, len(known) - 1))
        last = int(np.searchsorted(known.times, stretch.reference_end + _AROUND).clip(0, len(known) - 1))
        spans.append((int(known.pts[first]), int(known.pts[last])))
    joined = _joined(spans)
    seconds = sum(last - first for first, last in joined) * float(reference.time_base)
    return read_spans(reference, joined, known.size) if seconds * rate <= _MOST_READ else known


def _joined(spans: Iterable[PtsRange]) -> list[PtsRange]:
    """Sort ``spans`` and join those that touch."""
    out: list[PtsRange] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
