"""The model that exhibits of a validation were analysed by."""

from __future__ import annotations

import json

import pytest

from detector.models.card_files import DEFAULT, MODELS
from detector.schema.model import Model
from detector.validation.model_used import validated_model


@pytest.fixture(scope="module")
def shipped() -> Model:
    """The default model as an analysis names it."""
    used = validated_model(MODELS / f"{DEFAULT}.json")
    card = json.loads((MODELS / f"{DEFAULT}.json").read_bytes())
    told = {name: getattr(used, name) for name in ("name", "title", "architecture", "sha256", "temperature")}
    return Model(
        **told,
        segment=used.segment,
        exhibit=used.exhibit,
        second_look=used.second_look,
        figures={},
        domain=card["domain"],
        limits=(),
    )
