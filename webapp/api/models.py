"""The models that can be chosen."""

from __future__ import annotations

from flask import Blueprint

from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas import AvailableModel, Models
from webapp.security.access.permissions import Permission
from webapp.services import models as model_service

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
        for each in model_service.listed()
    )
    return Models(models=tuple(found))
