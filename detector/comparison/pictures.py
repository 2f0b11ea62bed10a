"""Decode matching frames at full size, and draw the moments that differ most."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.affine_view import AffineView
from detector.comparison.similarity import NOWHERE
from detector.comparison.strips import Strip
from detector.comparison.time_map import TimeMap
from detector.explain.overlays import draw_box, heat_colours, write_png
from detector.media.frame import Frame, Image
from detector.media.reader import MediaReader
from detector.schema.analysis import Box
from detector.schema.comparison import ComparedPeak, Comparison
from detector.segments.rules import interval_index, is_held

Wanted = tuple[int, int]  # PTS in the exhibit and in the reference


def sample_pairs(exhibit: Strip, reference: Strip, times: TimeMap, rate: float) -> list[Wanted]:
    """Return the first matched frame of each 1/``rate`` seconds of the exhibit, with the reference's.

    A frame that is shown for longer counts as another one.
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
    """Yield the frames of both, in the order of the exhibit; undecodable ones are skipped."""
    seen = _in_order(exhibit, [pts for pts, _ in wanted])
    known = _in_order(reference, [pts for _, pts in wanted])
    seen_frame: tuple[int, Frame | None] | None = None
    known_frame: tuple[int, Frame | None] | None = None
    for pts, reference_pts in wanted:
        if seen_frame is None or seen_frame[0] != pts:
            seen_frame = next(seen)
        if known_frame is None or known_frame[0] != reference_pts:
            known_frame = next(known)
        if seen_frame[1] is not None and known_frame[1] is not None:
            yield seen_frame[1], known_frame[1]


def _in_order(reader: MediaReader, wanted: Sequence[int]) -> Iterator[tuple[int, Frame | None]]:
    """Yield each PTS of ``wanted`` with its frame, equal neighbours once; None for a lost frame."""
    for run in _rising(wanted):
        frames = reader.at(set(run))
        frame = next(frames, None)
        for pts in run:
            while frame is not None and frame.pts < pts:
                frame = next(frames, None)
            yield pts, frame if frame is not None and frame.pts == pts else None


def _rising(wanted: Sequence[int]) -> Iterator[list[int]]:
    """Split ``wanted`` into rising stretches; going backwards means seeking."""
    run: list[int] = []
    for pts in wanted:
        if run and pts < run[-1]:
            yield run
            run = []
        if not run or pts > run[-1]:
            run.append(pts)
    if run:
        yield run


FOLDER = "pictures"
FULL_SCALE = 48.0
"""Levels of difference, of 255, that are the brightest colour in every picture of every comparison."""
_WIDEST = 960  # maximum width of one picture in px
_OPACITY = 0.75
_FITTED = 20_000  # number of pixels to which the change of colour is fitted
_SMOOTH = 1.5  # px; smooths away grain and block edges


def write_peaks(
    comparison: Comparison, exhibit: MediaReader, reference: MediaReader, view: AffineView, folder: Path
) -> Comparison:
    """Return ``comparison`` with pictures of its peaks, written below ``folder``."""
    peaks = {
        (kind, item.id, rank): peak
        for kind, items in (("segments", comparison.segments), ("regions", comparison.regions))
        for item in items
        for rank, peak in enumerate(item.peaks, start=1)
    }
    if comparison.example is not None:
        peaks["example", "example", 1] = comparison.example
    wanted = sorted({(peak.pts, peak.reference_pts) for peak in peaks.values()})
    if not wanted:
        return comparison
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    finished: dict[tuple[str, str, int], ComparedPeak] = {}
    for seen_frame, known_frame in frame_pairs(exhibit, reference, wanted):
        for key, peak in peaks.items():
            if (peak.pts, peak.reference_pts) == (seen_frame.pts, known_frame.pts):
                name = f"{FOLDER}/{key[1]}-{key[2]}"
                draw(folder / name, seen_frame.image, known_frame.image, view, peak.box)
                finished[key] = peak.model_copy(
                    update={
                        "side_by_side": f"{name}.png",
                        "difference": f"{name}-difference.png",
                        "overlay": f"{name}-overlay.png",
                    }
                )
    updated: dict[str, object] = {
        kind: tuple(
            item.model_copy(
                update={
                    "peaks": tuple(
                        finished.get((kind, item.id, rank), peak)
                        for rank, peak in enumerate(item.peaks, start=1)
                    )
                }
            )
            for item in items
        )
        for kind, items in (("segments", comparison.segments), ("regions", comparison.regions))
    }
    updated["example"] = finished.get(("example", "example", 1), comparison.example)
    return comparison.model_copy(update=updated)


def draw(path: Path, exhibit: Image, reference: Image, view: AffineView, box: Box) -> None:
    """Write ``PATH.png`` side by side, ``PATH-difference.png`` and ``PATH-overlay.png``."""
    scale = min(1.0, _WIDEST / exhibit.shape[1])
    size = max(1, round(exhibit.shape[1] * scale)), max(1, round(exhibit.shape[0] * scale))
    seen = np.asarray(cv2.resize(exhibit, size, interpolation=cv2.INTER_AREA), np.uint8)
    known, inside = as_shown(reference, view, (exhibit.shape[1], exhibit.shape[0]), size)
    heat = np.where(inside, difference(seen, known, inside), 0.0)
    colours = heat_colours((heat * 255).astype(np.uint8))
    weight = (_OPACITY * np.sqrt(heat))[..., None]
    over = np.clip(seen * (1 - weight) + colours * weight + 0.5, 0, 255).astype(np.uint8)
    for picture in (seen, known, over):
        draw_box(picture, box, scale)
    gap = np.full((size[1], 8, 3), 255, np.uint8)
    write_png(path.with_name(f"{path.name}.png"), np.hstack([seen, gap, known]))
    write_png(path.with_name(f"{path.name}-difference.png"), colours)
    write_png(path.with_name(f"{path.name}-overlay.png"), over)


def as_shown(
    reference: Image, view: AffineView, exhibit: tuple[int, int], size: tuple[int, int]
) -> tuple[Image, NDArray[np.bool_]]:
    """Warp the reference to the exhibit (width, height) at ``size``; also return where it is visible."""
    wanted = np.array(size) / np.array(exhibit)
    shrink = min(1.0, float(wanted[0]) * view.scale)
    small = max(1, round(reference.shape[1] * shrink)), max(1, round(reference.shape[0] * shrink))
    known = cv2.resize(reference, small, interpolation=cv2.INTER_AREA)
    factor = np.array(small) / np.array([reference.shape[1], reference.shape[0]])
    matrix = cv2.invertAffineTransform(view.between(wanted, factor))
    picture = cv2.warpAffine(known, matrix, size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones(known.shape[:2], np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    return np.asarray(picture, np.uint8), inside > 0.99


def difference(seen: Image, known: Image, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the difference of two pictures, 0 to 1 of :data:`FULL_SCALE`, after one change of colour.

    Both are (height, width, 3); ``inside`` (height, width), like the result, is where that change is fitted.
    """
    seen_levels, known_levels = (
        cv2.GaussianBlur(picture.astype(np.float32), (0, 0), _SMOOTH) for picture in (seen, known)
    )
    out = np.zeros(inside.shape, np.float32)
    for channel in range(3):
        x, y = known_levels[..., channel][inside], seen_levels[..., channel][inside]
        if not len(x):
            continue
        gain, shift = _line(x, y)
        out = np.maximum(out, np.abs(seen_levels[..., channel] - gain * known_levels[..., channel] - shift))
    return np.asarray(np.clip(out / FULL_SCALE, 0, 1), np.float32)


def _line(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """Fit gain and shift by least squares to the nine tenths of pixels that fit best."""
    step = max(1, len(x) // _FITTED)
    x, y = x[::step], y[::step]
    kept = np.ones(len(x), bool)
    gain, shift = 1.0, 0.0
    for _ in range(3):
        spread = float(x[kept].var())
        if spread < 1.0:
            return 1.0, float((y[kept] - x[kept]).mean())
        gain = float(np.cov(x[kept], y[kept])[0, 1]) / spread
        shift = float(y[kept].mean() - gain * x[kept].mean())
        error = np.abs(y - gain * x - shift)
        kept = error <= np.quantile(error, 0.9)
    return gain, shift
