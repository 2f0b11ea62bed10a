"""Pictures of an analysis against those that a repeated analysis makes."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.errors import ReelproofError, last_line
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Sandbox, UnexpectedError
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Analysis, Box, MapMethod, Peak, Segment
from detector.schema.voice import Voice
from verification.agreement import matching_peak
from verification.checks import CheckResults, Source, Unreadable

# Other instructions change the last digits of what is resampled, and lines may lie a pixel further.
_MEAN = 2.0  # grey levels of 255 that pixels may differ by on average
_FAR, _MOST_FAR = 32, 0.005  # share of pixels that may differ by more grey levels
_ROOM = 1.8  # side of the square around a face in sizes of its box, as reports show it

Shares = tuple[float, float, float, float]  # left, top, right and bottom as shares of a picture


@dataclass(frozen=True)
class _Pair:
    """A recorded picture and the one made again; None if no such picture was made.

    ``face`` is the part that holds the face: a heatmap that marks another place of a small face changes too
    little of the whole picture.
    """

    name: str
    other: str | None
    face: Shares | None = None


def compare_pictures(
    recorded: Analysis, made: Analysis, source: Source, folder: Path, results: CheckResults
) -> int:
    """Compare the pictures in ``source`` with those below ``folder``; return the number compared.

    Pictures that differ become problems; a note names pictures that were not made again.
    """
    pairs: list[_Pair] = []
    left = []
    with tempfile.TemporaryDirectory(prefix="reelproof-") as place:
        for pair in _pairs(recorded, made):
            if pair.name not in source.names:
                continue  # told by the checks of the files
            if pair.other is None or not (folder / pair.other).is_file():
                left.append(pair.name)
                continue
            old_files, new_files = _files_of(Path(place), len(pairs))
            try:
                old_files.write_bytes(source.read(pair.name))
            except Unreadable as problem:
                results.add(pair.name, "cannot be read", str(problem))
                continue
            shutil.copyfile(folder / pair.other, new_files)
            pairs.append(pair)
        faces = [pair.face for pair in pairs]
        for pair, why in zip(pairs, _compared(Path(place), faces), strict=True):
            if why:
                results.add(pair.name, "does not fit", f"made again, {why}")
    if left:
        results.notes.append(
            f"Not compared: {', '.join(left)}. Of frames that score alike another was chosen here, so these "
            "pictures were not made again."
        )
    return len(pairs)


def _files_of(place: Path, number: int) -> tuple[Path, Path]:
    """Return the received picture and the repeated one."""
    return place / f"{number}.there", place / f"{number}.here"


def _compared(place: Path, faces: Sequence[Shares | None]) -> list[str]:
    """Compare the pairs of pictures in ``place`` in a confined process."""
    if sys.platform != "linux":
        return _differences(place, faces)
    places, modules = AllowedPaths(readable=(place,)), ("verification.repeated_pictures",)
    limits = limits_of_environment()
    try:
        with Sandbox(_differences, place, faces, limits=limits, places=places, modules=modules) as confined:
            result: list[str] = confined.result()
    except (ReelproofError, UnexpectedError) as error:
        return [f"it could not be compared ({last_line(error)[:300]})"] * len(faces)
    return result


def _differences(place: Path, faces: Sequence[Shares | None], _report: Progress | None = None) -> list[str]:
    paths = [_files_of(place, number) for number in range(len(faces))]
    return [
        _difference(old.read_bytes(), new.read_bytes(), face)
        for (old, new), face in zip(paths, faces, strict=True)
    ]


def _pairs(recorded: Analysis, made: Analysis) -> Iterator[_Pair]:
    """Yield the recorded pictures with the corresponding ones of ``made``."""
    if recorded.picture:
        yield _Pair(recorded.picture, made.picture)
    if recorded.boxed:
        yield _Pair(recorded.boxed, made.boxed)
    models = [(recorded.segments, made.segments)]
    models += [
        (old_other.segments, other.segments)
        for old_other, other in zip(recorded.others, made.others, strict=False)
    ]
    size = (recorded.media.width, recorded.media.height)
    for old_segments, new_segments in models:
        new_by_id = {segment.id: segment for segment in new_segments}
        for segment in old_segments:
            yield from _of_segment(segment, new_by_id.get(segment.id), size)
    if recorded.voice is not None:
        yield from _of_voice(recorded.voice, made.voice)


def _of_segment(segment: Segment, new: Segment | None, size: tuple[int, int]) -> Iterator[_Pair]:
    for peak in segment.peaks:
        yield from _of_peak(peak, matching_peak(peak, new) if new else None, size)
    if segment.calm and segment.calm.frame:
        calm = new.calm if new and new.calm and new.calm.pts == segment.calm.pts else None
        yield _Pair(segment.calm.frame, calm.frame if calm else None, _face(segment.calm.box, size))
    faces = {face.pts: face.picture for face in new.strip} if new else {}
    for face in segment.strip:
        yield _Pair(face.picture, faces.get(face.pts))


def _of_peak(peak: Peak, other: Peak | None, size: tuple[int, int]) -> Iterator[_Pair]:
    face = _face(peak.box, size)
    for name in ("frame", "overlay", "map"):
        if path := getattr(peak, name):
            yield _Pair(path, getattr(other, name) if other else None, face)
    new_maps: dict[MapMethod, object] = {heatmap.method: heatmap for heatmap in other.maps} if other else {}
    for heatmap in peak.maps[1:]:
        for name in ("overlay", "map"):
            if path := getattr(heatmap, name):
                yield _Pair(path, getattr(new_maps.get(heatmap.method), name, None), face)
    if peak.close_up:
        for name in ("frame", "overlay", "map"):
            near = other.close_up if other else None
            yield _Pair(getattr(peak.close_up, name), getattr(near, name, None))


def _of_voice(voice: Voice, made: Voice | None) -> Iterator[_Pair]:
    wholes = {finding.channels: finding.spectrogram for finding in made.findings} if made else {}
    for finding in voice.findings:
        if finding.spectrogram:
            again = wholes.get(finding.channels)
            yield _Pair(finding.spectrogram.path, again.path if again else None)
    segments = made.segments if made else ()
    peaks = {(segment.channels, peak.time): peak for segment in segments for peak in segment.peaks}
    for segment in voice.segments:
        for peak in segment.peaks:
            for name in ("spectrogram", "overlay"):
                if path := getattr(peak, name):
                    yield _Pair(path, getattr(peaks.get((segment.channels, peak.time)), name, None))


def _face(box: Box, size: tuple[int, int]) -> Shares:
    """Return the square around the face at ``box`` of a frame of ``size`` px."""
    (left, top, right, bottom), (width, height) = box, size
    half = _ROOM * max(right - left, bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return (x - half) / width, (y - half) / height, (x + half) / width, (y + half) / height


def _difference(old: bytes, new: bytes, face: Shares | None = None) -> str:
    """Describe how two pictures, or their faces, differ; return "" if they show the same."""
    old_levels, new_levels = _levels(old), _levels(new)
    if old_levels is None or new_levels is None:
        return "it is no picture" if old_levels is None else ""
    if old_levels.shape != new_levels.shape:
        (height, width), (old_height, old_width) = new_levels.shape[:2], old_levels.shape[:2]
        return f"it has {width} × {height} px, where this has {old_width} × {old_height}"
    apart = np.abs(old_levels - new_levels).max(axis=2)
    parts = [("it", apart)]
    if face is not None and (part := _part(apart, face)).size:
        parts.append(("its face", part))
    for name, levels in parts:
        mean, far = float(levels.mean()), float((levels > _FAR).mean())
        if mean > _MEAN or far > _MOST_FAR:
            return (
                f"{name} shows something else: {mean:.1f} of 255 grey levels apart on average, {far:.1%} of "
                "it far apart"
            )
    return ""


def _part(levels: NDArray[np.float32], face: Shares) -> NDArray[np.float32]:
    height, width = levels.shape
    left, top, right, bottom = (
        round(min(max(share, 0.0), 1.0) * side)
        for share, side in zip(face, (width, height, width, height), strict=True)
    )
    return levels[top:bottom, left:right]


def _levels(data: bytes) -> NDArray[np.float32] | None:
    """Return levels (height, width, channels), black where the picture is transparent."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None:
        return None
    levels = image.astype(np.float32).reshape(*image.shape[:2], -1)
    if levels.shape[2] == 4:
        levels[..., :3] *= levels[..., 3:] / 255
    return levels
