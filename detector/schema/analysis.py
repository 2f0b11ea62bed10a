"""The result of one analysis: one immutable value with one JSON schema."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Final, Self, TypedDict

from pydantic import Field, model_validator

from detector.schema.base import Probability as Probability
from detector.schema.base import Seconds as Seconds
from detector.schema.base import Sha256 as Sha256
from detector.schema.base import Value as Value
from detector.schema.measurements import Answers as Answers
from detector.schema.measurements import Coverage as Coverage
from detector.schema.measurements import FaceQuality as FaceQuality
from detector.schema.measurements import ManipulationKind as ManipulationKind
from detector.schema.measurements import SecondLook as SecondLook
from detector.schema.measurements import SecondLookContrast as SecondLookContrast
from detector.schema.measurements import SecondLookMoment as SecondLookMoment
from detector.schema.measurements import Span as Span
from detector.schema.measurements import Spread as Spread
from detector.schema.metadata import Anomaly, Credentials, Details, Picture, first_statements
from detector.schema.metadata import Declaration as Declaration
from detector.schema.method import LATER_PARAMETERS, MOST_OTHERS, JointRule, zero_values
from detector.schema.method import Library as Library
from detector.schema.method import Parameters as Parameters
from detector.schema.method import Ran as Ran
from detector.schema.method import Software as Software
from detector.schema.model import Model as Model
from detector.schema.model import Platt as Platt
from detector.schema.model import Range as Range
from detector.schema.model import Rate as Rate
from detector.schema.scores import Box as Box
from detector.schema.scores import Score as Score
from detector.schema.scores import Scores as Scores

SCHEMA_VERSION = "1.24"
KEPT_WIDTH = 1280  # px: what frames, overlays and photographs are kept at is no wider
FrameIndex = Annotated[
    int | None,
    Field(ge=0, description="frames before it, in order of presentation; null if not recorded"),
]


class Verdict(StrEnum):
    """What the machine says of an exhibit. There is no "real"."""

    MANIPULATED = "manipulated"
    NOT_FOUND = "no manipulation found"
    INCONCLUSIVE = "inconclusive"


class MediaKind(StrEnum):
    VIDEO = "video"
    IMAGE = "image"


class Media(Value):
    """Facts about the exhibit, read from its bytes."""

    file: str = Field(description="original file name, without folders")
    bytes: int = Field(ge=0)
    sha256: Sha256
    kind: MediaKind
    container: str = Field(description="format name as FFmpeg gives it")
    codec: str
    width: int = Field(gt=0, description="square pixels of the upright frame")
    height: int = Field(gt=0, description="square pixels of the upright frame")
    rotation: int = Field(description="degrees clockwise applied to make frames upright")
    turned: int = Field(
        default=0,
        description="degrees of it that the file does not ask for: only so was a face found; since 1.6",
    )
    time_base: str = Field(description="seconds per PTS tick, as a fraction such as 1/12800")
    frame_rate: str | None = Field(description="average frame rate as a fraction, null for a still")
    variable_frame_rate: bool
    duration: Seconds = Field(description="last frame's end minus first frame's start; 0 for a still")
    start_offset: Seconds | None = Field(
        default=None,
        description="where the first frame stands on a player's clock, which starts with what begins first, "
        "such as sound; null: a photo, or not recorded; since 1.6",
    )
    lost_at_start: Seconds = Field(
        default=0.0,
        description="before the first frame, where the file holds pictures that cannot be decoded, such as "
        "those of a capture that begins between two key frames; since 1.16",
    )
    lost_at_end: Seconds = Field(
        default=0.0,
        description="after the last frame, where a damaged file holds pictures that cannot be decoded; since "
        "1.19, before among what is missing at its end",
    )
    frames_decoded: int = Field(ge=0)
    frames_passed_over: int = Field(
        default=0,
        ge=0,
        description="H.264 frames whose headers were read and that were not decoded: they were not sampled "
        "and no other frame refers to them; since 1.11",
    )
    frames_undecodable: int = Field(
        ge=0,
        description="packets or frames the decoder refused, without a place in time, or promised and missing",
    )
    frames_out_of_order: int = Field(
        default=0,
        ge=0,
        description="intact frames whose time is not after that of the frame before, which are not examined; "
        "since 1.16, before among the undecodable ones",
    )
    frames_from_damaged: int = Field(
        default=0,
        ge=0,
        description="of those decoded or passed over, the ones that rest on pictures which are damaged or "
        "missing, up to the next key frame; they are not examined; since 1.19",
    )
    has_sound: bool = Field(description="sound is present; Reelproof does not examine it")
    details: Details | None = Field(default=None, description="since 1.2; null in older analyses")
    anomalies: tuple[Anomaly, ...] = Field(default=(), description="worth a person's look; never evidence")
    credentials: Credentials | None = Field(default=None, description="Content Credentials; since 1.2")

    @property
    def frames(self) -> int:
        """Frames the file shows, decoded or passed over."""
        return self.frames_decoded + self.frames_passed_over

    @property
    def picture(self) -> Picture | None:
        """Facts of its picture; none in older analyses."""
        return self.details.picture if self.details else None

    @property
    def still(self) -> bool:
        """Whether it is a photograph, and no video."""
        return self.kind is MediaKind.IMAGE


MOST_COVERED = 0.5
"""Of the faces of a person, or of a segment: above this share covered ones, it is one of covered faces."""


def is_mostly_covered(share: float | None) -> bool:
    """Whether one with this share of covered faces is one of covered faces; no where nobody asked."""
    return share is not None and share > MOST_COVERED


class Person(Value):
    """One or more tracks judged to be the same face."""

    id: str = Field(pattern=r"^[A-Z]+$", description="A, B, C … in order of screen time")
    median_box: Box
    screen_time: Seconds = Field(
        description="of the sampled frames with this face, each up to the next sampled one"
    )
    tracks: tuple[int, ...]
    usable_frames: int = Field(ge=0, description="sampled frames in which this face was judged")
    motionless: bool | None = Field(
        default=None,
        description="whether the face is one picture that does not move, for two seconds and more each time "
        "it is shown: a still shown as a video; null in photographs; since 1.20",
    )
    grey: Probability | None = Field(
        default=None,
        description="share of the faces judged in sampled frames that are without colour or toned in one; "
        "null if none was judged, and in photographs; since 1.20",
    )
    covered: Probability | None = Field(
        default=None,
        description="share of the faces judged in sampled frames of which mouth or eyes are covered, as by a "
        "mask, a hand or a caption; null if none was judged; since 1.21",
    )
    quality: FaceQuality | None = Field(
        default=None,
        description="as of the coverage, of this person's faces alone; null if none was judged; since 1.22",
    )
    probability: Probability | None = Field(
        description="calibrated for exhibits, of the strongest segment or else of all usable frames; "
        "null if none was usable"
    )
    second_look: SecondLook | None = Field(default=None, description="null: none was taken")
    scores: Scores


RANDOM_AREAS = 8
"""With how many random areas a heatmap is compared, unless many faces of one photograph share them."""


class HideAndRescore(Value):
    """Does hiding what the map highlights change the score?

    The hottest area covering ``area`` of the face is blurred and the face is scored
    again; beside it, the mean over random areas of the same size.
    """

    area: Probability = Field(description="share of the face that was hidden")
    probability: Probability = Field(description="before hiding")
    hidden_highlight: Probability = Field(description="after hiding the hottest area")
    hidden_random: Probability = Field(description="after hiding a random area, mean of several")
    drop_highlight: float = Field(description="logit before minus logit after hiding the hottest area")
    drop_random: float = Field(description="logit before minus mean logit after hiding random areas")
    areas: int = Field(
        default=RANDOM_AREAS,
        ge=1,
        description="of how many random areas that is the mean: fewer than 8 where more than two faces of "
        "one photograph are explained, since 1.10",
    )


class CloseUp(Value):
    """A small face of a photograph that is kept smaller than it is, with what surrounds it, at full size."""

    part: Box = Field(description="what the pictures show, in whole px of the exhibit")
    frame: str = Field(description="PNG of that part, relative to analysis.json")
    overlay: str = Field(description="PNG of that part with the heatmap, likewise")
    map: str = Field(description="PNG of that part of the heatmap alone, likewise")


class Peak(Value):
    """A frame inside a segment whose smoothed score is a local maximum."""

    time: Seconds
    pts: int
    frame_index: FrameIndex = None
    probability: Probability
    box: Box
    frame: str | None = Field(description="PNG of the frame, relative to analysis.json; null if not kept")
    overlay: str | None = Field(description="PNG of the frame with the heatmap, likewise")
    map: str | None = Field(
        default=None,
        description="PNG of the heatmap alone, as large as the frame and clear where it is cold, likewise",
    )
    close_up: CloseUp | None = Field(
        default=None,
        description="null: the pictures above show the face well enough, or none is kept; since 1.16",
    )
    heat: Probability = Field(description="hottest value of this map on the analysis's shared scale")
    check: HideAndRescore

    @property
    def pictures(self) -> tuple[str, ...]:
        """Paths of all that were kept."""
        near = (self.close_up.frame, self.close_up.overlay, self.close_up.map) if self.close_up else ()
        return tuple(path for path in (self.frame, self.overlay, self.map, *near) if path)


class Segment(Value):
    """An interval of one person's time that reaches the threshold for a finding.

    It is flagged where a finding rests on it: not where other views of the person do not agree, or the faces
    are without colour or covered (``detector.verdict.judged_persons``).
    """

    id: str = Field(description="person and number, such as A1")
    person: str
    start: Seconds
    end: Seconds = Field(description="equal to start in a still image")
    start_frame: FrameIndex = None
    end_frame: FrameIndex = None
    confidence: Probability = Field(
        description="calibrated for segments, of the mean logit of its sampling intervals"
    )
    frames: int = Field(gt=0, description="frames scored inside")
    covered: Probability | None = Field(
        default=None, description="as of persons, of the faces inside; since 1.21"
    )
    peaks: tuple[Peak, ...] = Field(max_length=3)


class OtherModel(Value):
    """What another model says of the same faces in the same sampled frames, by the same rules.

    Persons are those of the analysis, with this model's scores; ids of segments are this model's own. Frames
    between those sampled are not judged. Pictures of its peaks lie below ``overlays/`` as well.
    """

    model: Model
    verdict: Verdict
    reason: str
    probability: Probability | None
    segments: tuple[Segment, ...]
    persons: tuple[Person, ...]
    ran: Ran


class Joint(Value):
    """What all models of an analysis amount to together, by the rule that was chosen."""

    rule: JointRule
    verdict: Verdict
    reason: str


class Analysis(Value):
    """One run of one model, or of several, over one exhibit.

    All but ``others`` and ``joint`` is of the first model.
    """

    schema_version: str = SCHEMA_VERSION
    verdict: Verdict
    kind: ManipulationKind | None = Field(
        default=None,
        description="of a verdict of manipulated: the question that the second look answers with yes for all "
        "flagged faces, since 1.23 by what it says where they are flagged; null: neither clearly outweighs "
        "the other, or none was taken; since 1.8",
    )
    reason: str = Field(description="the verdict's reason in words")
    probability: Probability | None = Field(
        description="calibrated, that some face was manipulated: the highest of any person who counts, of a "
        "photo (since 1.17) averaged over the odds of its judged faces; null when nothing could be judged"
    )
    answers: Answers | None = Field(
        default=None, description="what the second look answers, likewise; null: none was taken"
    )
    stability: Probability | None = Field(
        default=None,
        description="the least stability of the persons on whom the verdict rests; null: none was "
        "measured; since 1.5",
    )
    declarations: tuple[Declaration, ...] | None = Field(
        default=None,
        description="what the file itself says of its making, most telling first; never part of verdict or "
        "probability; null: not looked for, as in analyses before 1.6",
    )
    picture: str | None = Field(
        default=None,
        description=f"PNG of a photo as it was examined, at most {KEPT_WIDTH} px wide, relative to "
        "analysis.json; null: a video, or not kept; since 1.8",
    )
    boxed: str | None = Field(
        default=None, description="the same with each face boxed and named, likewise; since 1.8"
    )
    segments: tuple[Segment, ...]
    persons: tuple[Person, ...]
    media: Media
    model: Model
    parameters: Parameters
    coverage: Coverage
    software: Software
    others: tuple[OtherModel, ...] = Field(
        default=(), max_length=MOST_OTHERS, description="other models that were asked for; since 1.10"
    )
    joint: Joint | None = Field(default=None, description="null: no other model was asked for; since 1.10")

    @property
    def every_segment(self) -> tuple[Segment, ...]:
        """The segments of all models, those of the first one first."""
        return (*self.segments, *(segment for other in self.others for segment in other.segments))

    def by(self, other: OtherModel) -> Analysis:
        """The analysis as one of ``others`` alone would have it."""
        of_other = {name: getattr(other, name) for name in OtherModel.model_fields if name != "ran"}
        of_first = {"kind": None, "answers": None, "stability": None, "others": (), "joint": None}
        return self.model_copy(update=of_other | of_first)

    def to_json(self) -> str:
        """Text of ``analysis.json``: UTF-8, two-space indent, keys in schema order."""
        text = self.model_dump_json(indent=2)
        text += "\n"  # in place: hours of video are some 50 MB of it
        return text

    @model_validator(mode="after")
    def _as_it_was_made(self) -> Self:
        """Parameters that its version did not have yet are 0, not today's defaults (:data:`LACKING`)."""
        given = self.parameters
        lacking = [
            name
            for name, versions in LATER_PARAMETERS.items()
            if self.schema_version in versions and name not in given.model_fields_set
        ]
        if lacking:
            object.__setattr__(self, "parameters", given.model_copy(update=zero_values(lacking)))
        return self

    @classmethod
    def from_json(cls, text: str | bytes) -> Analysis:
        """Read what :meth:`to_json` wrote; raises ``pydantic.ValidationError`` on anything else."""
        return cls.model_validate_json(text)


def schema_text() -> str:
    """The JSON schema (draft 2020-12) of ``analysis.json``, as published in ``docs/``."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Analysis.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


class Summary(TypedDict):
    """What ``score`` prints and the API tells of an analysis beside verdict and probability.

    ``answers`` are those of :class:`~detector.schema.measurements.Answers`, ``declarations`` what
    the file itself says of its making, the first few in short; both None where the analysis does not say.
    """

    kind: str | None
    answers: dict[str, float] | None
    declarations: list[str] | None


EMPTY_SUMMARY: Final = Summary(kind=None, answers=None, declarations=None)
"""Of what is not analysed yet, or was not asked these questions."""


def summarise(analysis: Analysis) -> Summary:
    """The summary of ``analysis``."""
    return Summary(
        kind=None if analysis.kind is None else analysis.kind.value,
        answers=None if analysis.answers is None else analysis.answers.model_dump(),
        declarations=None
        if analysis.declarations is None
        else [each.short for each in first_statements(analysis.declarations)],
    )
