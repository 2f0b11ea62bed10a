"""Pictures of an analysis against those that a repeated analysis makes."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.errors import ReelproofError, last_line
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Sandbox, UnexpectedError
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Analysis, Peak, Segment
from detector.verdict.reproducibility.segment_agreement import matching_peak
from reports.verification.checks import CheckResults, Source, Unreadable

# Other instructions change the last digits of what is resampled, and lines may lie a pixel further.
_MEAN = 2.0  # grey levels of 255 that pixels may differ by on average
_FAR, _MOST_FAR = 32, 0.005  # share of pixels that may differ by more grey levels


def compare_pictures(
    recorded: Analysis, made: Analysis, source: Source, folder: Path, results: CheckResults
) -> int:
    """Compare the pictures in ``source`` with those below ``folder``; return the number compared.

    Pictures that differ become problems; a note names pictures that were not made again.
    """
    names: list[str] = []
    left = []
    with tempfile.TemporaryDirectory(prefix="reelproof-") as place:
        for name, other in _pairs(recorded, made):
            if name not in source.names:
                continue  # told by the checks of the files
            if other is None or not (folder / other).is_file():
                left.append(name)
                continue
            old_files, new_files = _files_of(Path(place), len(names))
            try:
                old_files.write_bytes(source.read(name))
            except Unreadable as problem:
                results.add(name, "cannot be read", str(problem))
                continue
            shutil.copyfile(folder / other, new_files)
            names.append(name)
        for name, why in zip(names, _compared(Path(place), len(names)), strict=True):
            if why:
                results.add(name, "does not fit", f"made again, {why}")
    if left:
        results.notes.append(
            f"Not compared: {', '.join(left)}. Of frames that score alike another was chosen here, so these "
            "pictures were not made again."
        )
    return len(names)


def _files_of(place: Path, number: int) -> tuple[Path, Path]:
    """Return the received picture and the repeated one."""
    return place / f"{number}.there", place / f"{number}.here"


def _compared(place: Path, count: int) -> list[str]:
    """Compare the pairs of pictures in ``place`` in a confined process."""
    if sys.platform != "linux":
        return _differences(place, count)
    places, modules = AllowedPaths(readable=(place,)), ("reports.verification.repeated_pictures",)
    limits = limits_of_environment()
    try:
        with Sandbox(_differences, place, count, limits=limits, places=places, modules=modules) as confined:
            result: list[str] = confined.result()
    except (ReelproofError, UnexpectedError) as error:
        return [f"it could not be compared ({last_line(error)[:300]})"] * count
    return result


def _differences(place: Path, count: int, _report: Progress | None = None) -> list[str]:
    return [_difference(*(file.read_bytes() for file in _files_of(place, number))) for number in range(count)]


def _pairs(recorded: Analysis, made: Analysis) -> Iterator[tuple[str, str | None]]:
    """Yield paths of pictures and of the corresponding ones in ``made``."""
    if recorded.picture:
        yield recorded.picture, made.picture
    if recorded.boxed:
        yield recorded.boxed, made.boxed
    pairs = [(recorded.segments, made.segments)]
    pairs += [
        (old_other.segments, other.segments)
        for old_other, other in zip(recorded.others, made.others, strict=False)
    ]
    for old_segments, new_segments in pairs:
        new_by_id = {segment.id: segment for segment in new_segments}
        for segment in old_segments:
            for peak in segment.peaks:
                yield from _of_peak(peak, new_by_id.get(segment.id))


def _of_peak(peak: Peak, segment: Segment | None) -> Iterator[tuple[str, str | None]]:
    other = matching_peak(peak, segment) if segment else None
    for name in ("frame", "overlay", "map"):
        if path := getattr(peak, name):
            yield path, getattr(other, name) if other else None


def _difference(old: bytes, new: bytes) -> str:
    """Describe how two pictures differ; return "" if they show the same."""
    old_levels, new_levels = _levels(old), _levels(new)
    if old_levels is None or new_levels is None:
        return "it is no picture" if old_levels is None else ""
    if old_levels.shape != new_levels.shape:
        (height, width), (old_height, old_width) = new_levels.shape[:2], old_levels.shape[:2]
        return f"it has {width} × {height} px, where this has {old_width} × {old_height}"
    apart = np.abs(old_levels - new_levels).max(axis=2)
    mean, far = float(apart.mean()), float((apart > _FAR).mean())
    if mean <= _MEAN and far <= _MOST_FAR:
        return ""
    return (
        f"it shows something else: {mean:.1f} of 255 grey levels apart on average, {far:.1%} of it far apart"
    )


def _levels(data: bytes) -> NDArray[np.float32] | None:
    """Return levels (height, width, channels), black where the picture is transparent."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None:
        return None
    levels = image.astype(np.float32).reshape(*image.shape[:2], -1)
    if levels.shape[2] == 4:
        levels[..., :3] *= levels[..., 3:] / 255
    return levels
