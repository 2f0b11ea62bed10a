"""What an analysis looked at and what it did not, and how good the faces were."""

from __future__ import annotations

from pydantic import Field

from detector.schema.base import Probability, Seconds, Value


class Span(Value):
    """A stretch of time with a reason, such as one where no face was usable."""

    start: Seconds
    end: Seconds
    reason: str


class Spread(Value):
    """The middle eight tenths of a measure, and its median."""

    tenth: float
    median: float
    ninetieth: float


class FaceQuality(Value):
    """Of the usable faces in sampled frames, of all or of one person.

    The domain check holds it against the model's validated ranges.
    """

    width: Spread = Field(description="px of the upright frame")
    contrast: Spread = Field(description="standard deviation of grey levels, of 255")
    sharpness: Spread = Field(description="fine detail, as a share of contrast")
    tilt: Spread = Field(description="degrees from level of the line between the eyes")
    grey: Probability = Field(
        description="share of faces without colour, since 1.20 also of those toned in one"
    )


class Coverage(Value):
    """What was looked at and what was not."""

    frames_sampled: int = Field(
        ge=0,
        description="the first frame of each sampling interval, since 1.18 also each other one that is shown "
        "for longer than that",
    )
    frames_from_damaged: int = Field(
        default=0,
        ge=0,
        description="frames that would have been sampled, if they did not rest on pictures which are damaged "
        "or missing; since 1.19",
    )
    frames_with_face: int = Field(ge=0)
    frames_with_usable_face: int = Field(ge=0)
    faces_found: int = Field(ge=0, description="faces over all sampled frames")
    faces_unusable: int = Field(ge=0)
    flaws: dict[str, int] = Field(
        default_factory=dict,
        description="why faces were not judged, in words that follow “faces”, and how many of those found; "
        "since 1.8",
    )
    faces_interpolated: int = Field(
        default=0,
        ge=0,
        description="usable faces that the scan did not see, since it was calm about those beside "
        "them; since 1.14",
    )
    faces_discarded: int = Field(
        ge=0, description="large enough to judge, but the detector was never sure: taken for no faces"
    )
    frames_between: int = Field(
        default=0,
        ge=0,
        description="judged frames between those sampled, around the ends of segments; since 1.4",
    )
    cuts: tuple[Seconds, ...] = Field(description="times of scene cuts, at which tracks are broken")
    not_examined: tuple[Span, ...]
    quality: FaceQuality | None = Field(
        default=None, description="null: no usable face, or an analysis before 1.2"
    )
