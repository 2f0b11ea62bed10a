"""What an analysis measured: coverage, quality of faces, and the second look."""

from __future__ import annotations

from enum import StrEnum

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


NEAR_THRESHOLD = -1.2, 1.5
"""Logits from the threshold for a finding: where the fused score of a person of a video lies between, other
views of the pictures are looked at."""


class ManipulationKind(StrEnum):
    """Which of the two questions is answered with yes."""

    EDITED = "face swap or edit"
    GENERATED = "generated face"


class SecondLookMoment(Value):
    """One face in one frame by the second look: logits of two framings, two outputs each."""

    time: Seconds
    pts: int
    inner_altered: float = Field(description="face replaced or altered, from the inner face")
    inner_synthesised: float = Field(description="face synthesised, from the inner face")
    head_altered: float | None = Field(
        description="likewise from the whole head and its surroundings; null where only the inner face was "
        "looked at, since 1.15"
    )
    head_synthesised: float | None
    transformer_altered: float | None = Field(
        default=None, description="the whole head by a second network; versions 1.6 and 1.7"
    )
    transformer_synthesised: float | None = None


class SecondLookContrast(Value):
    """An interval of one track that stands out from the rest of it; since 1.7."""

    track: int
    start: Seconds
    end: Seconds
    contrast: float = Field(description="mean logit of the altered half inside, less that of the rest")
    raised: float = Field(description="what was added to that half's logits inside")


class Answers(Value):
    """The two questions asked of every face, over all persons who count for the exhibit; since 1.6."""

    altered: Probability = Field(
        description="the highest of any of them, of a photo since 1.17 averaged over their odds: face "
        "replaced or altered. The larger of the two is the probability of a photo of one face"
    )
    synthesised: Probability = Field(description="likewise: face synthesised, generated as a whole")


class SecondLook(Value):
    """One person as the second look sees them, beside what the scan said; since 1.5."""

    scan: Probability = Field(
        description="of the scan (the fast network) alone, calibrated for it, over all usable frames of the "
        "person"
    )
    altered: Probability = Field(description="fused: that the face was replaced or altered, all moments")
    synthesised: Probability = Field(description="likewise: that it was synthesised")
    in_segments: Answers | None = Field(
        default=None,
        description="both, over the frames in which the person reaches the threshold for a finding, with "
        "what was added to *altered* there; the kind of manipulation is told by these; null: the threshold "
        "is not reached, or a version before 1.23, which told it by the two above",
    )
    stability: Probability | None = Field(
        description="share of views of the same moments (mirrored, shifted, scaled, re-encoded) that fall on "
        "the same side of the threshold; 0.5 where the networks contradict each other; null: clear enough "
        "that other views were not looked at"
    )
    contradiction: bool = Field(
        default=False,
        description="both networks lie further apart on the same question than on anyone they were measured "
        "on, as with pictures made to mislead one of them; since 1.9",
    )
    moments: tuple[SecondLookMoment, ...]
    contrasts: tuple[SecondLookContrast, ...] = Field(
        default=(), description="what stands out from the rest of its track, and was raised for it; since 1.7"
    )
