"""The result of comparing an exhibit with a reference, published as ``comparison.json``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from detector.schema.analysis import Box, MediaKind
from detector.schema.base import Document, Probability, Seconds, Sha256, Value, optional
from detector.schema.causes.cause import Cause, with_reason
from detector.schema.method import Library
from detector.schema.tolerance import FOLLOWS, NOT_COMPARED, PROBABILITY, Tolerance

_EDGE = Tolerance(how="edge")
_STRETCH = Tolerance(how="stretch")
_MEAN = Tolerance(how="mean")
_SENTENCE = "the statement as code and parameters; null: before 0.3"

COMPARISON_SCHEMA_VERSION = "1.1"


class ComparedFile(Value):
    """Facts about one of the two files."""

    file: Annotated[str, NOT_COMPARED] = Field(description="original file name, without folders")
    bytes: int = Field(ge=0)
    sha256: Sha256
    kind: MediaKind
    width: int = Field(gt=0, description="square pixels of the upright frame")
    height: int = Field(gt=0, description="square pixels of the upright frame")
    duration: Seconds
    frame_rate: Annotated[str | None, NOT_COMPARED] = Field(
        description="average frame rate as a fraction, null for a still"
    )


class Interval(Value):
    """An interval of one file; for a photograph both ends are 0."""

    start: Seconds
    end: Seconds


class TimePiece(Value):
    """An interval of the exhibit that shows an interval of the reference without a break."""

    exhibit: Annotated[Interval, _STRETCH]
    reference: Annotated[Interval, _STRETCH]
    speed: Annotated[float, NOT_COMPARED] = Field(
        gt=0, description="seconds of the reference in one second of the exhibit"
    )
    uncertainty: Annotated[Seconds, NOT_COMPARED] = Field(description="uncertainty of the reference's times")
    frames: Annotated[int, NOT_COMPARED] = Field(
        gt=0, description="frames of the exhibit that were matched one by one"
    )
    agreement: Annotated[float, NOT_COMPARED] = Field(
        ge=-1, le=1, description="median similarity of matched frames; 1: identical"
    )


class UnmatchedInterval(Value):
    """An interval of one file that the other does not show, between or around the pieces."""

    file: str = Field(pattern="^(exhibit|reference)$")
    start: Seconds
    end: Seconds
    reason: str = Field(default="", description="the text of `cause`")
    cause: Cause | None = optional("null: a comparison before 0.3")

    @model_validator(mode="after")
    def _write_reason(self) -> Self:
        return with_reason(self, (self.cause,) if self.cause else ())


class Transform(Value):
    """The position of the exhibit's picture in that of the reference."""

    matrix: tuple[tuple[float, float, float], tuple[float, float, float]] = Field(
        description="maps x, y, 1 of the exhibit to x, y of the reference; whole numbers are pixel edges"
    )
    scale: float = Field(gt=0, description="length of a reference pixel in pixels of the exhibit")
    stretch: float = Field(gt=0, description="horizontal scale divided by vertical scale")
    rotation: float = Field(description="degrees clockwise")
    mirror: bool
    crop: Box = Field(description="part of the reference's picture that the exhibit shows, in its pixels")
    shown: Box = Field(description="part of the exhibit's picture that shows the reference")
    uncertainty: float = Field(ge=0, description="px of the exhibit, at its corners")
    agreement: float = Field(ge=-1, le=1, description="similarity of the surroundings in the refined view")


class FaceDifference(Value):
    """One face in one pair of frames."""

    time: Seconds
    reference_time: Seconds
    pts: int
    reference_pts: int
    box: Box
    difference: float = Field(
        description="log of the ratio of the face's difference to what compression explains; 0: no more"
    )
    surroundings: float = Field(description="the same for its surroundings, as a control")
    probability: Probability = Field(
        description="calibrated score that the face differs from that of the reference"
    )
    smoothed: Probability = Field(description="after the median along the track")


class ComparedPerson(Value):
    """One or more tracks of the exhibit judged to be the same face."""

    id: str = Field(
        pattern=r"^[A-Z]+$", description="A, B, C … in order of screen time within this comparison"
    )
    median_box: Box
    frames: int = Field(ge=0, description="compared frames with this face")
    probability: Probability | None = Field(description="of the strongest segment, or else of all frames")
    differences: tuple[FaceDifference, ...]


class ComparedPeak(Value):
    """The frame of a segment or region with the greatest difference, and its pictures."""

    time: Seconds
    reference_time: Seconds
    pts: int
    reference_pts: int
    box: Box
    side_by_side: str | None = Field(description="PNG, relative to comparison.json; null if not kept")
    difference: str | None = Field(description="PNG, relative to comparison.json; null if not kept")
    overlay: str | None = Field(description="PNG, relative to comparison.json; null if not kept")


class ComparedSegment(Value):
    """An interval in which the face of a person differs but its surroundings do not."""

    id: str = Field(description="person and number, such as A1")
    person: str
    start: Annotated[Seconds, _EDGE]
    end: Annotated[Seconds, _EDGE]
    reference_start: Annotated[Seconds, Tolerance(how="reference_edge")]
    reference_end: Annotated[Seconds, Tolerance(how="reference_edge")]
    confidence: Annotated[Probability, PROBABILITY]
    difference: Annotated[float, _MEAN] = Field(description="mean over its frames")
    surroundings: Annotated[float, _MEAN] = Field(description="mean over its frames")
    frames: Annotated[int, Tolerance(by=2)] = Field(gt=0)
    peaks: Annotated[tuple[ComparedPeak, ...], NOT_COMPARED] = Field(max_length=3)
    statement: Annotated[str, FOLLOWS]
    cause: Annotated[Cause | None, FOLLOWS] = optional(_SENTENCE)


class Region(Value):
    """A part of the picture, other than faces, that differs: a removed object, a caption or a logo."""

    id: str = Field(description="R and number")
    box: Annotated[Box, Tolerance(how="box")]
    start: Annotated[Seconds, _EDGE]
    end: Annotated[Seconds, _EDGE]
    difference: Annotated[float, _MEAN] = Field(
        description="log of the ratio of its difference to what compression explains"
    )
    frames: Annotated[int, NOT_COMPARED] = Field(gt=0)
    peaks: Annotated[tuple[ComparedPeak, ...], NOT_COMPARED] = Field(max_length=1)
    statement: Annotated[str, FOLLOWS]
    cause: Annotated[Cause | None, FOLLOWS] = optional(_SENTENCE)


class ComparisonParameters(Value):
    """Every parameter that changes a comparison. Defaults are the shipped ones."""

    sample_rate: float = optional("compared frames a second", 8.0, gt=0, le=60)
    minimum_face: float = optional("least face width compared, px of both frames", 24.0, ge=0)
    median_window: float = optional("sliding median, seconds", 0.6, ge=0)
    enter_threshold: float = Field(default=0.65, gt=0, lt=1)
    exit_threshold: float = Field(default=0.5, gt=0, lt=1)
    merge_gap: float = Field(default=0.5, ge=0)
    minimum_duration: float = Field(default=0.5, ge=0)


class Outcome(StrEnum):
    """The outcome of a comparison; if several apply, the first one."""

    UNRELATED = "unrelated"
    FACES_DIFFER = "faces differ"
    SHOWS_MORE = "shows more"  # part of the exhibit was not found in the reference
    NO_FACE_COMPARED = "no face compared"
    PARTS_DIFFER = "parts differ"  # of the picture, other than faces
    NO_DIFFERENCE = "no difference"


class Comparison(Document):
    """One exhibit against one reference."""

    schema_version: Annotated[str, NOT_COMPARED] = COMPARISON_SCHEMA_VERSION
    related: bool = Field(description="whether the exhibit shows any part of the reference")
    statement: Annotated[str, FOLLOWS] = Field(description="the result in words")
    causes: Annotated[tuple[Cause, ...], FOLLOWS] = optional(
        "the statement as codes and parameters; empty: a comparison before 0.3", ()
    )
    limits: Annotated[str, FOLLOWS] = Field(description="what the result does not say")
    limits_cause: Annotated[Cause | None, FOLLOWS] = optional("the limits as code; null: before 0.3")
    exhibit: ComparedFile
    reference: ComparedFile
    time_map: tuple[TimePiece, ...]
    gaps: Annotated[tuple[UnmatchedInterval, ...], Tolerance(how="gaps")]
    transform: Annotated[Transform | None, Tolerance(how="transform")] = Field(
        description="null: not related"
    )
    persons: Annotated[tuple[ComparedPerson, ...], Tolerance(how="persons")]
    segments: Annotated[tuple[ComparedSegment, ...], Tolerance(key="id")]
    regions: Annotated[tuple[Region, ...], Tolerance(key="id")]
    example: Annotated[ComparedPeak | None, NOT_COMPARED] = optional(
        "if nothing differs, the compared moment with the greatest difference"
    )
    not_compared: Annotated[tuple[str, ...], NOT_COMPARED] = Field(
        description="what could not be compared, and why"
    )
    not_compared_causes: Annotated[tuple[Cause, ...], NOT_COMPARED] = optional(
        "the same as codes and parameters; since 0.3", ()
    )
    parameters: ComparisonParameters
    reelproof: Annotated[str, NOT_COMPARED]
    created: Annotated[str, NOT_COMPARED] = Field(description="UTC, ISO 8601")
    libraries: Annotated[tuple[Library, ...], NOT_COMPARED]

    @property
    def shows_more(self) -> bool:
        """Whether part of the exhibit was not found in the reference."""
        return any(gap.file == "exhibit" for gap in self.gaps)

    @property
    def outcome(self) -> Outcome:
        """The outcome: no difference only if faces, and all of the exhibit, were compared."""
        outcomes = (
            (not self.related, Outcome.UNRELATED),
            (bool(self.segments), Outcome.FACES_DIFFER),
            (self.shows_more, Outcome.SHOWS_MORE),
            (not self.persons, Outcome.NO_FACE_COMPARED),
            (bool(self.regions), Outcome.PARTS_DIFFER),
        )
        return next((outcome for applies, outcome in outcomes if applies), Outcome.NO_DIFFERENCE)
