"""REST operations on webhooks."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field
from sqlalchemy import select

from detector.schema.analysis import Value
from webapp import context
from webapp.accounts.permissions import Permission, current
from webapp.errors import UserError
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import Answer, operation
from webapp.rest.schemas import Id, Moment, RequestModel, moment
from webapp.rest.webhook_messages import ENDS, EVENTS, OPERATIONS_EVENTS, Event
from webapp.storage.tables import Delivery, WebhookRow
from webapp.webhooks import messages
from webapp.webhooks.delivery import webhook_secret

blueprint = Blueprint("api_webhooks", __name__)

_MAX_DELIVERIES = 100


class NewWebhook(RequestModel):
    """The address and the events of a new webhook."""

    url: str = Field(max_length=2000, pattern=r"^https?://[!-~]+$")
    events: tuple[Event, ...] = Field(
        default=ENDS,
        min_length=1,
        max_length=len(EVENTS),
    )


class Webhook(Value):
    """A webhook."""

    id: Id
    url: str
    events: tuple[Event, ...]
    made: Moment


class MadeWebhook(Webhook):
    """A new webhook with the secret that signs its messages. The secret is shown only once."""

    secret: str


class Webhooks(Value):
    """All webhooks."""

    webhooks: tuple[Webhook, ...]


class DeliveryShape(Value):
    """A message and the state of its delivery."""

    id: Id
    event: Event
    analysis: Id | None = Field(description="the analysis or comparison it is about")
    alert: str | None = Field(description="the alert it is about; one of the two is null")
    happened: Moment
    attempts: int
    due: Moment | None = Field(description="when the next attempt is due; null: delivered, or given up")
    delivered: Moment | None
    status: int | None = Field(description="of the last response")
    problem: str | None


class Deliveries(Value):
    """The latest messages of a webhook, newest first."""

    deliveries: tuple[DeliveryShape, ...]


def _secret(webhook_id: str) -> str:
    return webhook_secret(context.settings().data, webhook_id)


@operation(
    blueprint,
    "POST",
    "/webhooks",
    permission=Permission.CONFIGURE,
    body=NewWebhook,
    answers={201: Answer("It was created.", MadeWebhook)},
    errors=(409, 413, 415, 422),
    keyed=True,
    secret=_secret,
)
def create(body: NewWebhook) -> tuple[MadeWebhook, int]:
    """Send messages to an address that an administrator allowed.

    The secret in the response signs each message. It is shown only once.
    """
    allowed = context.settings().webhooks
    with context.database().alone() as session:
        row = messages.add_webhook(session, allowed, body.url, body.events, current().name, id_to_create())
        values = _values(row)
    return MadeWebhook.model_validate(values | {"secret": _secret(row.id)}), 201


@operation(
    blueprint,
    "GET",
    "/webhooks",
    permission=Permission.CONFIGURE,
    answers={200: Answer("All webhooks.", Webhooks, headers=("ETag",))},
)
def listing() -> Webhooks:
    """List the webhooks."""
    with context.database().begin() as session:
        rows = session.scalars(select(WebhookRow).order_by(WebhookRow.made)).all()
    return Webhooks(webhooks=tuple(Webhook.model_validate(_values(row)) for row in rows))


@operation(
    blueprint,
    "DELETE",
    "/webhooks/<webhook_id>",
    permission=Permission.CONFIGURE,
    answers={204: Answer("Nothing more is sent there.")},
    errors=(404,),
)
def delete(webhook_id: str) -> None:
    """Delete a webhook and its messages that are still to be sent."""
    with context.database().alone() as session:
        if not messages.remove_webhook(session, webhook_id):
            raise _unknown_webhook()


@operation(
    blueprint,
    "GET",
    "/webhooks/<webhook_id>/deliveries",
    permission=Permission.CONFIGURE,
    answers={200: Answer("The latest messages.", Deliveries, headers=("ETag",))},
    errors=(404,),
)
def deliveries(webhook_id: str) -> Deliveries:
    """List the latest messages of a webhook and the state of their delivery."""
    own = select(Delivery).where(Delivery.webhook_id == webhook_id)
    with context.database().begin() as session:
        if session.get(WebhookRow, webhook_id) is None:
            raise _unknown_webhook()
        rows = session.scalars(own.order_by(Delivery.happened.desc()).limit(_MAX_DELIVERIES)).all()
    shapes = (
        DeliveryShape(
            id=row.id,
            event=row.event,  # type: ignore[arg-type]
            analysis=None if row.event in OPERATIONS_EVENTS else row.about,
            alert=row.about if row.event in OPERATIONS_EVENTS else None,
            happened=moment(row.happened) or "",
            attempts=row.attempts,
            due=moment(row.due),
            delivered=moment(row.delivered),
            status=row.status,
            problem=row.problem,
        )
        for row in rows
    )
    return Deliveries(deliveries=tuple(shapes))


def _values(row: WebhookRow) -> dict[str, object]:
    return {"id": row.id, "url": row.url, "events": row.events.split(), "made": moment(row.made)}


def _unknown_webhook() -> UserError:
    return UserError(404, "There is no such webhook.", "List those there are.")
