"""What the API takes and answers, as models; ``openapi.json`` is made from them.

An analysis itself has the engine's own schema, :class:`detector.schema.analysis.Analysis`.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    Json,
    RootModel,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from detector import timestamps
from detector.models.card import Card
from detector.schema.analysis import (
    Answers,
    ManipulationKind,
    Parameters,
    Score,
    Segment,
    Value,
    Verdict,
)
from detector.schema.others import MOST_OTHERS, JointRule
from reports.review.annotations import ANNOTATION, Annotation
from webapp.storage.tables import Priority, State
from webapp.webhooks.registry import EVENTS, OF_ANALYSES

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Text that PostgreSQL can keep and pages can show.
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
PriorityName = Literal["low", "normal", "high"]
assert set(PriorityName.__args__) == {each.words for each in Priority}  # type: ignore[attr-defined]
Event = Literal[
    "analysis.done",
    "analysis.failed",
    "analysis.cancelled",
    "comparison.done",
    "comparison.failed",
    "comparison.cancelled",
    "operations.alert",
    "operations.resolved",
]
assert set(EVENTS) == set(Event.__args__)  # type: ignore[attr-defined]


def _day(text: object) -> date:
    """Nothing but YYYY-MM-DD: by itself pydantic takes seconds since 1970 as well."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a day is written as 2026-11-20")
    return date.fromisoformat(text)


Day = Annotated[date, BeforeValidator(_day)]


class RequestModel(BaseModel):
    """A part of a request: what it does not name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        description="whether report.pdf is just being made; available: it is handed out, and set first where "
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
        default=False, description="of exhibits that are copies of one another, only the newest analysis"
    )
    limit: int = Field(default=25, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")] = Field(
        default="", description="from the address in “next”"
    )


class FormParameters(Parameters):
    """Parameters as JSON in a form: numbers are numbers, as in a JSON body."""

    model_config = ConfigDict(strict=True)


OtherModels = Annotated[
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
    also: Json[OtherModels] = Field(default=(), description=f"JSON: {_ALSO}")
    joint: JointRule = Field(default=JointRule.FIRST, description=_JOINT)
    case: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="id of a case you are in"
    )
    priority: PriorityName = "normal"


class Again(RequestModel):
    """With what an exhibit is to be analysed."""

    model: Annotated[Text, Field(min_length=1, max_length=60)] | None = None
    parameters: Parameters | None = None
    also: OtherModels = Field(default=(), description=_ALSO)
    joint: JointRule = Field(default=JointRule.FIRST, description=_JOINT)
    priority: PriorityName = "normal"


class Prioritised(RequestModel):
    """How soon an analysis that waits is to begin."""

    priority: PriorityName


class OfUpload(Again):
    """With what a file that came in parts is to be analysed, and the case it belongs to."""

    case: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class AnnotationFile(RequestModel):
    """The form that imports annotations has no field but its file."""


class Segments(Value):
    """The segments that were flagged."""

    segments: tuple[Segment, ...]


class PersonScore(Score):
    """One score, with whose face it is."""

    person: str


class Scores(Value):
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


class OneAnnotation(RootModel[Annotation]):
    """What somebody said (docs/bundle.md)."""


class Annotations(Value):
    """All annotations of an analysis, in order of time."""

    analysis: Id
    annotations: tuple[OneAnnotation, ...]


class Added(Annotations):
    """The annotation that was recorded, and all there are."""

    annotation: OneAnnotation


class Imported(Annotations):
    """How many annotations of a file were new and how many known, and all there are."""

    new: int
    known: int
    unverified: int = Field(description="of the new ones, those whose author is not you; 0 without login")


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


class Model(Value):
    """A model that can be chosen."""

    name: str
    default: bool
    shipped: bool
    bytes: int = Field(description="size of its weights")
    card: Card


class Models(Value):
    """All models."""

    models: tuple[Model, ...]


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


class Paged(RequestModel):
    """How much to list."""

    limit: int = Field(default=25, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")] = ""


class UploadShape(Value):
    """A file that comes in parts."""

    id: Id
    file: str
    size: int
    offset: int = Field(description="bytes received; the next part starts here")
    created: Moment
    expires: Moment = Field(description="what came is removed then, unless it was analysed")
    analysis: Id | None = Field(description="the analysis that became of it")


class NewWebhook(RequestModel):
    """Where to send what."""

    url: str = Field(max_length=2000, pattern=r"^https?://[!-~]+$")
    events: tuple[Event, ...] = Field(default=OF_ANALYSES, min_length=1, max_length=8)  # type: ignore[arg-type]


class Webhook(Value):
    """Where what is sent."""

    id: Id
    url: str
    events: tuple[Event, ...]
    made: Moment


class MadeWebhook(Webhook):
    """A new webhook with the secret its messages are signed with, which is shown this once."""

    secret: str


class Webhooks(Value):
    """All webhooks."""

    webhooks: tuple[Webhook, ...]


class DeliveryShape(Value):
    """One message and how it fared."""

    id: Id
    event: Event
    analysis: Id = Field(description="the analysis, or the comparison, that it tells of")
    happened: Moment
    attempts: int
    due: Moment | None = Field(description="when it is tried next; null: delivered, or given up")
    delivered: Moment | None
    status: int | None = Field(description="of the last answer")
    problem: str | None


class Deliveries(Value):
    """The latest messages of a webhook, newest first."""

    deliveries: tuple[DeliveryShape, ...]


class Health(Value):
    """The API answers."""

    status: Literal["ok"]
    version: str


class Me(Value):
    """Whom the API takes you for."""

    name: str
    scopes: tuple[str, ...] = Field(description="what you may do")


def moment(value: datetime | None) -> str | None:
    """A moment as the API writes it: UTC to the millisecond."""
    return timestamps.iso_milliseconds(value) if value else None


# What headers of uploads look like, for their check and their description.
_PAIR = r"[A-Za-z0-9_.-]{1,60}( [A-Za-z0-9+/]{0,4000}={0,2})?"


METADATA = f"^{_PAIR}(,{_PAIR}){{0,9}}$"


LONGEST_METADATA = 8000


# Of an annotation: what Reelproof gives it.
_GIVEN = ("id", "made", "imported_by")


class NewAnnotation(RootModel[dict[str, Any]]):
    """What somebody says now (docs/bundle.md); without “id”, “made” and “imported_by”."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of annotations, less what is given to them."""
        schema = ANNOTATION.json_schema(ref_template="#/{model}")
        kinds = []
        for kind in schema["$defs"].values():
            properties = {name: of for name, of in kind["properties"].items() if name not in _GIVEN}
            required = [name for name in kind["required"] if name not in _GIVEN]
            kinds.append(kind | {"properties": properties, "required": required})
        return {"title": "NewAnnotation", "description": cls.__doc__, "oneOf": kinds}
