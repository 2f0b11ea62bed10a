"""Faces detected in frames, read one by one and stored as rows of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import CropSquare, Face, roll, square_for_box
from detector.faces.quality import Assessment, Quality
from detector.schema.analysis import Box, FaceQuality, Spread


class _Row(NamedTuple):
    """A row of :class:`Detections`: each field with the type of its column."""

    pts: Annotated[int, np.int64]
    time: Annotated[float, np.float64]  # seconds from the first frame
    # Of the frame, from 0; -1 if unknown. It hides a method of tuples that is not used here.
    index: Annotated[int, np.int64]  # type: ignore[assignment]
    track: Annotated[int, np.int32]
    usable: Annotated[bool, np.bool_]
    grey: Annotated[bool, np.bool_]
    covered: Annotated[bool, np.bool_]
    between: Annotated[bool, np.bool_]  # in a frame between sampled ones
    interpolated: Annotated[bool, np.bool_]  # not scored itself; its logit is interpolated
    flaw: Annotated[str | None, object]  # a constant of detector.faces.quality, or None
    box: Annotated[Box, np.float64, 4]  # px of the upright frame
    roll: Annotated[float, np.float64]  # degrees clockwise (detector.faces.crop.roll)
    # The following are NaN if not measured.
    contrast: Annotated[float, np.float64]  # of the crop
    sharpness: Annotated[float, np.float64]
    logit: Annotated[float, np.float64]  # of the scan; after the second look, fused
    altered: Annotated[float, np.float32]  # logits of the two answers of the second look
    synthesised: Annotated[float, np.float32]
    smoothed: Annotated[float, np.float64]  # probability, after the median along the track


_ROW = np.dtype(
    [(name, *column.__metadata__) for name, column in get_type_hints(_Row, include_extras=True).items()],
    align=True,
)
_SCORED = np.dtype([(name, _ROW[name]) for name in ("track", "time", "logit")], align=True)
_BLOCK = 1024  # rows gathered as Python objects
_PIECE = 2048  # rows of an array, large enough for its memory to return to the system when freed
_UNKNOWN = Quality(np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class Detection:
    """One face in one frame, with the fields of :class:`Detections`; None for unknown ones."""

    pts: int
    time: float
    index: int | None
    track: int
    usable: bool
    box: Box
    roll: float
    logit: float | None
    smoothed: float | None
    interpolated: bool = False

    @property
    def square(self) -> CropSquare:
        return square_for_box(self.box, self.roll)


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces in order of time, stored in the structured array ``rows`` (n,).

    Hours of video have a hundred thousand, so they are never held twice: functions called ``fill_in_…`` write
    ``logit`` and the fields after it in place; all other changes return new detections.
    """

    rows: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Detection]:
        return map(_detection, self.rows)

    def __getitem__(self, index: int) -> Detection:
        return _detection(self.rows[index])

    @property
    def sampled(self) -> Detections:
        """The faces in sampled frames."""
        return self.only(~self.rows["between"])

    @property
    def scored_rows(self) -> NDArray[np.void]:
        """Rows (n,) of ``track``, ``time`` and ``logit`` of the scored faces, a fifth as large."""
        judged = ~np.isnan(self.rows["logit"])
        out = np.empty(int(judged.sum()), _SCORED)
        for name in _SCORED.names or ():
            out[name] = self.rows[name][judged]
        return out

    def known(self, name: str) -> NDArray[np.float64]:
        """Return the known values of the field ``name``."""
        values: NDArray[np.float64] = self.rows[name]
        return values[~np.isnan(values)]

    def share_of(self, name: str) -> float | None:
        """Return the share of judged faces with the flag ``name``; None if none was judged."""
        flags = self.rows[name][self.rows["usable"]]
        return round(float(flags.mean()), 4) if len(flags) else None

    def face_quality(self) -> FaceQuality | None:
        """Summarise size, clarity and tilt of the judged and measured faces; None without any."""
        judged = self.rows[self.rows["usable"] & ~np.isnan(self.rows["contrast"])]
        if not len(judged):
            return None
        return FaceQuality(
            width=_spread(judged["box"][:, 2] - judged["box"][:, 0]),
            contrast=_spread(judged["contrast"]),
            sharpness=_spread(judged["sharpness"]),
            tilt=_spread(np.abs(judged["roll"])),
            grey=int(np.count_nonzero(judged["grey"])) / len(judged),
        )

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Detections:
        """Return a selection by mask, indices or slice; this object itself if the mask selects everything."""
        if isinstance(which, np.ndarray) and which.dtype == np.bool_ and which.all():
            return self
        return Detections(self.rows[which])

    def by_track(self) -> dict[int, NDArray[np.intp]]:
        """Return the indices of each track in ``rows``, in order of time."""
        order = np.argsort(self.rows["track"], kind="stable")
        numbers, starts = np.unique(self.rows["track"][order], return_index=True)
        return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)) if len(order) else {}


class DetectionBuffer:
    """Collects detections one by one, until they are taken all at once."""

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.void]] = []
        self._packed = 0  # rows in them; only the last one may have room left
        self._last: list[_Row] = []

    def __len__(self) -> int:
        return self._packed + len(self._last)

    def add(
        self,
        pts: int,
        time: float,
        index: int | None,
        track: int,
        face: Face,
        assessment: Assessment,
        between: bool = False,
    ) -> None:
        """Add a face with its assessment; ``between`` if its frame lies between sampled ones."""
        quality = assessment.quality or _UNKNOWN
        row = _Row(
            pts=pts,
            time=time,
            index=-1 if index is None else index,
            track=track,
            usable=assessment.flaw is None,
            grey=assessment.grey,
            covered=assessment.covered,
            between=between,
            interpolated=False,
            flaw=assessment.flaw,
            box=face.box,
            roll=roll(face),
            contrast=quality.contrast,
            sharpness=quality.sharpness,
            logit=np.nan,
            altered=np.nan,
            synthesised=np.nan,
            smoothed=np.nan,
        )
        self._last.append(row)
        if len(self._last) == _BLOCK:
            self._pack()

    def take(self) -> Detections:
        """Return all detections added since the last call."""
        self._pack()
        rows, at = np.empty(self._packed, _ROW), 0
        while self._pieces:  # free each piece once copied, so that hours of video are never held twice
            piece = self._pieces.pop(0)[: len(rows) - at]
            rows[at : at + len(piece)] = piece
            at += len(piece)
        self._packed = 0
        return Detections(rows)

    def _pack(self) -> None:
        at = self._packed % _PIECE
        if not at and self._last:
            self._pieces.append(np.empty(_PIECE, _ROW))
        if self._last:
            self._pieces[-1][at : at + len(self._last)] = np.array(self._last, _ROW)
        self._packed += len(self._last)
        self._last = []


def _spread(values: NDArray[np.float64]) -> Spread:
    tenth, median, ninetieth = np.percentile(values, [10, 50, 90]).tolist()
    return Spread(tenth=round(tenth, 4), median=round(median, 4), ninetieth=round(ninetieth, 4))


def _detection(row: np.void) -> Detection:
    x0, y0, x1, y1 = row["box"].tolist()
    index, logit, smoothed = int(row["index"]), float(row["logit"]), float(row["smoothed"])
    return Detection(
        pts=int(row["pts"]),
        time=float(row["time"]),
        index=None if index < 0 else index,
        track=int(row["track"]),
        usable=bool(row["usable"]),
        box=(x0, y0, x1, y1),
        roll=float(row["roll"]),
        logit=None if np.isnan(logit) else logit,
        smoothed=None if np.isnan(smoothed) else smoothed,
        interpolated=bool(row["interpolated"]),
    )
