"""The default is the one model that ships."""

from __future__ import annotations

import shutil

import pytest

from detector.models.card_files import DEFAULT, MODELS
from webapp.services import models as model_service


@pytest.fixture(autouse=True)
def one_shipped(tmp_path, monkeypatch):
    """Whatever else ships, here the default ships alone."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for suffix in (".json", ".safetensors"):
        shutil.copy(MODELS / f"{DEFAULT}{suffix}", shipped)
    monkeypatch.setattr(model_service, "MODELS", shipped)
