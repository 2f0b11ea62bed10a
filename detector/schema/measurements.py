"""What an analysis measured: coverage, quality of faces, and the second look."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from detector.schema.base import Probability, Seconds, Value, optional
from detector.schema.causes.cause import Cause, with_reason
from detector.schema.formatting import N_
from detector.schema.tolerance import (
    BETWEEN,
    FACES,
    FOLLOWS,
    INSTANT,
    LOGIT,
    QUALITY,
    SPANS,
    STABILITY,
    UNMATCHED,
    Tolerance,
)


class Span(Value):
    """An interval with a reason, such as one in which no face was usable."""

    start: Seconds
    end: Seconds
    reason: str = Field(default="", description="the text of `cause`")
    cause: Cause | None = Field(default=None, description="null: an analysis before 0.2")

    @model_validator(mode="after")
    def _write_reason(self) -> Self:
        return with_reason(self, (self.cause,) if self.cause else ())


class Spread(Value):
    """The 10th, 50th and 90th percentile of a measure."""

    tenth: Annotated[float, QUALITY]
    median: Annotated[float, QUALITY]
    ninetieth: Annotated[float, QUALITY]


class FaceQuality(Value):
    """Quality of the usable faces in sampled frames, of all persons or of one.

    The domain check compares it with the model's validated ranges.
    """

    width: Spread = Field(description="px of the upright frame")
    contrast: Spread = Field(description="standard deviation of grey levels, of 255")
    sharpness: Spread = Field(description="fine detail, as a share of contrast")
    tilt: Spread = Field(description="angle of the line between the eyes, in degrees")
    grey: Probability = Field(description="share of faces without colour, since 0.2 also of monochrome ones")


class Bars(Value):
    """Plain or blurred bars beside or above the picture of a video, as where it is upright in a wide one."""

    width: int = Field(gt=0, description="px of the picture between the bars, in most frames that have them")
    height: int = Field(gt=0, description="likewise")
    frames: int = Field(gt=0, description="sampled frames with bars")
    faces: Annotated[int, Tolerance(share=UNMATCHED, of="frames")] = Field(
        ge=0, description="detections in bars, which repeat the picture; left out, and not counted elsewhere"
    )


class Coverage(Value):
    """What was examined and what was not."""

    frames_sampled: int = Field(
        ge=0,
        description="the first frame of each sampling interval, since 0.2 also others that are shown for "
        "longer than one",
    )
    frames_from_damaged: int = optional(
        "frames that were not sampled because they depend on damaged or missing pictures",
        0,
        ge=0,
        since="0.2",
    )
    frames_with_face: Annotated[int, FACES] = Field(ge=0)
    frames_with_usable_face: Annotated[int, FACES] = Field(ge=0)
    faces_found: Annotated[int, FACES] = Field(ge=0, description="faces in all sampled frames")
    faces_unusable: Annotated[int, FACES] = Field(ge=0)
    flaws: Annotated[dict[str, int], FACES] = Field(
        default_factory=dict,
        description="number of faces that were not judged, by reason; the reason completes “faces …”; since "
        "0.2",
    )
    faces_interpolated: Annotated[int, Tolerance(by=4, share=BETWEEN, of="faces_found")] = optional(
        "usable faces that the scan skipped because the scores around them were low", 0, ge=0, since="0.2"
    )
    faces_discarded: Annotated[int, FACES] = Field(
        ge=0, description="large enough to judge, but never detected with confidence, so not taken for faces"
    )
    bars: Bars | None = optional("null: none, or not recognised; since 0.3")
    frames_between: Annotated[int, Tolerance(share=BETWEEN, how="around")] = optional(
        "judged frames between sampled ones, around the ends of segments", 0, ge=0
    )
    cuts: Annotated[tuple[Seconds, ...], Tolerance(how="cuts")] = Field(
        description="times of scene cuts, at which tracks are broken"
    )
    not_examined: Annotated[tuple[Span, ...], SPANS]
    quality: FaceQuality | None = optional("null: no usable face")

    @property
    def faceless(self) -> bool:
        """Whether most frames could be examined, and nothing in them was even taken for a face."""
        in_bars = self.bars.faces if self.bars else 0
        detections = self.faces_found + self.faces_discarded + in_bars
        return not detections and self.frames_from_damaged <= self.frames_sampled


# If the fused logit of a person of a video lies this near to the threshold for a finding, stability is
# measured on further views of the same moments.
NEAR_THRESHOLD = -1.2, 1.5


class ManipulationKind(StrEnum):
    """Which of the two questions about a face was answered with yes."""

    EDITED = N_("face swap or edit")
    GENERATED = N_("generated face")


class SecondLookMoment(Value):
    """The second look at one face in one frame: logits of two framings with two outputs each."""

    time: Annotated[Seconds, INSTANT]
    pts: int
    inner_altered: Annotated[float, LOGIT] = Field(
        description="face replaced or altered, from the inner face"
    )
    inner_synthesised: Annotated[float | None, LOGIT] = Field(
        description="face synthesised, from the inner face; null since 0.3, where windows answer"
    )
    head_altered: Annotated[float | None, LOGIT] = Field(
        description="face replaced or altered, from the whole head and its surroundings; since 0.2 null if "
        "only the inner face was examined, since 0.3 also where windows answer"
    )
    head_synthesised: Annotated[float | None, LOGIT] = Field(
        description="face synthesised, since 0.3 from windows at native resolution and the whole head"
    )
    transformer_altered: float | None = optional(
        "from the whole head, by a second network; versions 1.6 and 1.7"
    )
    transformer_synthesised: float | None = None


class SecondLookContrast(Value):
    """An interval of a track whose scores stand out from the rest of the track; since 0.2."""

    track: int
    start: Seconds
    end: Seconds
    contrast: float = Field(description="mean *altered* logit inside the interval minus that of the rest")
    raised: float = Field(description="added to the *altered* logits inside the interval")


class Answers(Value):
    """Probabilities of the two questions about faces, over all persons that count for the exhibit; since 0.2.

    The larger of the two is the probability of a photo of one face.
    """

    altered: Probability = Field(
        description="face replaced or altered: the highest of any person; in a photo since 0.2 averaged "
        "over the odds of all"
    )
    synthesised: Probability = Field(description="face synthesised as a whole, computed in the same way")


class SecondLook(Value):
    """The second look at one person, beside the result of the scan; since 0.2."""

    scan: Probability = Field(
        description="score of the scan (the fast network) alone, over all usable frames of the person"
    )
    altered: Probability = Field(description="fused, over all moments: the face was replaced or altered")
    synthesised: Probability = Field(description="fused, over all moments: the face was synthesised")
    in_segments: Answers | None = optional(
        "both, over the frames in which the person reaches the threshold for a finding, with "
        "what was added to *altered* there; they decide the kind of manipulation; null: the threshold is not "
        "reached, or a version before 0.2, in which the two fields above decide"
    )
    stability: Annotated[Probability | None, STABILITY] = Field(
        description="share of views of the same moments (mirrored, shifted, scaled, re-encoded) that fall on "
        "the same side of the threshold; 0.5 if the networks contradict each other; null: so clear that "
        "other views were not examined"
    )
    contradiction: bool = optional(
        "the networks disagree more on the same question than on any person they were measured "
        "on, as with pictures made to mislead one of them",
        False,
        since="0.2",
    )
    views_agree: Annotated[bool | None, FOLLOWS] = optional(
        "videos: whether enough of these views fall on that side for a finding; null: they were not "
        "examined, it is a photo, or a version before 0.3, in which a stability of 0.7 was needed"
    )
    moments: Annotated[tuple[SecondLookMoment, ...], Tolerance(key="pts", alone=1.0)]
    contrasts: Annotated[tuple[SecondLookContrast, ...], Tolerance(how="contrasts")] = optional(
        "intervals that stand out from their track, and were raised for it", (), since="0.2"
    )
