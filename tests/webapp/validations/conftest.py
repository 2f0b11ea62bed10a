"""The model used for the exhibits of a validation."""

from __future__ import annotations

import json

import pytest

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER
from detector.schema.model import Model
from detector.validation.validated_model import validated_model


@pytest.fixture(scope="module")
def shipped() -> Model:
    """The default model as an analysis names it."""
    used = validated_model(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
    card = json.loads((MODELS_FOLDER / f"{DEFAULT_MODEL}.json").read_bytes())
    fields = {
        name: getattr(used, name) for name in ("name", "title", "architecture", "sha256", "temperature")
    }
    return Model(
        **fields,
        segment=used.segment,
        exhibit=used.exhibit,
        second_look=used.second_look,
        figures={},
        domain=card["domain"],
        limits=(),
    )
