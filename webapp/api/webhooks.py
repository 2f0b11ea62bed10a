"""Webhooks: where to tell what became of analyses and comparisons."""

from __future__ import annotations

from flask import Blueprint
from sqlalchemy import select

from webapp import this_app
from webapp.api.contract.idempotency import id_to_create
from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas.base import moment
from webapp.api.contract.schemas.webhooks import (
    Deliveries,
    DeliveryShape,
    MadeWebhook,
    NewWebhook,
    Webhook,
    Webhooks,
)
from webapp.errors import UserError
from webapp.security.access.permissions import Permission, current
from webapp.storage.tables import Delivery, WebhookRow
from webapp.webhooks import registry as webhook_registry
from webapp.webhooks.registry import OF_OPERATIONS
from webapp.webhooks.signature import secret

blueprint = Blueprint("api_webhooks", __name__)

_LATEST = 100


def _secret(webhook_id: str) -> str:
    return secret(this_app.settings().data, webhook_id)


@operation(
    blueprint,
    "POST",
    "/webhooks",
    permission=Permission.CONFIGURE,
    body=NewWebhook,
    answers={201: Answer("It was made.", MadeWebhook)},
    errors=(409, 413, 415, 422),
    keyed=True,
    secret=_secret,
)
def create(body: NewWebhook) -> tuple[MadeWebhook, int]:
    """Have messages sent to an address an administrator allowed.

    The secret in the answer signs each message, and is shown this once.
    """
    allowed = this_app.settings().webhooks
    with this_app.database().alone() as session:
        row = webhook_registry.add(session, allowed, body.url, body.events, current().name, id_to_create())
        made = _plain(row)
    return MadeWebhook.model_validate(made | {"secret": _secret(row.id)}), 201


@operation(
    blueprint,
    "GET",
    "/webhooks",
    permission=Permission.CONFIGURE,
    answers={200: Answer("All webhooks.", Webhooks, headers=("ETag",))},
)
def listing() -> Webhooks:
    """The webhooks there are."""
    with this_app.database().begin() as session:
        found = session.scalars(select(WebhookRow).order_by(WebhookRow.made)).all()
    return Webhooks(webhooks=tuple(Webhook.model_validate(_plain(row)) for row in found))


@operation(
    blueprint,
    "DELETE",
    "/webhooks/<webhook_id>",
    permission=Permission.CONFIGURE,
    answers={204: Answer("Nothing more is sent there.")},
    errors=(404,),
)
def delete(webhook_id: str) -> None:
    """Delete a webhook, and its messages that are still to be sent."""
    with this_app.database().alone() as session:
        if not webhook_registry.remove(session, webhook_id):
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
    """The latest messages of a webhook, and how they fared."""
    own = select(Delivery).where(Delivery.webhook_id == webhook_id)
    with this_app.database().begin() as session:
        if session.get(WebhookRow, webhook_id) is None:
            raise _unknown_webhook()
        found = session.scalars(own.order_by(Delivery.happened.desc()).limit(_LATEST)).all()
    told = (
        DeliveryShape(
            id=row.id,
            event=row.event,  # type: ignore[arg-type]
            analysis=None if row.event in OF_OPERATIONS else row.about,
            alert=row.about if row.event in OF_OPERATIONS else None,
            happened=moment(row.happened) or "",
            attempts=row.attempts,
            due=moment(row.due),
            delivered=moment(row.delivered),
            status=row.status,
            problem=row.problem,
        )
        for row in found
    )
    return Deliveries(deliveries=tuple(told))


def _plain(row: WebhookRow) -> dict[str, object]:
    return {"id": row.id, "url": row.url, "events": row.events.split(), "made": moment(row.made)}


def _unknown_webhook() -> UserError:
    return UserError(404, "There is no such webhook.", "List those there are.")
