"""What the API takes and answers, as models, a module for each area; ``openapi.json`` is made from them.

:mod:`~webapp.api.contract.schemas.base` has what several areas share,
:mod:`~webapp.api.contract.schemas.jobs` what analyses and comparisons do. The others have the names of the
modules of :mod:`webapp.api` that they are for: ``uploads``, ``analyses``, ``findings``, ``annotations``,
``reviews``, ``downloads``, ``exhibits``, ``comparisons``, ``copies``, ``custody``, ``webhooks``, ``about``;
what is for its ``models`` stands here.

An analysis itself has the engine's own schema, :class:`detector.schema.analysis.Analysis`. Models that only
one area has may stand beside its operations.
"""

from __future__ import annotations

from pydantic import Field

from detector.models.card import Card
from detector.schema.analysis import Value


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
