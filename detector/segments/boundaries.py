"""Score every frame around the ends of candidate segments, to make the ends exact to a frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer, Detections
from detector.faces.quality import assess_face
from detector.faces.search.matching import faces_between
from detector.faces.search.places import PlaceSearch
from detector.media.frame import Frame, Image
from detector.media.prefetch import prefetch
from detector.media.reader import MediaReader
from detector.progress import ReportShare
from detector.schema.analysis import Parameters
from detector.scoring.first_pass import BATCH, FirstPassResult
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import fill_in_fused
from detector.segments import candidates

_HELD = 192 * 1024 * 1024  # maximum bytes of frames held between two sampled ones
_APART = 1.5  # maximum seconds between neighbouring sampled frames
_EYES = 0.45  # approximate distance of the eyes, as a share of the face's width


_ByTrack = dict[int, list[tuple[float, float]]]  # start and end of intervals, in seconds
_Pair = tuple[int, int]  # PTS of the frames of two neighbouring detections


class _Gap(NamedTuple):
    """Two neighbouring detections of one track between which frames are to be judged."""

    before: int
    after: int


def refine_boundaries(
    first_pass: FirstPassResult,
    reader: MediaReader,
    scorer: Scorer,
    parameters: Parameters,
    progress: ReportShare,
) -> Detections:
    """Add detections in all frames near the ends of the candidates of ``first_pass``.

    ``reader`` has been read to the end; ``progress`` receives the share done. Sequence networks judge a frame
    by the sampled frames around it, so nothing is added for them.
    """
    detections = first_pass.detections
    if not parameters.edge_window or scorer.is_sequence:
        return detections
    by_track = {
        track: intervals
        for track, intervals in _intervals(detections, scorer, parameters).items()
        if intervals
    }
    reach = parameters.edge_window + 1 / parameters.sample_rate
    gaps: dict[_Pair, list[_Gap]] = defaultdict(list)
    for gap in _gaps(detections, first_pass.times, by_track, reach):
        first, last = detections.rows["pts"][[gap.before, gap.after]].tolist()
        if not reader.tally.damage.is_spoilt_between(first, last):
            gaps[first, last].append(gap)
    if not gaps:
        return detections
    scoring = _GapScorer(detections, scorer, parameters)
    _judge_between(gaps, reader, scoring, progress)
    refined = scoring.post_process()
    while True:  # dropping frames may shrink another interval
        holding = refined.only(np.isin(refined.rows["track"], list(by_track)))
        unsupported = _unsupported(refined, by_track, _intervals(holding, scorer, parameters), reach)
        if not unsupported.any():
            return refined
        refined = refined.only(~unsupported)


def _judge_between(
    gaps: Mapping[_Pair, Sequence[_Gap]], reader: MediaReader, scoring: _GapScorer, progress: ReportShare
) -> None:
    """Read the frames of all ``gaps`` once, in order, and judge the face in each."""
    pairs = sorted(gaps)
    with prefetch(reader.spans(_joined(pairs)), 1) as frames:
        for pair, images in _by_pair(frames, pairs):
            progress((pair[0] - pairs[0][0]) / (pairs[-1][1] - pairs[0][0]))
            for gap in gaps[pair]:
                scoring.process_gap(gap, images)
            del images  # release them before the next are gathered


def _intervals(detections: Detections, scorer: Scorer, parameters: Parameters) -> _ByTrack:
    """Return start and end of the candidates of each track, in seconds."""
    smoothed = candidates.smooth(detections, scorer, parameters)[detections.rows["usable"]]
    usable = detections.only(detections.rows["usable"])
    times = usable.rows["time"].tolist()
    return defaultdict(
        list,
        {
            track: [(times[interval.first], times[interval.last]) for interval in intervals]
            for track, intervals in candidates.track_intervals(usable, smoothed, parameters).items()
        },
    )


def _gaps(
    detections: Detections, times: Sequence[float], intervals_by_track: _ByTrack, reach: float
) -> Iterator[_Gap]:
    """Find usable neighbouring sampled detections near an end, between which frames are to be judged."""
    rows = detections.rows
    number = np.searchsorted(np.asarray(times), rows["time"])
    by_track = detections.by_track()
    for track, intervals in intervals_by_track.items():
        places = by_track[track][rows["usable"][by_track[track]]]
        before, after = places[:-1], places[1:]
        start, end = rows["time"][before], rows["time"][after]
        near = np.zeros(len(before), np.bool_)
        for side in np.ravel(intervals):
            near |= (start < side + reach) & (end > side - reach)
        near &= (number[after] - number[before] == 1) & (end - start <= _APART)
        near &= rows["index"][after] - rows["index"][before] > 1
        yield from map(_Gap, before[near].tolist(), after[near].tolist())


def _unsupported(refined: Detections, before: _ByTrack, after: _ByTrack, reach: float) -> NDArray[np.bool_]:
    """Return intervals to remove: those that vanished, and those that were not there before."""
    rows = refined.rows
    unsupported = np.zeros(len(rows), np.bool_)
    for track, intervals in before.items():
        added = np.flatnonzero(rows["between"] & (rows["track"] == track))
        times = rows["time"][added]
        for start, end in _without(intervals, after[track]) + _without(after[track], intervals):
            unsupported[added[(times >= start - reach - _APART) & (times <= end + reach + _APART)]] = True
    return unsupported


def _without(
    intervals: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the intervals that overlap none of the others."""
    return [
        (start, end)
        for start, end in intervals
        if not any(first <= end and last >= start for first, last in others)
    ]


def _joined(pairs: Sequence[_Pair]) -> list[_Pair]:
    """Sort pairs and join those that share an end."""
    out: list[_Pair] = []
    for first, last in pairs:
        if out and out[-1][1] == first:
            first = out.pop()[0]
        out.append((first, last))
    return out


def _by_pair(frames: Iterator[Frame], pairs: Sequence[_Pair]) -> Iterator[tuple[_Pair, list[Frame]]]:
    """Yield the frames of each pair, except of pairs that break off or exceed the memory limit."""
    held: list[Frame] = []
    remaining = iter(pairs)
    pair = next(remaining, None)
    for frame in frames:
        while pair is not None and frame.pts > pair[1]:
            pair = next(remaining, None)
        if pair is None:
            return
        held = [frame] if frame.pts == pair[0] else [*held, frame]
        if frame.pts == pair[1]:
            if held[0].pts == pair[0]:
                yield pair, held
            held = [frame]
        elif len(held) * frame.image.nbytes > _HELD:
            held = [frame]


class _GapScorer:
    """Adds detections in the frames between given detections."""

    def __init__(self, detections: Detections, scorer: Scorer, parameters: Parameters) -> None:
        self._detections = detections
        self._scorer = scorer
        self._parameters = parameters
        self._find_near = PlaceSearch(parameters)
        self._gathered = DetectionBuffer()
        self._waiting: list[Image] = []
        self._logits = [np.empty(0)]

    def process_gap(self, gap: _Gap, frames: Sequence[Frame]) -> None:
        """Judge the face in ``frames``, which span from one detection to the other."""
        rows = self._detections.rows[[gap.before, gap.after]]
        first, last = rows["index"].tolist()
        # A damaged file may yield other frames when read again, which cannot be identified.
        if first < 0 or last - first != len(frames) - 1:
            return
        faces = faces_between(frames, _face(rows[0]), _face(rows[1]), self._find_near)
        for frame, face in zip(frames[1:-1], faces or (), strict=faces is not None):
            first += 1
            shows = assess_face(frame.image, face, self._scorer.quality_size, self._parameters)
            if shows.crop is not None:
                self._waiting.append(self._scorer.crop_of(frame.image, face, shows.crop))
            track = int(rows["track"][0])
            self._gathered.add(frame.pts, float(frame.time), first, track, face, shows, between=True)
        if len(self._waiting) >= BATCH:
            self._score()

    def post_process(self) -> Detections:
        """Return all detections in order of time."""
        self._score()
        added = self._gathered.take().rows
        usable = added["usable"]
        added["logit"][usable] = np.concatenate(self._logits)
        fill_in_fused(Detections(added), self._scorer)
        rows = np.concatenate([self._detections.rows, added])
        return Detections(rows[np.argsort(rows["time"], kind="stable")])

    def _score(self) -> None:
        self._logits.append(self._scorer.logits(self._waiting))
        self._waiting = []


def _face(row: np.void) -> Face:
    """Return a detection as a face with level eyes in their usual place; other landmarks are unknown."""
    x0, y0, x1, y1 = row["box"].tolist()
    roll = np.radians(row["roll"])
    apart = _EYES * (x1 - x0) / 2 * np.array([np.cos(roll), np.sin(roll)])
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    landmarks = np.array([middle - apart, middle + apart, middle, middle, middle], np.float32)
    return Face((x0, y0, x1, y1), 1.0, landmarks)
