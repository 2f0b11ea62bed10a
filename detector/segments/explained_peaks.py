"""Turn candidates into published segments: decode their peak frames again, explain and store them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from detector.explain import heatmaps, overlays
from detector.explain.heatmaps import random_area_numbers
from detector.explain.overlays import PHOTO
from detector.faces.detections import Detection
from detector.media.frame import Image
from detector.media.prefetch import prefetch
from detector.media.reader import MediaReader
from detector.progress import ReportShare
from detector.schema.analysis import CloseUp, MediaKind, Peak, Segment
from detector.schema.scores import round_box
from detector.scoring.scorer import Scorer
from detector.segments.candidates import Candidate


def explain_peaks(
    candidates: Sequence[Candidate],
    reader: MediaReader,
    scorer: Scorer,
    images: Path | None,
    seed: int,
    progress: ReportShare,
    prefix: str = "",
) -> tuple[Segment, ...]:
    """Turn candidates into segments: read their peak frames again, explain and draw them on one scale.

    ``images`` is the folder below which ``overlays/`` is written, if any, with file names that start with
    ``prefix``; ``progress`` receives the share done.
    """
    peaks_by_pts: dict[int, list[tuple[str, Detection]]] = defaultdict(list)
    for candidate in candidates:
        for name, peak in _named_peaks(candidate, prefix):
            peaks_by_pts[peak.pts].append((name, peak))
    still = reader.kind is MediaKind.IMAGE
    faces = len(candidates) if still else 1
    pictures = _PeakPictures(images, still) if images else None
    maps: dict[str, heatmaps.Explained] = {}
    with prefetch(reader.at(set(peaks_by_pts)), 1) as frames:
        for count, frame in enumerate(frames):
            progress(count / len(peaks_by_pts))
            for name, peak in peaks_by_pts[frame.pts]:
                maps[name] = heatmaps.explain(
                    scorer,
                    scorer.explainable(frame.image, peak),
                    name,
                    round_box(peak.box),
                    seed,
                    random_area_numbers(len(maps) % faces, faces),
                )
                if pictures is not None:
                    pictures.keep(maps[name], frame.image)
    full = heatmaps.shared_maximum(maps.values())
    if pictures is not None:
        pictures.draw(maps, full, reader.width)
    return tuple(_segment(candidate, maps, full, scorer, pictures, prefix) for candidate in candidates)


class _PeakPictures:
    """Pictures of peaks below ``images``: frames are written while read, maps once all are known."""

    def __init__(self, images: Path, still: bool) -> None:
        self._images, self._folder = images, images / "overlays"
        self._still = still
        self.frames: dict[str, str] = {}  # path by name of the peak
        self.close_ups: dict[str, CloseUp] = {}
        self._parts: dict[str, tuple[int, int, int, int]] = {}  # the parts they show, in whole px

    def keep(self, explained: heatmaps.Explained, image: Image) -> None:
        """Write the frame of a peak; for a photo, which is stored already, the surroundings of the face."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.frames[explained.name] = PHOTO if self._still else f"overlays/{explained.name}-frame.png"
        if not self._still:
            overlays.write_png(self._images / self.frames[explained.name], overlays.to_kept_size(image))
            return
        height, width = image.shape[:2]
        if part := overlays.close_up_part(explained.box, width, height):
            near = f"overlays/{explained.name}-near"
            close_up = CloseUp(
                part=round_box(part), frame=f"{near}-frame.png", overlay=f"{near}.png", map=f"{near}-map.png"
            )
            left, top, right, bottom = part
            picture = overlays.to_kept_size(image[top:bottom, left:right])
            overlays.write_png(self._images / close_up.frame, picture)
            self.close_ups[explained.name], self._parts[explained.name] = close_up, part

    def draw(self, maps: Mapping[str, heatmaps.Explained], full: float, width: int) -> None:
        """Draw each map over its frame, ``width`` px wide when decoded, and by itself.

        ``full`` is the heat at the hottest end of the common scale.
        """
        for path, of_frame in groupby(maps.values(), key=lambda explained: self.frames[explained.name]):
            frame = overlays.read_png(self._images / path)
            for explained in of_frame:
                overlays.write_overlay(frame, explained, full, width, self._folder)
        for name, close_up in self.close_ups.items():
            near = overlays.read_png(self._images / close_up.frame)
            overlays.write_close_up(near, maps[name], full, self._parts[name], self._folder)


def _named_peaks(candidate: Candidate, prefix: str) -> list[tuple[str, Detection]]:
    """Return the peaks of a candidate with the names of their heatmaps and files."""
    return [(f"{prefix}{candidate.name}-{rank}", peak) for rank, peak in enumerate(candidate.peaks, start=1)]


def without_peaks(candidates: Sequence[Candidate], scorer: Scorer) -> tuple[Segment, ...]:
    """Build segments without peaks, where only the findings are wanted."""
    return tuple(_segment(candidate, {}, 1.0, scorer) for candidate in candidates)


def _segment(
    candidate: Candidate,
    maps: Mapping[str, heatmaps.Explained],
    full: float,
    scorer: Scorer,
    pictures: _PeakPictures | None = None,
    prefix: str = "",
) -> Segment:
    """Build a segment from a candidate, its peaks and the paths of their pictures."""
    frames = pictures.frames if pictures else {}
    close_ups = pictures.close_ups if pictures else {}
    peaks = []
    for name, peak in _named_peaks(candidate, prefix):
        # A frame that was not decoded again is omitted; the segment remains.
        if name in maps and peak.logit is not None:
            peaks.append(
                Peak(
                    time=peak.time,
                    pts=peak.pts,
                    frame_index=peak.index,
                    probability=scorer.probability(peak.logit),
                    box=round_box(peak.box),
                    frame=frames.get(name),
                    overlay=f"overlays/{name}.png" if name in frames else None,
                    map=f"overlays/{name}-map.png" if name in frames else None,
                    close_up=close_ups.get(name),
                    heat=min(1.0, float(maps[name].heat.max()) / full),
                    check=maps[name].check,
                )
            )
    return Segment(
        id=candidate.name,
        person=candidate.person,
        start=candidate.detections[0].time,
        end=candidate.detections[-1].time,
        start_frame=candidate.detections[0].index,
        end_frame=candidate.detections[-1].index,
        confidence=scorer.segment_probability(candidate.level),
        frames=len(candidate.detections),
        covered=candidate.covered,
        peaks=tuple(peaks),
    )
