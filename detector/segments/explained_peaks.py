"""From what was flagged to published segments: peak frames are read again, explained, and kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from detector.explain import heatmaps, overlays
from detector.explain.boxed_photo import PHOTO
from detector.faces.detections import Detection
from detector.media.prefetch import ahead
from detector.media.reader import MediaReader
from detector.schema.analysis import CloseUp, MediaKind, Peak, Segment
from detector.schema.boxes import rounded
from detector.scoring.scorer import Scorer
from detector.segments.findings import FlaggedInterval


def explain_peaks(
    found: Sequence[FlaggedInterval],
    reader: MediaReader,
    scorer: Scorer,
    images: Path | None,
    seed: int,
    progress: Callable[[float], None],
    prefix: str = "",
) -> tuple[Segment, ...]:
    """The segments of what was ``found``; their peaks are read again, explained, and drawn on one scale.

    ``images`` is the folder below which ``overlays/`` is written, if any, under names that begin with
    ``prefix``; ``progress`` is told the share done.
    """
    wanted: dict[int, list[tuple[str, Detection]]] = defaultdict(list)
    for flagged in found:
        for name, peak in _named_peaks(flagged, prefix):
            wanted[peak.pts].append((name, peak))
    folder = images / "overlays" if images else None
    if folder and wanted:
        folder.mkdir(parents=True, exist_ok=True)
    still = reader.kind is MediaKind.IMAGE
    faces = len(found) if still else 1
    maps: dict[str, heatmaps.Explained] = {}
    parts: dict[str, tuple[int, int, int, int]] = {}
    with ahead(reader.at(set(wanted)), 1) as frames:
        for done, frame in enumerate(frames):
            progress(done / len(wanted))
            for name, peak in wanted[frame.pts]:
                maps[name] = heatmaps.explain(
                    scorer,
                    scorer.explainable(frame.image, peak),
                    name,
                    rounded(peak.box),
                    seed,
                    heatmaps.random_places(len(maps) % faces, faces),
                )
                if images and not still:
                    place = images / _frame_path(name, still)
                    overlays.write_png(place, overlays.to_kept_size(frame.image))
                if images and still:
                    height, width = frame.image.shape[:2]
                    if part := overlays.close_up_part(maps[name].box, width, height):
                        parts[name] = part
                        left, top, right, bottom = part
                        near = overlays.to_kept_size(frame.image[top:bottom, left:right])
                        overlays.write_png(images / _close_up(name, part).frame, near)
    full = heatmaps.shared_maximum(maps.values())
    kept = {name: _frame_path(name, still) for name in maps} if images else {}
    if images:
        _write_overlays(maps, kept, full, reader.width, images)
        for name, part in parts.items():
            near = overlays.read_png(images / _close_up(name, part).frame)
            overlays.write_close_up(near, maps[name], full, part, images / "overlays")
    near_by = {name: _close_up(name, part) for name, part in parts.items()}
    return tuple(_segment(flagged, maps, full, kept, scorer, prefix, near_by) for flagged in found)


def _write_overlays(
    maps: dict[str, heatmaps.Explained], kept: dict[str, str], full: float, width: int, images: Path
) -> None:
    """Draw each map over the frame that was kept for it, ``width`` px wide when decoded, and by itself."""
    for path, of_frame in groupby(maps.values(), key=lambda one: kept[one.name]):
        frame = overlays.read_png(images / path)
        for one in of_frame:
            overlays.write_overlay(frame, one, full, width, images / "overlays")


def _named_peaks(found: FlaggedInterval, prefix: str) -> list[tuple[str, Detection]]:
    """The peaks of a flagged interval with the names that their heatmaps and files have."""
    return [(f"{prefix}{found.name}-{rank}", peak) for rank, peak in enumerate(found.peaks, start=1)]


def _frame_path(name: str, still: bool) -> str:
    """All faces of a photo share its one frame, which was kept before."""
    return PHOTO if still else f"overlays/{name}-frame.png"


def _close_up(name: str, part: tuple[int, int, int, int]) -> CloseUp:
    near = f"overlays/{name}-near"
    return CloseUp(
        part=rounded(part), frame=f"{near}-frame.png", overlay=f"{near}.png", map=f"{near}-map.png"
    )


def without_peaks(found: Sequence[FlaggedInterval], scorer: Scorer) -> tuple[Segment, ...]:
    """Segments without peaks, for where only the findings are wanted."""
    return tuple(_segment(flagged, {}, 1.0, {}, scorer) for flagged in found)


def _segment(
    found: FlaggedInterval,
    maps: dict[str, heatmaps.Explained],
    full: float,
    frames: dict[str, str],
    scorer: Scorer,
    prefix: str = "",
    close_ups: Mapping[str, CloseUp] = MappingProxyType({}),
) -> Segment:
    """A flagged interval with its peaks; ``frames`` are the paths of those that were kept."""
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
                    box=rounded(peak.box),
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
        peaks=tuple(peaks),
    )
