"""Pictures of an analysis against those that a repeated analysis makes."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from detector.errors import ReelproofError, last_line
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Sandbox, UnexpectedError
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Analysis, Box, CloseUp
from detector.schema.peaks import FaceFrame, MapMethod, Peak, PeakMap
from verification.checks import CheckResults, Source, read_checked
from verification.field_agreement import tolerance_of

# Other instructions change the last digits of what is resampled, and lines may lie a pixel further.
_MEAN = 2.0  # grey levels of 255 that pixels may differ by on average
_FAR, _MOST_FAR = 32, 0.005  # share of pixels that may differ by more grey levels
# Spearman's rank correlation of heatmaps by hidden parts in bfloat16 and in float32: 0.992 to 0.999 in twelve
# peaks of four clips.
_COARSE, _LEAST_CORRELATION = 64, 0.95  # px
_ROOM = 1.8  # side of the square around a face in sizes of its box, as reports show it

Shares = tuple[float, float, float, float]  # left, top, right and bottom as shares of a picture


class _Heatmap(Enum):
    """How a picture with a heatmap of a face is compared if another number format was used."""

    BY_RANK = auto()
    NOT = auto()


class _Picture(NamedTuple):
    """A stored picture.

    ``face`` is the part that holds the face: a heatmap that marks another place of a small face changes too
    little of the whole picture.
    """

    path: str
    face: Shares | None
    heatmap: _Heatmap | None = None


def compare_pictures(
    recorded: Analysis,
    made: Analysis,
    source: Source,
    folder: Path,
    results: CheckResults,
    by_rank: bool = False,
) -> int:
    """Compare the pictures in ``source`` with those below ``folder``; return the number compared.

    Pictures that differ become problems; a note names pictures that were not made again. With ``by_rank``
    heatmaps of faces were computed in another number format: the order of the heat of those by hidden parts
    is compared. Others are left out, because Grad-CAM may then show something else.
    """
    compared: list[_Picture] = []
    left = []
    size = (recorded.media.width, recorded.media.height)
    again, seen = dict(_pictures(made, size)), set()
    with tempfile.TemporaryDirectory(prefix="reelproof-") as place:
        for what, picture in _pictures(recorded, size):
            other = again[what].path if what in again else None
            if by_rank and picture.heatmap is _Heatmap.NOT:
                continue
            if picture.path not in source.names or (picture.path, other) in seen:
                continue  # told by the checks of the files; or the first heatmap, which is that of the peak
            seen.add((picture.path, other))
            if other is None or not (folder / other).is_file():
                left.append(picture.path)
                continue
            old_file, new_file = _files_of(Path(place), len(compared))
            if (data := read_checked(source, picture.path, results)) is not None:
                old_file.write_bytes(data)
                shutil.copyfile(folder / other, new_file)
                compared.append(picture if by_rank else picture._replace(heatmap=None))
        for picture, why in zip(compared, _compared(Path(place), compared), strict=True):
            if why:
                results.add(picture.path, "does not fit", f"made again, {why}")
    if left:
        results.notes.append(
            f"Not compared: {', '.join(left)}. Of frames that score alike another was chosen here, so these "
            "pictures were not made again."
        )
    return len(compared)


def _files_of(place: Path, number: int) -> tuple[Path, Path]:
    """Return the received picture and the repeated one."""
    return place / f"{number}.there", place / f"{number}.here"


def _compared(place: Path, pictures: Sequence[_Picture]) -> list[str]:
    """Compare the pairs of pictures in ``place`` in a confined process."""
    if sys.platform != "linux":
        return _differences(place, pictures)
    places, modules = AllowedPaths(readable=(place,)), ("verification.repeated_pictures",)
    limits = limits_of_environment()
    try:
        with Sandbox(
            _differences, place, pictures, limits=limits, places=places, modules=modules
        ) as confined:
            result: list[str] = confined.result()
    except (ReelproofError, UnexpectedError) as error:
        return [f"it could not be compared ({last_line(error)[:300]})"] * len(pictures)
    return result


def _differences(place: Path, pictures: Sequence[_Picture], _report: Progress | None = None) -> list[str]:
    differences = []
    for number, picture in enumerate(pictures):
        old, new = (path.read_bytes() for path in _files_of(place, number))
        compare = _rank_difference if picture.heatmap is _Heatmap.BY_RANK else _difference
        differences.append(compare(old, new, picture.face))
    return differences


def _pictures(
    value: BaseModel, size: tuple[int, int], what: tuple[object, ...] = (), face: Shares | None = None
) -> Iterator[tuple[tuple[object, ...], _Picture]]:
    """Yield the stored pictures of a frame of ``size`` px below ``value``, each with what it is of.

    They are the fields with the tolerance of a picture. The items of lists are told apart by their name,
    frame, method, channels or time, or else by their number.
    """
    for name in type(value).model_fields:
        part = getattr(value, name)
        if isinstance(part, str) and part and tolerance_of(type(value), name).picture:
            yield (*what, name), _Picture(part, face, _heatmap_of(value, name))
        for number, item in enumerate(part if isinstance(part, tuple) else (part,)):
            if isinstance(item, BaseModel):
                known = (getattr(item, key, None) for key in ("id", "pts", "method", "channels", "time"))
                key = next((key for key in known if key not in (None, ())), number)
                part_of = _face(item.box, size) if isinstance(item, FaceFrame) else face
                of_face = None if isinstance(item, CloseUp) else part_of
                yield from _pictures(item, size, (*what, name, key), of_face)


def _heatmap_of(value: BaseModel, name: str) -> _Heatmap | None:
    if name not in ("overlay", "map") or "map" not in type(value).model_fields:
        return None
    first = value.maps[0] if isinstance(value, Peak) and value.maps else value
    by_hidden_parts = isinstance(first, PeakMap) and first.method is MapMethod.HIDDEN_PARTS
    return _Heatmap.BY_RANK if name == "map" and by_hidden_parts else _Heatmap.NOT


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


def _rank_difference(old: bytes, new: bytes, face: Shares | None) -> str:
    """Describe how the order of the heat in two heatmaps of a face differs; return "" if hardly."""
    levels = [_levels(old), _levels(new)]
    heat = [part[..., 3] for part in levels if part is not None and part.shape[2] == 4]
    if len(heat) < 2 or heat[0].shape != heat[1].shape:
        return "it is no heatmap of the same size"
    if face is not None and (parts := [_part(whole, face) for whole in heat])[0].size:
        heat = parts
    first, second = (
        _ranks(cv2.resize(part, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)) for part in heat
    )
    if not np.ptp(first) or not np.ptp(second):
        return ""  # without heat there is no order
    correlation = float(np.corrcoef(first, second)[0, 1])
    if correlation >= _LEAST_CORRELATION:
        return ""
    return f"its heat has another order: rank correlation {correlation:.2f}"


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the rank of each value, the mean rank for equal ones (Spearman)."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place.ravel()]
    return ranks


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
