"""REST routes of models."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from detector.models.card import Card
from detector.schema.analysis import Value
from webapp.accounts.permissions import Permission
from webapp.installed_models import service as model_service
from webapp.rest.operation import Answer, operation


class AvailableModel(Value):
    """A model that analyses can use."""

    name: str
    default: bool
    shipped: bool = Field(description="whether it came with Reelproof")
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
    """List the models with their cards: measured figures, domain and limits."""
    models = (
        AvailableModel.model_validate(model, from_attributes=True) for model in model_service.list_models()
    )
    return Models(models=tuple(models))
