"""Turn candidates into published segments: decode their peak frames again, explain and store them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from detector.explain import heatmaps, overlays
from detector.explain.heatmaps import areas_compared
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
    found: Sequence[Candidate],
    reader: MediaReader,
    scorer: Scorer,
    images: Path | None,
    seed: int,
    progress: ReportShare,
    prefix: str = "",
) -> tuple[Segment, ...]:
    """The segments of what was ``found``; their peaks are read again, explained, and drawn on one scale.

    ``images`` is the folder below which ``overlays/`` is written, if any, under names that begin with
    ``prefix``; ``progress`` is told the share done.
    """
    wanted: dict[int, list[tuple[str, Detection]]] = defaultdict(list)
    for candidate in found:
        for name, peak in _named_peaks(candidate, prefix):
            wanted[peak.pts].append((name, peak))
    still = reader.kind is MediaKind.IMAGE
    faces = len(found) if still else 1
    pictures = _PeakPictures(images, still) if images else None
    maps: dict[str, heatmaps.Explained] = {}
    with prefetch(reader.at(set(wanted)), 1) as frames:
        for done, frame in enumerate(frames):
            progress(done / len(wanted))
            for name, peak in wanted[frame.pts]:
                maps[name] = heatmaps.explain(
                    scorer,
                    scorer.explainable(frame.image, peak),
                    name,
                    round_box(peak.box),
                    seed,
                    areas_compared(len(maps) % faces, faces),
                )
                if pictures is not None:
                    pictures.keep(maps[name], frame.image)
    full = heatmaps.shared_maximum(maps.values())
    if pictures is not None:
        pictures.draw(maps, full, reader.width)
    return tuple(_segment(candidate, maps, full, scorer, pictures, prefix) for candidate in found)


class _PeakPictures:
    """Pictures of peaks below the folder ``images``: frames while they are read, maps once all are known."""

    def __init__(self, images: Path, still: bool) -> None:
        self._images, self._folder = images, images / "overlays"
        self._still = still
        self.frames: dict[str, str] = {}  # path by the name of the peak
        self.close_ups: dict[str, CloseUp] = {}
        self._parts: dict[str, tuple[int, int, int, int]] = {}  # that they show, in whole px

    def keep(self, one: heatmaps.Explained, image: Image) -> None:
        """Write the frame ``image`` of a peak, of a photo, which was kept before, the face's surroundings."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.frames[one.name] = PHOTO if self._still else f"overlays/{one.name}-frame.png"
        if not self._still:
            overlays.write_png(self._images / self.frames[one.name], overlays.to_kept_size(image))
            return
        height, width = image.shape[:2]
        if part := overlays.close_up_part(one.box, width, height):
            near = f"overlays/{one.name}-near"
            close_up = CloseUp(
                part=round_box(part), frame=f"{near}-frame.png", overlay=f"{near}.png", map=f"{near}-map.png"
            )
            left, top, right, bottom = part
            shown = overlays.to_kept_size(image[top:bottom, left:right])
            overlays.write_png(self._images / close_up.frame, shown)
            self.close_ups[one.name], self._parts[one.name] = close_up, part

    def draw(self, maps: Mapping[str, heatmaps.Explained], full: float, width: int) -> None:
        """Draw each map over the frame that was kept for it, ``width`` px wide when decoded, and by itself.

        ``full`` is the heat that all of them show at its hottest.
        """
        for path, of_frame in groupby(maps.values(), key=lambda one: self.frames[one.name]):
            frame = overlays.read_png(self._images / path)
            for one in of_frame:
                overlays.write_overlay(frame, one, full, width, self._folder)
        for name, close_up in self.close_ups.items():
            near = overlays.read_png(self._images / close_up.frame)
            overlays.write_close_up(near, maps[name], full, self._parts[name], self._folder)


def _named_peaks(found: Candidate, prefix: str) -> list[tuple[str, Detection]]:
    """The peaks of a candidate with the names that their heatmaps and files have."""
    return [(f"{prefix}{found.name}-{rank}", peak) for rank, peak in enumerate(found.peaks, start=1)]


def without_peaks(found: Sequence[Candidate], scorer: Scorer) -> tuple[Segment, ...]:
    """Segments without peaks, for where only the findings are wanted."""
    return tuple(_segment(candidate, {}, 1.0, scorer) for candidate in found)


def _segment(
    found: Candidate,
    maps: Mapping[str, heatmaps.Explained],
    full: float,
    scorer: Scorer,
    pictures: _PeakPictures | None = None,
    prefix: str = "",
) -> Segment:
    """A candidate with its peaks, and where their ``pictures`` lie."""
    frames = pictures.frames if pictures else {}
    close_ups = pictures.close_ups if pictures else {}
    peaks = []
    for name, peak in _named_peaks(found, prefix):
        # A frame the second reading did not reach cannot be shown; the segment stands without it.
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
        id=found.name,
        person=found.person,
        start=found.detections[0].time,
        end=found.detections[-1].time,
        start_frame=found.detections[0].index,
        end_frame=found.detections[-1].index,
        confidence=scorer.segment_probability(found.level),
        frames=len(found.detections),
        covered=found.covered,
        peaks=tuple(peaks),
    )
