"""The scores of one person, stored as columns of numbers; boxes of faces, and the logistic function."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import index
from typing import Any, Self, cast, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from detector.schema.base import Probability, Seconds, Value, optional

Box = tuple[float, float, float, float]


class Score(Value):
    """One face in one frame, which was sampled or lies near an end of a segment."""

    time: Seconds
    pts: int
    track: int = Field(ge=0, description="number of the track to which this face belongs")
    box: Box
    usable: bool = Field(
        description="false: too small, too unclear or too uncertain to judge; then the rest is null"
    )
    logit: float | None = None
    probability: Probability | None = optional("calibrated, of this frame alone")
    smoothed: Probability | None = optional(
        "after the sliding median along the track; segments are made from it"
    )
    interpolated: bool = optional(
        "true: the scan skipped this face; its logit, from which the other values follow, is "
        "interpolated between the scores before and after it",
        False,
        since="0.2",
    )


_EDGES = ["left", "top", "right", "bottom"]
_NAMES = ["time", "pts", "track", *_EDGES, "usable", "logit", "probability", "smoothed", "interpolated"]
_ROW = np.dtype(list(zip(_NAMES, ["<f8", "<i8", "<i4", *["<f8"] * 4, "?", *["<f8"] * 3, "?"], strict=True)))
_PACKED = struct.Struct("<dqi4d?3d?")  # the same, for one row
# JSON does not bound integers. If one does not fit, all are kept as Python integers.
_WIDE = np.dtype([(name, object if name in {"pts", "track"} else _ROW[name]) for name in _NAMES])
_BLOCK = 1024  # rows converted to objects at a time
_FIELDS = set(Score.model_fields)
_set = object.__setattr__  # scores are frozen
_Values = tuple[Any, ...]  # of one row, null as NaN


class Scores(Sequence[Score]):
    """An immutable sequence of scores, equal to the tuple of them, stored in a structured array.

    Columns are arrays over all scores, in which NaN stands for null; a score itself never contains NaN.
    """

    __slots__ = ("_rows",)
    _rows: NDArray[np.void]

    def __init__(self, scores: Iterable[Score] = ()) -> None:
        # In blocks, since a list of all packed rows would take half as much memory again.
        remaining, blocks = iter(scores), []
        while block := [_pack(score) for score in islice(remaining, _BLOCK)]:
            blocks.append(_join(block))
        wide = any(block.dtype != _ROW for block in blocks)
        self._rows = np.concatenate(blocks, dtype=_WIDE if wide else _ROW) if blocks else _join([])
        self._rows.flags.writeable = False

    @classmethod
    def _of(cls, rows: NDArray[np.void]) -> Self:
        scores = cls.__new__(cls)
        rows.flags.writeable = False
        scores._rows = rows
        return scores

    @property
    def time(self) -> NDArray[np.float64]:
        """Seconds from the first frame, (n,)."""
        return self._column("time")

    @property
    def pts(self) -> NDArray[Any]:
        return self._column("pts")

    @property
    def track(self) -> NDArray[Any]:
        return self._column("track")

    @property
    def box(self) -> NDArray[np.float64]:
        """Pixels of the upright frame, (n, 4)."""
        return np.stack([self._rows[edge] for edge in _EDGES], axis=1)

    @property
    def usable(self) -> NDArray[np.bool_]:
        return self._column("usable")

    @property
    def logit(self) -> NDArray[np.float64]:
        return self._column("logit")

    @property
    def probability(self) -> NDArray[np.float64]:
        return self._column("probability")

    @property
    def smoothed(self) -> NDArray[np.float64]:
        return self._column("smoothed")

    @property
    def interpolated(self) -> NDArray[np.bool_]:
        return self._column("interpolated")

    def _column(self, name: str) -> NDArray[Any]:
        # A copy, because most values of a packed row are not aligned.
        return np.ascontiguousarray(self._rows[name])

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Score]:
        for start in range(0, len(self._rows), _BLOCK):
            for values in self._rows[start : start + _BLOCK].tolist():
                yield _score(values)

    @overload
    def __getitem__(self, key: int) -> Score: ...

    @overload
    def __getitem__(self, key: slice) -> Scores: ...

    def __getitem__(self, key: int | slice) -> Score | Scores:
        if isinstance(key, slice):
            return Scores._of(self._rows[key])
        return _score(self._rows[index(key)].item())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Scores):
            return len(self) == len(other) and all(
                np.array_equal(self._rows[name], other._rows[name], equal_nan=_ROW[name].kind == "f")
                for name in _NAMES
            )
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{len(self)} scores>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Scores._of, (self._rows,)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of a tuple of scores, each of which is packed as soon as it is validated.

        Writing JSON converts one score at a time.
        """
        score = handler(Score)
        objects = core_schema.tuple_schema([score], variadic_item_index=0)
        packed = core_schema.no_info_after_validator_function(_pack, score)
        rows = core_schema.tuple_schema([packed], variadic_item_index=0)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(
                lambda rows: cls._of(_join(rows)),
                rows,
                serialization=core_schema.plain_serializer_function_ser_schema(
                    iter, return_schema=core_schema.generator_schema(score)
                ),
            ),
            python_schema=core_schema.no_info_wrap_validator_function(
                lambda given, rows: given if isinstance(given, cls) else cls._of(_join(rows(given))),
                rows,
                serialization=core_schema.plain_serializer_function_ser_schema(tuple, return_schema=objects),
            ),
        )


def _pack(score: Score) -> bytes | _Values:
    """Pack a score into one row; return its values if an integer does not fit."""
    values = score.__dict__
    logit, probability, smoothed = values["logit"], values["probability"], values["smoothed"]
    row = (
        values["time"],
        values["pts"],
        values["track"],
        *values["box"],
        values["usable"],
        math.nan if logit is None else logit,
        math.nan if probability is None else probability,
        math.nan if smoothed is None else smoothed,
        values["interpolated"],
    )
    try:
        return _PACKED.pack(*row)
    except struct.error:
        return row


def _join(rows: Sequence[bytes | _Values]) -> NDArray[np.void]:
    if any(isinstance(row, tuple) for row in rows):
        return np.array([_PACKED.unpack(row) if isinstance(row, bytes) else row for row in rows], _WIDE)
    return np.frombuffer(b"".join(cast("Sequence[bytes]", rows)), _ROW)


def _score(values: _Values) -> Score:
    """Build the score of one row without validating it again."""
    time, pts, track, left, top, right, bottom, usable, logit, probability, smoothed, interpolated = values
    score = Score.__new__(Score)
    # Four times as fast as `model_construct`, which matters for hours of video.
    _set(
        score,
        "__dict__",
        {
            "time": time,
            "pts": pts,
            "track": track,
            "box": (left, top, right, bottom),
            "usable": usable,
            "logit": logit if logit == logit else None,
            "probability": probability if probability == probability else None,
            "smoothed": smoothed if smoothed == smoothed else None,
            "interpolated": interpolated,
        },
    )
    _set(score, "__pydantic_fields_set__", _FIELDS)
    _set(score, "__pydantic_extra__", None)
    _set(score, "__pydantic_private__", None)
    return score


# At eight frames a second a turning head moves by a third of its width between frames. Boxes are grown by
# that much on each side before their overlap is measured.
_GROWTH = 1 / 3


def round_box(values: Sequence[float] | NDArray[np.float64]) -> Box:
    """Round four numbers to a published box, to a hundredth of a pixel."""
    x0, y0, x1, y1 = (round(float(v), 2) for v in values)
    return x0, y0, x1, y1


def grow_box(box: Box) -> Box:
    """Grow a box to the area in which the face may be one sampled frame later."""
    dx, dy = (box[2] - box[0]) * _GROWTH, (box[3] - box[1]) * _GROWTH
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def intersection_area(a: Box, b: Box) -> float:
    """Return the area that two boxes have in common, px²."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes."""
    shared = intersection_area(a, b)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


_LARGEST = 60.0  # logit beyond which a probability is 0 or 1
_LEAST = 1e-9  # distance of a probability from 0 and 1 that keeps its logit finite


@overload
def sigmoid(logits: float) -> float: ...


@overload
def sigmoid(logits: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]: ...


def sigmoid(logits: float | Sequence[float] | NDArray[Any]) -> float | NDArray[np.float64]:
    """Return the probability of a logit, or of each of several."""
    out = 1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64), -_LARGEST, _LARGEST)))
    return out if isinstance(out, np.ndarray) else float(out)


def logit_of(probability: float) -> float:
    """Return the logit of a ``probability`` strictly between 0 and 1, such as a threshold."""
    return float(np.log(probability / (1 - probability)))


def finite_logit(probability: float) -> float:
    """Return the logit of a computed ``probability``, finite also if it was rounded to 0 or 1."""
    inside = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(inside / (1 - inside))
