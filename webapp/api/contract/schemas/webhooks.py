"""Webhooks and their messages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from detector.schema.analysis import Value
from webapp.api.contract.schemas.base import Id, Moment, RequestModel
from webapp.webhooks.registry import EVENTS, OF_ANALYSES

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


class NewWebhook(RequestModel):
    """Where to send what."""

    url: str = Field(max_length=2000, pattern=r"^https?://[!-~]+$")
    events: tuple[Event, ...] = Field(default=OF_ANALYSES, min_length=1, max_length=len(EVENTS))  # type: ignore[arg-type]


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
    analysis: Id | None = Field(description="the analysis, or the comparison, that it tells of")
    alert: str | None = Field(description="the alert that it tells of; one of the two is null")
    happened: Moment
    attempts: int
    due: Moment | None = Field(description="when it is tried next; null: delivered, or given up")
    delivered: Moment | None
    status: int | None = Field(description="of the last answer")
    problem: str | None


class Deliveries(Value):
    """The latest messages of a webhook, newest first."""

    deliveries: tuple[DeliveryShape, ...]
