"""Analyses: to ask for, to list, and where they stand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Json

from detector.schema.analysis import Answers, ManipulationKind, Parameters, Value, Verdict
from detector.schema.joint_rule import MOST_OTHERS, JointRule
from webapp.api.contract.schemas.base import Day, Id, RequestModel, Sha256, Text
from webapp.api.contract.schemas.jobs import JobStatus, PriorityName
from webapp.storage.tables import State


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
