"""Request and response models of the REST routes of analyses, exhibits, uploads, findings and downloads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Json

from detector.schema.analysis import Answers, ManipulationKind, Parameters, Score, Segment, Value, Verdict
from detector.schema.method import MOST_OTHERS, JointRule
from webapp.rest.schemas import Day, Id, Moment, RequestModel, Sha256, Text
from webapp.storage.tables import Priority, State

PriorityName = Literal["low", "normal", "high"]
assert set(PriorityName.__args__) == {each.words for each in Priority}  # type: ignore[attr-defined]


class JobStatus(Value):
    """Where what workers do stands."""

    id: Id
    state: State
    priority: PriorityName = Field(description="of those that wait, the highest begins first")
    stage: str = Field(description="what is being done, in words; empty unless it runs")
    progress: float = Field(ge=0, le=1)
    created: Moment
    started: Moment | None
    finished: Moment | None
    attempt: int
    ahead: int | None = Field(default=None, description="how many jobs come first, where it waits")
    error: str | None = Field(default=None, description="why it failed")
    remedy: str | None = Field(default=None, description="what to do about that")


class Prioritised(RequestModel):
    """How soon an analysis that waits is to begin."""

    priority: PriorityName


class AnalysisStatus(JobStatus):
    """Where an analysis stands."""

    file: str = Field(description="what the file was called when it was handed in")
    model: str | None = Field(description="null: the default when it starts")
    sha256: Sha256 = Field(description="of the exhibit")
    case: int | None = Field(description="id of the case it belongs to")
    settings: dict[str, Any] = Field(description="parameters that differ from their defaults")
    duration: float | None = Field(description="of the exhibit, in seconds; known once it is done")
    verdict: Verdict | None
    probability: float | None = Field(ge=0, le=1)
    kind: ManipulationKind | None = Field(
        default=None, description="of manipulation, where the verdict is that and it can be told"
    )
    answers: Answers | None = Field(default=None, description="null: not done, or no second look was taken")
    declarations: tuple[str, ...] | None = Field(
        default=None,
        description="what the file itself says of its making, the first few in short; no part of the "
        "verdict; null: not done, or by an earlier version",
    )
    copies: int | None = Field(
        default=None,
        description="how many other exhibits show the same or a part of it, as far as you may see them; not "
        "in lists",
    )
    report: Literal["being made", "available"] | None = Field(
        default=None,
        description="whether report.pdf is just being made; available: it is handed out, rendered anew where "
        "something was added since; null: not done; not in lists",
    )


class Listing(Value):
    """Some of what fits, newest first."""

    items: tuple[AnalysisStatus, ...]
    next: str | None = Field(description="address of the rest; null: this is the end")


class Search(RequestModel):
    """What analyses to list; what is left out asks for nothing."""

    q: Annotated[Text, Field(max_length=200)] = Field(
        default="", description="words of the file name, or the beginning of a SHA-256 or an id"
    )
    verdict: Verdict | None = None
    state: State | None = None
    model: Annotated[Text, Field(max_length=60)] = ""
    reviewer: Annotated[Text, Field(max_length=80)] = ""
    since: Day | None = Field(default=None, alias="from", description="first day, UTC")
    until: Day | None = Field(default=None, alias="to", description="last day, UTC")
    like: Id | None = Field(
        default=None,
        description="id of an analysis: of its exhibit, and of those that show the same",
    )
    grouped: bool = Field(
        default=False,
        description="of exhibits that are copies of one another, only the newest finished analysis of each "
        "verdict that fits, or else the newest",
    )
    limit: int = Field(default=25, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")] = Field(
        default="", description="from the address in “next”"
    )


class FormParameters(Parameters):
    """Parameters as JSON in a form: numbers are numbers, as in a JSON body."""

    model_config = ConfigDict(strict=True)


OtherModelNames = Annotated[
    tuple[Annotated[Text, Field(min_length=1, max_length=60)], ...], Field(max_length=MOST_OTHERS)
]
_ALSO = "names of other models that judge the same faces beside the first"
_JOINT = "how all models decide together: the first alone, any, the majority, or all"


class NewAnalysis(RequestModel):
    """The text fields of the form that hands in a file."""

    model: Annotated[Text, Field(min_length=1, max_length=60)] | None = Field(
        default=None, description="name of a model; left out: the default"
    )
    parameters: Json[FormParameters] | None = Field(
        default=None, description="JSON: the parameters that are not to have their defaults"
    )
    also: Json[OtherModelNames] = Field(default=(), description=f"JSON: {_ALSO}")
    joint: JointRule = Field(default=JointRule.FIRST, description=_JOINT)
    case: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="id of a case you are in"
    )
    priority: PriorityName = "normal"


class Again(RequestModel):
    """With what an exhibit is to be analysed."""

    model: Annotated[Text, Field(min_length=1, max_length=60)] | None = None
    parameters: Parameters | None = None
    also: OtherModelNames = Field(default=(), description=_ALSO)
    joint: JointRule = Field(default=JointRule.FIRST, description=_JOINT)
    priority: PriorityName = "normal"


class ExhibitShape(Value):
    """A file that was handed in, unchanged."""

    sha256: Sha256
    file: str = Field(description="what it was first called")
    bytes: int
    created: Moment
    analyses: tuple[Id, ...] = Field(description="newest first")


class Exhibits(Value):
    """Some of the exhibits, newest first."""

    items: tuple[ExhibitShape, ...]
    next: str | None


# What headers of uploads look like, for their check and their description.
_PAIR = r"[A-Za-z0-9_.-]{1,60}( [A-Za-z0-9+/]{0,4000}={0,2})?"
METADATA = f"^{_PAIR}(,{_PAIR}){{0,9}}$"
MAX_METADATA_LENGTH = 8000


class UploadShape(Value):
    """A file that comes in parts."""

    id: Id
    file: str
    size: int
    offset: int = Field(description="bytes received; the next part starts here")
    created: Moment
    expires: Moment = Field(description="what came is removed then, unless it was analysed")
    analysis: Id | None = Field(description="the analysis that became of it")


class OfUpload(Again):
    """With what a file that came in parts is to be analysed, and the case it belongs to."""

    case: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class FoundSegment(Segment):
    """A segment of an analysis, and whether it is flagged."""

    flagged: bool = Field(
        description="whether a finding rests on it; false: it was looked at, and other views do not agree or "
        "the faces are without colour or covered"
    )


class Segments(Value):
    """The segments of an analysis: those that are flagged, and those looked at and not flagged."""

    segments: tuple[FoundSegment, ...]


class PersonScore(Score):
    """One score, with whose face it is."""

    person: str


class ScorePage(Value):
    """Scores in order of person and time."""

    items: tuple[PersonScore, ...]
    next: str | None


class ScoreSearch(RequestModel):
    """Which scores to list; times in seconds from the first frame."""

    person: Annotated[str, Field(pattern=r"^[A-Z]{1,4}$")] | None = None
    start: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    end: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    limit: int = Field(default=1000, ge=1, le=10_000)
    cursor: int = Field(default=0, ge=0, le=1_000_000_000, description="from the address in “next”")


class ReportSearch(RequestModel):
    """Which language the report is to speak."""

    language: Literal["en", "de", "es"] = Field(
        default="en", description="of the report, and of a bundle's pages and README.txt; data stay English"
    )


class BundleSearch(ReportSearch):
    """What the bundle is to hold, and which language it is to speak."""

    video: Literal["yes", "no"] = Field(default="yes", description="no: without what plays of the exhibit")


class Export(Value):
    """A format that analyses can be exported in."""

    name: str
    what: str
    media_type: str
    href: str


class Exports(Value):
    """The formats."""

    exports: tuple[Export, ...]
