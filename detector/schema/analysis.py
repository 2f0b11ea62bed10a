"""The result of one analysis: one immutable value with one JSON schema."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from detector.schema.base import Document, Probability, Seconds, Sha256, Value, optional  # noqa: F401
from detector.schema.causes import joint, reasons, remarks, spans, voices  # noqa: F401  # their codes
from detector.schema.causes.cause import Cause, with_reason

# Other modules import most names of an analysis from here.
from detector.schema.formatting import N_
from detector.schema.joint import MOST_OTHERS, JointRule
from detector.schema.measurements import (  # noqa: F401
    Answers,
    Bars,
    Coverage,
    FaceQuality,
    ManipulationKind,
    SecondLook,
    SecondLookContrast,
    SecondLookMoment,
    Span,
    Spread,
)
from detector.schema.metadata import (
    Anomaly,
    Credentials,
    Declaration,
    Details,
    MarkSearch,
    Picture,
)
from detector.schema.method import LATER_PARAMETERS, Parameters, Ran, Software, zero_values
from detector.schema.method import Library as Library
from detector.schema.model import Model, Platt, Range, Rate  # noqa: F401
from detector.schema.peaks import (  # noqa: F401
    RANDOM_AREAS,
    USUAL_AREAS,
    CalmFrame,
    CloseUp,
    FrameIndex,
    HideAndRescore,
    MapMethod,
    MapNetwork,
    Peak,
    PeakMap,
    Question,
    StripFace,
)
from detector.schema.scores import Box, Score, Scores  # noqa: F401
from detector.schema.tolerance import (
    APART,
    BETWEEN,
    COUNT,
    COVERED,
    FINDING,
    FOLLOWS,
    FOUND,
    PICTURE,
    PLACE,
    SECONDS,
    STABILITY,
    Tolerance,
)
from detector.schema.voice import Voice

SCHEMA_VERSION = "1.27"
KEPT_WIDTH = 1280  # px, the largest width of stored frames, overlays and photographs


class Verdict(StrEnum):
    """The verdict on an exhibit. There is deliberately no "real"."""

    MANIPULATED = N_("manipulated")
    NOT_FOUND = N_("no manipulation found")
    INCONCLUSIVE = N_("inconclusive")


class MediaKind(StrEnum):
    VIDEO = "video"
    IMAGE = "image"
    AUDIO = "audio"


class Media(Value):
    """Facts about the exhibit, read from its bytes."""

    file: str = Field(description="original file name, without folders")
    bytes: int = Field(ge=0)
    sha256: Sha256
    kind: MediaKind
    container: str = Field(description="format name as FFmpeg gives it")
    codec: str
    width: int = Field(
        ge=0, description="square pixels of the upright frame; 0 for sound without picture, since 0.3"
    )
    height: int = Field(ge=0, description="likewise")
    rotation: int = Field(description="degrees clockwise applied to make frames upright")
    turned: int = optional(
        "part of the rotation that the file does not ask for, but that a face needed", 0, since="0.2"
    )
    time_base: str = Field(description="seconds per PTS tick, as a fraction such as 1/12800")
    frame_rate: str | None = Field(description="average frame rate as a fraction, null for a still")
    variable_frame_rate: bool
    duration: Seconds = Field(description="last frame's end minus first frame's start; 0 for a still")
    start_offset: Seconds | None = optional(
        "time of the first frame on a player's clock, which starts with the earliest stream, such"
        " as sound; null: a photo, or not recorded",
        since="0.2",
    )
    lost_at_start: Seconds = optional(
        "time before the first frame with pictures that cannot be decoded, as in a capture that "
        "begins between two key frames",
        0.0,
        since="0.2",
    )
    lost_at_end: Seconds = optional(
        "time after the last frame with pictures of a damaged file that cannot be decoded; since "
        "0.2, before counted as missing at its end",
        0.0,
    )
    frames_decoded: int = Field(ge=0)
    frames_passed_over: int = optional(
        "H.264 frames that were not decoded, because they were not sampled and no other frame refers to them",
        0,
        ge=0,
        since="0.2",
    )
    frames_undecodable: int = Field(
        ge=0, description="packets or frames that the decoder refused, that have no time, or that are missing"
    )
    frames_out_of_order: int = optional(
        "intact frames that are not later than the frame before; they are not examined; since "
        "0.2, before counted as undecodable",
        0,
        ge=0,
    )
    frames_from_damaged: int = optional(
        "decoded or skipped frames that depend on damaged or missing pictures, up to the next key"
        " frame; they are not examined",
        0,
        ge=0,
        since="0.2",
    )
    enlarged: float = optional(
        "times by which the pictures seem enlarged before they were encoded, by the spectra of their "
        "strongest edges; blurring looks the same; 1: not enlarged, or not recognised; since 0.3",
        1.0,
        ge=1,
    )
    has_sound: bool = Field(description="sound is present; `voice` says whether it was examined")
    details: Details | None = optional("null: not read")
    anomalies: Annotated[tuple[Anomaly, ...], APART] = optional(
        "facts that a person should look at; never evidence", ()
    )
    credentials: Annotated[Credentials | None, APART] = optional("Content Credentials")

    @property
    def frames(self) -> int:
        """Number of frames that the file shows, decoded or skipped."""
        return self.frames_decoded + self.frames_passed_over

    @property
    def picture(self) -> Picture | None:
        """Facts about the picture stream; None in older analyses."""
        return self.details.picture if self.details else None

    @property
    def still(self) -> bool:
        """Whether the exhibit is a photograph."""
        return self.kind is MediaKind.IMAGE

    @property
    def sound_only(self) -> bool:
        """Whether the exhibit is a recording of sound without picture."""
        return self.kind is MediaKind.AUDIO


MOST_COVERED = 0.5
"""Share of covered faces above which a person or segment counts as covered."""


def is_mostly_covered(share: float | None) -> bool:
    """Return whether a person or segment with this share of covered faces counts as covered."""
    return share is not None and share > MOST_COVERED


class Person(Value):
    """One or more tracks judged to be the same face."""

    id: Annotated[str, APART] = Field(pattern=r"^[A-Z]+$", description="A, B, C … in order of screen time")
    median_box: Annotated[Box, PLACE]
    screen_time: Annotated[Seconds, SECONDS] = Field(
        description="sum over the sampled frames with this face, each up to the next sampled frame"
    )
    tracks: Annotated[tuple[int, ...], COUNT]
    usable_frames: Annotated[int, COUNT] = Field(
        ge=0, description="sampled frames in which this face was judged"
    )
    motionless: bool | None = optional(
        "whether the face does not move for two seconds or more each time it is shown, as a still"
        " shown as a video; null in photographs",
        since="0.2",
    )
    grey: Annotated[Probability | None, COVERED] = optional(
        "share of the judged faces in sampled frames that are grey or monochrome; null if none "
        "was judged, and in photographs",
        since="0.2",
    )
    covered: Annotated[Probability | None, COVERED] = optional(
        "share of the judged faces in sampled frames with covered mouth or eyes, for instance by "
        "a mask, a hand or a caption; null if none was judged",
        since="0.2",
    )
    quality: Annotated[FaceQuality | None, Tolerance(how="quality")] = optional(
        "as in the coverage, but of this person alone; null if none was judged", since="0.2"
    )
    probability: Probability | None = Field(
        description="calibrated for exhibits, of the strongest segment or else of all usable frames; "
        "null if none was usable"
    )
    second_look: SecondLook | None = optional("null: no second look was taken")
    scores: Annotated[Scores, APART]


class Segment(Value):
    """An interval in which one person reaches the threshold for a finding.

    It is flagged if a finding rests on it, but not if other views of the person disagree, or if the faces are
    grey or covered (``detector.verdict.judged_persons``).
    """

    id: Annotated[str, APART] = Field(description="person and number, such as A1")
    person: Annotated[str, APART]
    start: Annotated[Seconds, Tolerance(how="edge", finding=True)] = Field(
        description="time of its first frame, which lies near the true boundary; docs/engine.md states "
        "by how much it was off where the boundary is known"
    )
    end: Annotated[Seconds, Tolerance(how="edge", finding=True)] = Field(
        description="time of its last frame; equal to start in a still image"
    )
    start_frame: Annotated[FrameIndex, Tolerance(how="edge_frame")] = None
    end_frame: Annotated[FrameIndex, Tolerance(how="edge_frame")] = None
    confidence: Annotated[Probability, FOUND] = Field(
        description="calibrated for segments, of the mean logit of its sampling intervals"
    )
    frames: Annotated[int, Tolerance(share=BETWEEN, how="around")] = Field(
        gt=0, description="scored frames inside"
    )
    covered: Annotated[Probability | None, COVERED] = optional(
        "as for persons, of the faces inside", since="0.2"
    )
    peaks: Annotated[tuple[Peak, ...], Tolerance(how="peaks")] = Field(max_length=3)
    calm: Annotated[CalmFrame | None, Tolerance(how="calm")] = optional(
        "the calmest judged face of the same person outside all segments; null: there is none, as"
        " in photographs",
        since="0.3",
    )

    strip: Annotated[tuple[StripFace, ...], Tolerance(how="strip")] = optional(
        "faces evenly spaced from just before its start to just after its end; empty: not kept, or not "
        "flagged, as in analyses before 0.3",
        (),
    )

    @property
    def lead(self) -> Peak | None:
        """The peak to show first: one whose map is confirmed, then the one with the highest score."""
        kept = [peak for peak in self.peaks if peak.frame]
        return max(kept, key=lambda peak: (peak.confirmed, peak.probability), default=None)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Paths of all stored pictures."""
        of_peaks = (path for peak in self.peaks for path in peak.pictures)
        calm = (self.calm.frame,) if self.calm and self.calm.frame else ()
        return (*of_peaks, *calm, *(face.picture for face in self.strip))


class OtherModel(Value):
    """The result of another model for the same faces in the same sampled frames, by the same rules.

    Persons are those of the analysis, with this model's scores; ids of segments are this model's own. Frames
    between sampled ones are not judged. Pictures of its peaks are below ``overlays/`` as well.
    """

    model: Model
    verdict: Verdict
    reason: str = Field(default="", description="the texts of `causes`")
    causes: tuple[Cause, ...] = Field(default=(), description="as of the analysis; since 0.2")
    probability: Probability | None
    segments: tuple[Segment, ...]
    persons: tuple[Person, ...]
    ran: Ran

    @model_validator(mode="after")
    def _write_reason(self) -> Self:
        return with_reason(self, self.causes)


class Joint(Value):
    """The joint verdict of all models of an analysis, by the chosen rule."""

    rule: JointRule
    verdict: Annotated[Verdict, FINDING]
    reason: Annotated[str, FOLLOWS] = Field(default="", description="the texts of `causes`")
    causes: Annotated[tuple[Cause, ...], Tolerance(how="causes")] = Field(
        default=(), description="empty: an analysis before 0.3"
    )

    @model_validator(mode="after")
    def _write_reason(self) -> Self:
        return with_reason(self, self.causes)


class Analysis(Document):
    """One analysis of one exhibit by one model or several.

    All fields except ``others`` and ``joint`` belong to the first model.
    """

    schema_version: str = SCHEMA_VERSION
    verdict: Annotated[Verdict, FINDING]
    kind: Annotated[ManipulationKind | None, Tolerance(how="kind", finding=True)] = optional(
        "with the verdict *manipulated*, the question that the second look answers with yes for "
        "all flagged faces, since 0.2 by its answers where they are flagged; null: neither "
        "clearly outweighs the other, or no second look was taken",
        since="0.2",
    )
    reason: Annotated[str, FOLLOWS] = Field(
        default="", description="the reason for the verdict: the texts of `causes`"
    )
    causes: Annotated[tuple[Cause, ...], Tolerance(how="causes")] = Field(
        default=(), description="what the reason consists of; empty: an analysis before 0.2"
    )
    probability: Annotated[Probability | None, Tolerance(how="averaged", finding=True)] = Field(
        description="score of the faces, from 0 to 1 (docs/evidence.md): the highest of any person that "
        "counts; in a photo (since 0.2) averaged over the odds of its judged faces; null: nothing could be "
        "judged"
    )
    answers: Annotated[Answers | None, Tolerance(how="second_answers", finding=True)] = optional(
        "answers of the second look; null: no second look was taken"
    )
    stability: Annotated[Probability | None, STABILITY] = optional(
        "the lowest stability of the persons on whom the verdict rests; null: not measured", since="0.2"
    )
    declarations: Annotated[tuple[Declaration, ...] | None, Tolerance(how="declared", finding=True)] = (
        optional(
            "what the file itself declares about how it was made, most telling first; never part of "
            "verdict or probability; null: not read, as in analyses before 0.2"
        )
    )
    marks: MarkSearch | None = optional(
        "where hidden marks of generators were looked for; null: nowhere, as before 0.3"
    )
    picture: Annotated[str | None, PICTURE] = optional(
        f"PNG of a photo as it was examined, at most {KEPT_WIDTH} px wide, relative to "
        "analysis.json; null: a video, or not kept; since 0.2"
    )
    boxed: Annotated[str | None, PICTURE] = optional(
        "the same with a named box around each face", since="0.2"
    )
    segments: Annotated[tuple[Segment, ...], Tolerance(how="segments", finding=True)]
    persons: Annotated[tuple[Person, ...], Tolerance(how="persons", finding=True)]
    media: Annotated[Media, Tolerance(how="file", finding=True)]
    model: Annotated[Model, Tolerance(how="card", finding=True)]
    parameters: Annotated[Parameters, Tolerance(how="whole", finding=True)]
    coverage: Coverage
    software: Annotated[Software, FINDING]
    others: Annotated[tuple[OtherModel, ...], Tolerance(how="others", finding=True)] = optional(
        "results of other models", (), max_length=MOST_OTHERS, since="0.2"
    )
    joint: Annotated[Joint | None, FINDING] = optional("null: no other model took part", since="0.2")
    voice: Annotated[Voice | None, FINDING] = optional(
        "what was found about the voices, a question of its own; null: sound was not examined, "
        "because the exhibit is a photo, sound was left out, or the version is older",
        since="0.3",
    )
    explained: bool = optional(
        "false: there are segments, and no peaks, heatmaps and film strips of them were made",
        True,
        since="0.3",
    )

    @property
    def end(self) -> float:
        """Seconds after which neither picture nor sound that was examined goes on."""
        stream = self.voice.stream if self.voice else None
        return max(self.media.duration, stream.start + stream.duration if stream else 0.0)

    @property
    def has_segments(self) -> bool:
        """Whether there are segments of faces or voices, which can be explained."""
        return bool(self.every_segment or (self.voice and self.voice.segments))

    @property
    def every_segment(self) -> tuple[Segment, ...]:
        """The segments of all models, those of the first model first."""
        return (*self.segments, *(segment for other in self.others for segment in other.segments))

    def by(self, other: OtherModel) -> Analysis:
        """Return the analysis as if one of ``others`` had been the only model."""
        result = {name: getattr(other, name) for name in OtherModel.model_fields if name != "ran"}
        unknown = {"kind": None, "answers": None, "stability": None, "others": (), "joint": None}
        return self.model_copy(update=result | unknown)

    def with_examined_sound(self) -> Analysis:
        """Return the analysis with the stream of its voices stated as examined.

        The first results about voices, of schema 1.26, state it of pictures alone.
        """
        details, sound = self.media.details, self.voice.stream if self.voice else None
        if details is None or sound is None:
            return self
        streams = tuple(
            stream.model_copy(update={"examined": True}) if stream.index == sound.index else stream
            for stream in details.streams
        )
        details = details.model_copy(update={"streams": streams})
        return self.model_copy(update={"media": self.media.model_copy(update={"details": details})})

    @model_validator(mode="after")
    def _write_reason(self) -> Self:
        return with_reason(self, self.causes)

    @model_validator(mode="after")
    def _zero_later_parameters(self) -> Self:
        """Set parameters that its version did not have to 0 instead of their defaults."""
        parameters = self.parameters
        missing = [
            name
            for name, versions in LATER_PARAMETERS.items()
            if self.schema_version in versions and name not in parameters.model_fields_set
        ]
        if missing:
            object.__setattr__(self, "parameters", parameters.model_copy(update=zero_values(missing)))
        return self
