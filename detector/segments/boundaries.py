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

_HELD = 192 * 1024 * 1024  # bytes of frames between two sampled ones, at most
_APART = 1.5  # seconds between neighbouring sampled frames, at most
_EYES = 0.45  # of a face's width: how far they are apart, about


_ByTrack = dict[int, list[tuple[float, float]]]  # start and end of intervals, in seconds
_Pair = tuple[int, int]  # PTS of the frames of two neighbouring detections


class _Gap(NamedTuple):
    """Two neighbouring detections of one track, by their places; the frames in between are to be judged."""

    before: int
    after: int


def refine_boundaries(
    first_pass: FirstPassResult,
    reader: MediaReader,
    scorer: Scorer,
    parameters: Parameters,
    progress: ReportShare,
) -> Detections:
    """The detections of ``first_pass`` and those in all frames near the ends of its candidates.

    ``reader`` has been read to the end; ``progress`` is told the share done. Sequence networks judge a
    frame by the sampled frames around it: with them nothing is added.
    """
    detections = first_pass.detections
    if not parameters.edge_window or scorer.is_sequence:
        return detections
    found = {track: here for track, here in _intervals(detections, scorer, parameters).items() if here}
    reach = parameters.edge_window + 1 / parameters.sample_rate
    gaps: dict[_Pair, list[_Gap]] = defaultdict(list)
    for gap in _gaps(detections, first_pass.times, found, reach):
        first, last = detections.rows["pts"][[gap.before, gap.after]].tolist()
        if not reader.tally.damage.is_spoilt_between(first, last):
            gaps[first, last].append(gap)
    if not gaps:
        return detections
    scoring = _GapScorer(detections, scorer, parameters)
    _judge_between(gaps, reader, scoring, progress)
    return _supported(scoring.post_process(), found, reach, scorer, parameters)


def _judge_between(
    gaps: Mapping[_Pair, Sequence[_Gap]], reader: MediaReader, scoring: _GapScorer, progress: ReportShare
) -> None:
    """Read the frames of all ``gaps`` once, in order, and have each gap judged in them."""
    wanted = sorted(gaps)
    with prefetch(reader.spans(_joined(wanted)), 1) as frames:
        for pair, shown in _by_pair(frames, wanted):
            progress((pair[0] - wanted[0][0]) / (wanted[-1][1] - wanted[0][0]))
            for gap in gaps[pair]:
                scoring.process_gap(gap, shown)
            del shown  # or they would be held while the next are gathered


def _supported(
    refined: Detections, found: _ByTrack, reach: float, scorer: Scorer, parameters: Parameters
) -> Detections:
    """``refined`` without what was added where all frames do not bear out what sampled ones ``found``."""
    while True:  # what is dropped may leave less of another interval
        holding = refined.only(np.isin(refined.rows["track"], list(found)))
        unsupported = _unsupported(refined, found, _intervals(holding, scorer, parameters), reach)
        if not unsupported.any():
            return refined
        refined = refined.only(~unsupported)


def _intervals(detections: Detections, scorer: Scorer, parameters: Parameters) -> _ByTrack:
    """Start and end of the candidates of each track, in seconds."""
    smoothed = candidates.smooth(detections, scorer, parameters)[detections.rows["usable"]]
    usable = detections.only(detections.rows["usable"])
    times = usable.rows["time"].tolist()
    return defaultdict(
        list,
        {
            track: [(times[one.first], times[one.last]) for one in intervals]
            for track, intervals in candidates.track_intervals(usable, smoothed, parameters).items()
        },
    )


def _gaps(detections: Detections, times: Sequence[float], found: _ByTrack, reach: float) -> Iterator[_Gap]:
    """Between which detections frames are wanted: both usable, neighbouring sampled frames, near an end."""
    rows = detections.rows
    number = np.searchsorted(np.asarray(times), rows["time"])
    by_track = detections.by_track()
    for track, intervals in found.items():
        places = by_track[track][rows["usable"][by_track[track]]]
        before, after = places[:-1], places[1:]
        start, end = rows["time"][before], rows["time"][after]
        near = np.zeros(len(before), np.bool_)
        for side in np.ravel(intervals):
            near |= (start < side + reach) & (end > side - reach)
        near &= (number[after] - number[before] == 1) & (end - start <= _APART)
        near &= rows["index"][after] - rows["index"][before] > 1
        yield from map(_Gap, before[near].tolist(), after[near].tolist())


def _unsupported(refined: Detections, found: _ByTrack, left: _ByTrack, reach: float) -> NDArray[np.bool_]:
    """What was added around intervals of which nothing is left, and around such as were not there before."""
    rows = refined.rows
    unsupported = np.zeros(len(rows), np.bool_)
    for track, intervals in found.items():
        added = np.flatnonzero(rows["between"] & (rows["track"] == track))
        times = rows["time"][added]
        for start, end in _without(intervals, left[track]) + _without(left[track], intervals):
            unsupported[added[(times >= start - reach - _APART) & (times <= end + reach + _APART)]] = True
    return unsupported


def _without(
    intervals: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Those that overlap none of the others."""
    return [
        (start, end)
        for start, end in intervals
        if not any(first <= end and last >= start for first, last in others)
    ]


def _joined(pairs: Sequence[_Pair]) -> list[_Pair]:
    """Pairs in order, those made one in which one begins where the other ends."""
    out: list[_Pair] = []
    for first, last in pairs:
        if out and out[-1][1] == first:
            first = out.pop()[0]
        out.append((first, last))
    return out


def _by_pair(frames: Iterator[Frame], pairs: Sequence[_Pair]) -> Iterator[tuple[_Pair, list[Frame]]]:
    """The frames of each pair, from the one to the other; not of one that breaks off or fills the memory."""
    held: list[Frame] = []
    left = iter(pairs)
    pair = next(left, None)
    for frame in frames:
        while pair is not None and frame.pts > pair[1]:
            pair = next(left, None)
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
    """Adds to detections those in the frames between them."""

    def __init__(self, detections: Detections, scorer: Scorer, parameters: Parameters) -> None:
        self._detections = detections
        self._scorer = scorer
        self._parameters = parameters
        self._find_near = PlaceSearch(parameters)
        self._gathered = DetectionBuffer()
        self._waiting: list[Image] = []
        self._logits = [np.empty(0)]

    def process_gap(self, gap: _Gap, frames: Sequence[Frame]) -> None:
        """Judge the face in ``frames``, which reach from the one detection to the other."""
        rows = self._detections.rows[[gap.before, gap.after]]
        first, last = rows["index"].tolist()
        # Read again, a damaged file may give other frames; then nobody knows which these are.
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
        """All detections in order of time."""
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
    """A detection as a face whose eyes lie as they lay; of its other landmarks nothing is known any more."""
    x0, y0, x1, y1 = row["box"].tolist()
    roll = np.radians(row["roll"])
    apart = _EYES * (x1 - x0) / 2 * np.array([np.cos(roll), np.sin(roll)])
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    landmarks = np.array([middle - apart, middle + apart, middle, middle, middle], np.float32)
    return Face((x0, y0, x1, y1), 1.0, landmarks)
