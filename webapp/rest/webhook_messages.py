"""The messages of webhooks: events, bodies and signature, as they are sent and as openapi.json has them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from detector.schema.comparison import Outcome
from detector.schema.strength import Strength
from detector.schema.summary import AnalysisOutcome
from detector.schema.voice import VoiceSummary
from webapp.rest.schemas import Moment

AnalysisEvent = Literal["analysis.explaining", "analysis.done", "analysis.failed", "analysis.cancelled"]
ComparisonEvent = Literal["comparison.done", "comparison.failed", "comparison.cancelled"]
OperationsEvent = Literal["operations.alert", "operations.resolved"]
Event = Literal[AnalysisEvent, ComparisonEvent, OperationsEvent]
ENDS: tuple[AnalysisEvent, ...] = ("analysis.done", "analysis.failed", "analysis.cancelled")
"""The default of a webhook."""
OPERATIONS_EVENTS: tuple[OperationsEvent, ...] = get_args(OperationsEvent)
EVENTS: tuple[Event, ...] = get_args(Event)

SIGNATURE = "Reelproof-Signature"
STEP = 10.0  # seconds for connecting, for sending, and for the next bytes of the response
DEADLINE = 30  # seconds for a whole request, however slowly the response arrives


class Message(BaseModel):
    """What every message has."""

    model_config = ConfigDict(frozen=True)
    operation: ClassVar[str]  # id and summary in openapi.json
    summary: ClassVar[str]

    id: str
    happened: Moment
    href: str


class JobMessage(Message):
    """A job ended. Of its exhibit a message states the SHA-256 alone."""

    state: str
    exhibit: str = Field(description="SHA-256")
    withheld: Literal[True] = Field(
        default=True, description="Findings are hidden from a reviewer, and null; absent if they are not"
    )


class AnalysisMessage(JobMessage):
    """An analysis ended, or its finding is final."""

    operation = "analysisEnded"
    summary = (
        "The finding of an analysis is final and its pictures follow, or it is done, failed or was cancelled"
    )

    event: AnalysisEvent
    analysis: str
    outcome: AnalysisOutcome | None = Field(description="The more serious of the verdicts; null: not done")
    headline: str | None = Field(description="Both verdicts in words; null: not done")
    verdict: str | None
    strength: Strength | None = Field(description="Of a finding on faces")
    kind: str | None
    voice: VoiceSummary | None = Field(
        description="What is said of the voices, as the analysis has it; null: sound was not examined"
    )
    copies: int = Field(description="How many other exhibits show the same or a part of it")


class ComparisonMessage(JobMessage):
    """A comparison ended."""

    operation = "comparisonEnded"
    summary = "A comparison is done, failed or was cancelled"

    event: ComparisonEvent
    comparison: str
    reference: str = Field(description="SHA-256")
    related: bool | None
    segments: int | None
    outcome: Outcome | None


class AlertMessage(Message):
    """An alert began or ended."""

    operation = "operationsAlert"
    summary = "A threshold is passed, or no longer"

    event: OperationsEvent
    alert: str
    words: str


MESSAGES: tuple[type[Message], ...] = (AnalysisMessage, ComparisonMessage, AlertMessage)

_ARRIVED = (
    f"It arrived. Sent again after any other answer, {DEADLINE} seconds without one, or {STEP:.0f} seconds "
    "in which no connection is made, nothing is taken or nothing more is answered."
)


def describe(message: type[Message], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the webhook of a message for openapi.json, with the (reference to the) schema of its body."""
    signature = {
        "name": SIGNATURE,
        "in": "header",
        "required": True,
        "description": "t=seconds since 1970, v1=hexadecimal HMAC-SHA256 of “t.body”",
        "schema": {"type": "string"},
    }
    return {
        "post": {
            "operationId": message.operation,
            "summary": message.summary,
            "parameters": [signature],
            "requestBody": {"content": {"application/json": {"schema": schema}}},
            "responses": {"2XX": {"description": _ARRIVED}},
        }
    }
