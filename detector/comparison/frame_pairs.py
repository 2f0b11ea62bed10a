"""Frames of both files that show the same moment, decoded again at full size."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from detector.comparison.alignment.best_path import NOWHERE
from detector.comparison.alignment.time_map import TimeMap
from detector.comparison.strips import Strip
from detector.media.frame import Frame
from detector.media.reader import MediaReader
from detector.segments.sampling_intervals import interval_index, is_held

Wanted = tuple[int, int]  # PTS in the exhibit and in the reference


def sampled(exhibit: Strip, reference: Strip, times: TimeMap, rate: float) -> list[Wanted]:
    """Of each 1/``rate`` seconds of the exhibit the first matched frame, with the reference's.

    A frame that is shown for longer is another one, wherever it lies in its interval.
    """
    out: list[Wanted] = []
    last = -1
    numbers = interval_index(exhibit.times, rate)
    held = is_held(exhibit.times, rate)
    for place, known in enumerate(times.places):
        if known != NOWHERE and (numbers[place] > last or held[place]):
            last = int(numbers[place])
            out.append((int(exhibit.pts[place]), int(reference.pts[known])))
    return out


def frame_pairs(
    exhibit: MediaReader, reference: MediaReader, wanted: Sequence[Wanted]
) -> Generator[tuple[Frame, Frame]]:
    """The frames of both, in the order of the exhibit; what cannot be decoded again is left out."""
    seen = _in_order(exhibit, [pts for pts, _ in wanted])
    known = _in_order(reference, [pts for _, pts in wanted])
    here: tuple[int, Frame | None] | None = None
    there: tuple[int, Frame | None] | None = None
    for pts, reference_pts in wanted:
        if here is None or here[0] != pts:
            here = next(seen)
        if there is None or there[0] != reference_pts:
            there = next(known)
        if here[1] is not None and there[1] is not None:
            yield here[1], there[1]


def _in_order(reader: MediaReader, wanted: Sequence[int]) -> Iterator[tuple[int, Frame | None]]:
    """Each PTS of ``wanted`` with its frame, neighbours that are equal once; None for one that is lost."""
    for run in _rising(wanted):
        frames = reader.at(set(run))
        frame = next(frames, None)
        for pts in run:
            while frame is not None and frame.pts < pts:
                frame = next(frames, None)
            yield pts, frame if frame is not None and frame.pts == pts else None


def _rising(wanted: Sequence[int]) -> Iterator[list[int]]:
    """``wanted`` in stretches that only rise: backwards means seeking."""
    run: list[int] = []
    for pts in wanted:
        if run and pts < run[-1]:
            yield run
            run = []
        if not run or pts > run[-1]:
            run.append(pts)
    if run:
        yield run
