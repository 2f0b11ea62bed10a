"""Fixtures of the models pages: only one shipped model."""

from __future__ import annotations

import shutil

import pytest

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER
from webapp.installed_models import service as model_service


@pytest.fixture(autouse=True)
def one_shipped(tmp_path, monkeypatch):
    """Whatever else is shipped, only the default counts as shipped here."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for suffix in (".json", ".safetensors"):
        shutil.copy(MODELS_FOLDER / f"{DEFAULT_MODEL}{suffix}", shipped)
    monkeypatch.setattr(model_service, "MODELS_FOLDER", shipped)
