"""The scores of one person, stored as columns of numbers."""

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

from detector.schema.base import Probability, Seconds, Value

Box = tuple[float, float, float, float]


class Score(Value):
    """One face in one frame: one sampled, or near an end of a segment."""

    time: Seconds
    pts: int
    track: int = Field(ge=0, description="which of the machine's tracks this face belongs to")
    box: Box
    usable: bool = Field(
        description="false: too small, too unclear or too unsure to judge; then the rest is null"
    )
    logit: float | None = None
    probability: Probability | None = Field(default=None, description="calibrated, this frame alone")
    smoothed: Probability | None = Field(
        default=None, description="after the sliding median along the track; what segments are cut from"
    )
    interpolated: bool = Field(
        default=False,
        description="true: the scan did not see this face; its logit, of which the others are made, "
        "lies on the line between those scored before and after it; since 1.14",
    )


_EDGES = ["left", "top", "right", "bottom"]
_NAMES = ["time", "pts", "track", *_EDGES, "usable", "logit", "probability", "smoothed", "interpolated"]
_ROW = np.dtype(list(zip(_NAMES, ["<f8", "<i8", "<i4", *["<f8"] * 4, "?", *["<f8"] * 3, "?"], strict=True)))
_PACKED = struct.Struct("<dqi4d?3d?")  # the same, for one row
# Nothing bounds an integer in JSON. Where one does not fit, all integers are kept as Python's own.
_WIDE = np.dtype([(name, object if name in {"pts", "track"} else _ROW[name]) for name in _NAMES])
_BLOCK = 1024  # rows made into objects at a time
_GIVEN = set(Score.model_fields)
_set = object.__setattr__  # past what keeps a score as it is
_Values = tuple[Any, ...]  # of one row, null as NaN


class Scores(Sequence[Score]):
    """Any number of scores, in order: immutable, and equal to the tuple of them.

    Columns are arrays over all scores, in which NaN stands for null: no score holds a NaN itself.
    """

    __slots__ = ("_rows",)
    _rows: NDArray[np.void]

    def __init__(self, scores: Iterable[Score] = ()) -> None:
        # Some at a time: packed one by one, each takes half as much again.
        waiting, blocks = iter(scores), []
        while block := [_packed(score) for score in islice(waiting, _BLOCK)]:
            blocks.append(_joined(block))
        wide = any(block.dtype != _ROW for block in blocks)
        self._rows = np.concatenate(blocks, dtype=_WIDE if wide else _ROW) if blocks else _joined([])
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
        """(n,), integers."""
        return self._column("pts")

    @property
    def track(self) -> NDArray[Any]:
        """(n,), integers."""
        return self._column("track")

    @property
    def box(self) -> NDArray[np.float64]:
        """Pixels of the upright frame, (n, 4)."""
        return np.stack([self._rows[edge] for edge in _EDGES], axis=1)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(n,)."""
        return self._column("usable")

    @property
    def logit(self) -> NDArray[np.float64]:
        """(n,), NaN where there is none."""
        return self._column("logit")

    @property
    def probability(self) -> NDArray[np.float64]:
        """(n,), likewise."""
        return self._column("probability")

    @property
    def smoothed(self) -> NDArray[np.float64]:
        """(n,), likewise."""
        return self._column("smoothed")

    @property
    def interpolated(self) -> NDArray[np.bool_]:
        """(n,)."""
        return self._column("interpolated")

    def _column(self, name: str) -> NDArray[Any]:
        # A copy: in a row most values lie across the processor's words.
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
        """That of a tuple of scores, each of which is packed as soon as it is valid.

        Written as JSON, scores are made into objects and text one after the other.
        """
        score = handler(Score)
        objects = core_schema.tuple_schema([score], variadic_item_index=0)
        packed = core_schema.no_info_after_validator_function(_packed, score)
        rows = core_schema.tuple_schema([packed], variadic_item_index=0)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(
                lambda rows: cls._of(_joined(rows)),
                rows,
                serialization=core_schema.plain_serializer_function_ser_schema(
                    iter, return_schema=core_schema.generator_schema(score)
                ),
            ),
            python_schema=core_schema.no_info_wrap_validator_function(
                lambda given, rows: given if isinstance(given, cls) else cls._of(_joined(rows(given))),
                rows,
                serialization=core_schema.plain_serializer_function_ser_schema(tuple, return_schema=objects),
            ),
        )


def _packed(score: Score) -> bytes | _Values:
    """One row, as numpy and :mod:`struct` have it; the values themselves where an integer does not fit."""
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


def _joined(rows: Sequence[bytes | _Values]) -> NDArray[np.void]:
    if any(isinstance(row, tuple) for row in rows):
        return np.array([_PACKED.unpack(row) if isinstance(row, bytes) else row for row in rows], _WIDE)
    return np.frombuffer(b"".join(cast("Sequence[bytes]", rows)), _ROW)


def _score(values: _Values) -> Score:
    """The score of one row, which was validated before it was packed."""
    time, pts, track, left, top, right, bottom, usable, logit, probability, smoothed, interpolated = values
    score = Score.__new__(Score)
    # A quarter of the time of `model_construct`: hours of video are read score by score in places.
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
    _set(score, "__pydantic_fields_set__", _GIVEN)
    _set(score, "__pydantic_extra__", None)
    _set(score, "__pydantic_private__", None)
    return score
