"""REST routes of models."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from detector.models.card import Card
from detector.schema.analysis import Value
from webapp.accounts.permissions import Permission
from webapp.models import service as model_service
from webapp.rest.operation import Answer, operation


class AvailableModel(Value):
    """A model that can be chosen."""

    name: str
    default: bool
    shipped: bool = Field(description="it came with Reelproof")
    bytes: int = Field(description="size of its weights")
    card: Card


class Models(Value):
    """All models."""

    models: tuple[AvailableModel, ...]


blueprint = Blueprint("api_models", __name__)


@operation(
    blueprint,
    "GET",
    "/models",
    permission=Permission.READ,
    answers={200: Answer("All models.", Models, headers=("ETag",))},
)
def listing() -> Models:
    """The models with their cards: measured figures, domain and limits."""
    found = (
        AvailableModel(
            name=each.name, default=each.default, shipped=each.shipped, bytes=each.bytes, card=each.card
        )
        for each in model_service.list_models()
    )
    return Models(models=tuple(found))
