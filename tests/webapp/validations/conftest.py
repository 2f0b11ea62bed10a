"""The model used for the exhibits of a validation."""

from __future__ import annotations

import pytest
from labelled_cases import shipped_model

from detector.schema.model import Model


@pytest.fixture(scope="module")
def shipped() -> Model:
    return shipped_model()
