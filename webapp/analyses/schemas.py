"""Request and response models of the REST routes of analyses, exhibits, uploads, findings and downloads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Json

from detector.schema.analysis import Answers, ManipulationKind, Parameters, Score, Segment, Value, Verdict
from detector.schema.joint import MOST_OTHERS, JointRule
from detector.schema.strength import Strength
from detector.schema.summary import AnalysisOutcome
from detector.schema.voice import Instant, VoiceSegment, VoiceSummary, VoiceVerdict
from reports.inputs.case_fields import ASKED
from reports.wording.lengths import FULL, Length
from webapp.rest.schemas import Day, Id, JobStatus, Moment, PriorityName, RequestModel, Sha256, Text
from webapp.storage.tables import State


class Prioritised(RequestModel):
    """A new priority for a waiting analysis."""

    priority: PriorityName


class Earlier(Value):
    """Analyses of the same file before an upload that you may see."""

    count: int
    first: Moment = Field(description="when the oldest was created")


class AnalysisStatus(JobStatus):
    """The status of an analysis."""

    file: str = Field(description="name of the uploaded file")
    model: str | None = Field(description="null: the default at its start")
    sha256: Sha256 = Field(description="of the exhibit")
    case: int | None = Field(description="id of its case")
    settings: dict[str, Any] = Field(description="parameters that differ from their defaults")
    duration: float | None = Field(description="of the exhibit, in seconds; known once the analysis is done")
    outcome: AnalysisOutcome | None = Field(
        description="the more serious of the verdicts on faces and voices"
    )
    headline: str = Field(description="both verdicts in words, the more serious one first; empty: none yet")
    verdict: Verdict | None = Field(description="on faces; inconclusive for a recording of sound")
    probability: float | None = Field(ge=0, le=1, description="score of the faces")
    strength: Strength | None = Field(
        default=None, description="of a finding on faces; null: none, or made by 0.2 or earlier"
    )
    no_face: bool | None = Field(
        default=None, description="no face was found in a photo or video; null: made by 0.2 or earlier"
    )
    sound_only: bool | None = Field(
        default=None, description="a recording of sound without picture; null: made by 0.2 or earlier"
    )
    kind: ManipulationKind | None = Field(
        default=None, description="of manipulation, if that is the verdict and the kind could be determined"
    )
    answers: Answers | None = Field(default=None, description="null: not done, or without a second look")
    declarations: tuple[str, ...] | None = Field(
        default=None,
        description="what the file states about its own origin, the first few in short; not part of the "
        "verdict; null: not done, or made by an earlier version",
    )
    voice: VoiceSummary | None = Field(
        default=None,
        description="what was found about the voices, a question of its own; null: not done, or sound was "
        "not examined",
    )
    marks: tuple[str, ...] | None = Field(
        default=None,
        description="generators whose marks are hidden in pixels or sound; not part of the verdict; null: "
        "not done, or not looked for",
    )
    copies: int | None = Field(
        default=None,
        description="number of other exhibits you may see that show the same or a part of it; not in lists",
    )
    report: Literal["being made", "available"] | None = Field(
        default=None,
        description="being made: report.pdf is being rendered; available: it can be downloaded, and is "
        "rendered again if something was added since; null: not done; not in lists",
    )
    earlier: Earlier | None = Field(
        default=None, description="only in the response to an upload of a file that was analysed before"
    )


class Listing(Value):
    """A page of matching analyses, newest first."""

    items: tuple[AnalysisStatus, ...]
    next: str | None = Field(description="address of the next page; null: this is the last")


class Search(RequestModel):
    """Filters for a list of analyses."""

    q: Annotated[Text, Field(max_length=200)] = Field(
        default="", description="words of the file name, or the start of a SHA-256 or an id"
    )
    outcome: AnalysisOutcome | None = Field(
        default=None, description="the more serious of the verdicts on faces and voices"
    )
    verdict: Verdict | None = Field(default=None, description="on faces; recordings of sound never match")
    voice: VoiceVerdict | None = Field(default=None, description="verdict on the voices")
    state: State | None = None
    model: Annotated[Text, Field(max_length=60)] = ""
    reviewer: Annotated[Text, Field(max_length=80)] = ""
    since: Day | None = Field(default=None, alias="from", description="first day, UTC")
    until: Day | None = Field(default=None, alias="to", description="last day, UTC")
    like: Id | None = Field(
        default=None,
        description="id of an analysis: only analyses of its exhibit and of exhibits with the same content",
    )
    marks: bool = Field(default=False, description="only analyses whose exhibit carries a hidden mark")
    grouped: bool = Field(
        default=False,
        description="of exhibits that are copies of one another, list only the newest matching finished "
        "analysis of each verdict, or else the newest",
    )
    limit: int = Field(default=25, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")] = Field(
        default="", description="from the address in “next”"
    )


class FormParameters(Parameters):
    """Parameters as JSON in a form field, with JSON's strict types."""

    model_config = ConfigDict(strict=True)


OtherModelNames = Annotated[
    tuple[Annotated[Text, Field(min_length=1, max_length=60)], ...], Field(max_length=MOST_OTHERS)
]
_ALSO = "names of other models that judge the same faces beside the first"
_JOINT = "how the models decide together: the first alone, any, the majority, or all"


class ReportDetails(RequestModel):
    """Case details of an analysis; empty ones are printed as not stated."""

    case_number: str = ""
    exhibit_number: str = ""
    examiner: str = ""
    organisation: str = ""
    paper: str = Field(default="", description="A4 or Letter; default: A4")


assert tuple(ReportDetails.model_fields) == ASKED


class NewAnalysis(RequestModel):
    """The text fields of the upload form."""

    model: Annotated[Text, Field(min_length=1, max_length=60)] | None = Field(
        default=None, description="name of a model; default: the default model"
    )
    parameters: Json[FormParameters] | None = Field(
        default=None, description="JSON: the parameters that differ from their defaults"
    )
    also: Json[OtherModelNames] = Field(default=(), description=f"JSON: {_ALSO}")
    joint: JointRule = Field(default=JointRule.FIRST, description=_JOINT)
    case: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="id of a case you are in"
    )
    priority: PriorityName = "normal"
    details: Json[ReportDetails] = Field(
        default=ReportDetails(), description="JSON: case details, which reports print"
    )


class Again(RequestModel):
    """Model and parameters of a repeated analysis."""

    model: Annotated[Text, Field(min_length=1, max_length=60)] | None = None
    parameters: Parameters | None = None
    also: OtherModelNames = Field(default=(), description=_ALSO)
    joint: JointRule = Field(default=JointRule.FIRST, description=_JOINT)
    priority: PriorityName = "normal"


class ExhibitShape(Value):
    """An uploaded file, unchanged."""

    sha256: Sha256
    file: str = Field(description="name at its first upload")
    bytes: int
    created: Moment
    analyses: tuple[Id, ...] = Field(description="newest first")


class Exhibits(Value):
    """A page of exhibits, newest first."""

    items: tuple[ExhibitShape, ...]
    next: str | None


class UploadShape(Value):
    """A resumable upload."""

    id: Id
    file: str
    size: int
    offset: int = Field(description="bytes received; the next part starts here")
    created: Moment
    expires: Moment = Field(description="when the upload is removed, unless it was analysed")
    analysis: Id | None = Field(description="the analysis made of it")


class OfUpload(Again):
    """Model, parameters and case for the analysis of a complete upload."""

    case: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class FoundSegment(Segment):
    """A segment and whether it is flagged."""

    flagged: bool = Field(
        description="whether a finding rests on it; false: other views do not agree, or the faces are "
        "without colour or covered"
    )


class Segments(Value):
    """The segments of an analysis, flagged or not."""

    segments: tuple[FoundSegment, ...]


class PersonScore(Score):
    """A score and its person."""

    person: str


class ScorePage(Value):
    """A page of scores by person and time."""

    items: tuple[PersonScore, ...]
    next: str | None


class ScoreSearch(RequestModel):
    """Filters for a list of scores; times in seconds from the first frame."""

    person: Annotated[str, Field(pattern=r"^[A-Z]{1,4}$")] | None = None
    start: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    end: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    limit: int = Field(default=1000, ge=1, le=10_000)
    cursor: int = Field(default=0, ge=0, le=1_000_000_000, description="from the address in “next”")


class VoiceSegments(Value):
    """The segments of the voice, flagged or not."""

    segments: tuple[VoiceSegment, ...]


class VoiceScore(Value):
    """The score of one window of speech."""

    time: Instant = Field(description="middle of the window; negative: the sound begins before the picture")
    logit: float
    probability: float = Field(ge=0, le=1, description="calibrated, of this window alone")
    smoothed: float = Field(ge=0, le=1, description="after the sliding median; segments are made from it")


class VoiceScorePage(Value):
    """A page of scores of the voice by time, and the thresholds of its segments."""

    channels: tuple[int, ...] = Field(
        description="numbers of the channels that were scored, from 1; empty: all together"
    )
    window: float = Field(
        description="length of a whole window in seconds; shorter where the sound begins and ends"
    )
    enter: float = Field(description="smoothed score that opens a segment")
    leave: float = Field(description="smoothed score that closes it")
    items: tuple[VoiceScore, ...]
    next: str | None


class VoiceScoreSearch(RequestModel):
    """Filters for a list of scores of the voice; times in seconds from the first frame."""

    channel: int | None = Field(
        default=None,
        ge=1,
        description="number of a channel that was judged for itself; without it the channel of the verdict",
    )
    start: float | None = Field(default=None, allow_inf_nan=False)
    end: float | None = Field(default=None, allow_inf_nan=False)
    limit: int = Field(default=1000, ge=1, le=10_000)
    cursor: int = Field(default=0, ge=0, le=1_000_000_000, description="from the address in “next”")


class ReportSearch(RequestModel):
    """Language and length of the report."""

    language: Literal["en", "de", "es"] = Field(
        default="en", description="of the report, and of a bundle's pages and README.txt; data stay English"
    )
    length: Length = Field(default=FULL, description="summary: two pages instead of the full report")


class BundleSearch(ReportSearch):
    """Contents and language of the bundle, and the length of its report."""

    video: Literal["yes", "no"] = Field(default="yes", description="no: without the playable exhibit")


class Export(Value):
    """An export format."""

    name: str
    what: str
    media_type: str
    href: str


class Exports(Value):
    """The export formats."""

    exports: tuple[Export, ...]
