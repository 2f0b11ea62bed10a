"""From sightings to findings: persons, their flagged segments, and the peaks explained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector import explain, segments, tracks
from detector.analysis import Box, MediaKind, Parameters, Peak, Person, Score, Scores, Segment
from detector.media import MediaReader
from detector.printed import name_of
from detector.scoring import Scorer
from detector.survey import Seen, Surveyed


@dataclass(frozen=True)
class Found:
    """A flagged interval of a person, before its peaks are explained."""

    name: str
    person: str
    seen: list[Seen]
    peaks: list[Seen]

    @property
    def level(self) -> float:
        """Mean logit of its frames."""
        return float(np.mean([s.logit for s in self.seen if s.logit is not None]))


def people(survey: Surveyed, scorer: Scorer, parameters: Parameters) -> dict[str, list[Seen]]:
    """Sightings in order of time, by person, who are named in order of screen time.

    Fills in ``smoothed`` of every usable sighting, track by track.
    """
    by_track: dict[int, list[Seen]] = defaultdict(list)
    for seen in survey.seen:
        by_track[seen.track].append(seen)
    for track in by_track.values():
        usable = [s for s in track if s.logit is not None]
        for s, logit in zip(usable, _smoothed(usable, parameters.median_window), strict=True):
            s.smoothed = scorer.probability(logit)
    groups = [
        sorted((s for number in group for s in by_track[number]), key=lambda s: s.time)
        for group in tracks.persons(survey.tracks)
    ]
    groups.sort(key=lambda group: (-len(group), group[0].time, group[0].face.box))
    return {name_of(rank): group for rank, group in enumerate(groups)}


def person(name: str, group: list[Seen], found: Sequence[Found], scorer: Scorer, interval: float) -> Person:
    """The published value of one person; ``found`` are the flagged intervals of all.

    ``interval`` is the mean time between sampled frames, in seconds.
    """
    logits = [s.logit for s in group if s.logit is not None]
    levels = [f.level for f in found if f.person == name] or ([float(np.mean(logits))] if logits else [])
    return Person(
        id=name,
        median_box=box(np.median([s.face.box for s in group], axis=0)),
        screen_time=round(len(group) * interval, 3),
        tracks=tuple(sorted({s.track for s in group})),
        usable_frames=len(logits),
        probability=max(map(scorer.exhibit_probability, levels), default=None),
        scores=Scores(
            Score(
                time=float(s.time),
                pts=s.pts,
                track=s.track,
                box=box(s.face.box),
                usable=s.usable,
                logit=s.logit,
                probability=None if s.logit is None else scorer.probability(s.logit),
                smoothed=s.smoothed,
            )
            for s in group
        ),
    )


def flagged(name: str, group: list[Seen], parameters: Parameters, kind: MediaKind) -> list[Found]:
    """Flagged intervals of one person: found track by track, then joined across tracks."""
    usable = [s for s in group if s.smoothed is not None]
    times = np.array([float(s.time) for s in usable])
    smooth = np.array([s.smoothed for s in usable], dtype=np.float64)
    raw = np.array([s.logit for s in usable], dtype=np.float64)
    if kind is MediaKind.IMAGE:
        over = np.flatnonzero(smooth >= parameters.enter_threshold).tolist()
        intervals = [segments.Interval(i, i) for i in over]
    else:
        intervals = []
        for number in {s.track for s in usable}:
            track = [i for i, s in enumerate(usable) if s.track == number]
            for found in segments.find_intervals(times[track], smooth[track], parameters):
                intervals.append(segments.Interval(track[found.first], track[found.last]))
        intervals = segments.merged(times, sorted(intervals, key=lambda i: i.first), parameters.merge_gap)
    return [
        Found(
            f"{name}{rank}",
            name,
            usable[interval.first : interval.last + 1],
            [usable[i] for i in segments.peaks(times, smooth, raw, interval)],
        )
        for rank, interval in enumerate(intervals, start=1)
    ]


def explained(
    found: Sequence[Found],
    reader: MediaReader,
    scorer: Scorer,
    images: Path | None,
    seed: int,
    report: Callable[[float], None],
) -> tuple[Segment, ...]:
    """Second pass: peak frames are read again, explained, and drawn on one scale.

    ``images`` is the folder below which ``overlays/`` is written, if any; ``report``
    is told the share done.
    """
    wanted: dict[int, list[tuple[str, Seen]]] = defaultdict(list)
    for f in found:
        for rank, seen in enumerate(f.peaks, start=1):
            wanted[seen.pts].append((f"{f.name}-{rank}", seen))
    folder = images / "overlays" if images else None
    if folder and wanted:
        folder.mkdir(parents=True, exist_ok=True)
    maps: dict[str, explain.Explained] = {}
    for done, frame in enumerate(reader.at(set(wanted))):
        report(done / len(wanted))
        for name, seen in wanted[frame.pts]:
            maps[name] = explain.explain(scorer, frame.image, name, seen.square, box(seen.face.box), seed)
            if folder:
                explain.write_png(folder / f"{name}-frame.png", explain.shown(frame.image))
    full = explain.hottest(maps.values())
    if folder:
        explain.write_overlays(folder, list(maps.values()), full, reader.width)
    return tuple(_segment(f, maps, full, folder is not None, scorer) for f in found)


def unexplained(found: Sequence[Found], scorer: Scorer) -> tuple[Segment, ...]:
    """Segments without peaks, for where only the findings are wanted."""
    return tuple(_segment(f, {}, 1.0, False, scorer) for f in found)


def _segment(
    found: Found, maps: dict[str, explain.Explained], full: float, kept: bool, scorer: Scorer
) -> Segment:
    peaks = []
    for rank, seen in enumerate(found.peaks, start=1):
        name = f"{found.name}-{rank}"
        # A frame the second reading did not reach cannot be shown; the segment stands without it.
        if name in maps and seen.logit is not None:
            peaks.append(
                Peak(
                    time=float(seen.time),
                    pts=seen.pts,
                    frame_index=seen.index,
                    probability=scorer.probability(seen.logit),
                    box=box(seen.face.box),
                    frame=f"overlays/{name}-frame.png" if kept else None,
                    overlay=f"overlays/{name}.png" if kept else None,
                    map=f"overlays/{name}-map.png" if kept else None,
                    heat=min(1.0, float(maps[name].heat.max()) / full),
                    check=maps[name].check,
                )
            )
    return Segment(
        id=found.name,
        person=found.person,
        start=float(found.seen[0].time),
        end=float(found.seen[-1].time),
        start_frame=found.seen[0].index,
        end_frame=found.seen[-1].index,
        confidence=scorer.segment_probability(found.level),
        frames=len(found.seen),
        peaks=tuple(peaks),
    )


def box(values: Sequence[float] | NDArray[np.float64]) -> Box:
    """Four numbers as a published box, to a hundredth of a pixel."""
    x0, y0, x1, y1 = (round(float(v), 2) for v in values)
    return x0, y0, x1, y1


def _smoothed(usable: Sequence[Seen], window: float) -> segments.Floats:
    times = np.array([float(s.time) for s in usable])
    return segments.sliding_median(times, np.array([s.logit for s in usable], dtype=np.float64), window)
