"""The folders of the app under test."""

from __future__ import annotations

import pytest

from webapp.storage.data_folder import Folders


@pytest.fixture
def folders(app) -> Folders:
    return Folders(app.extensions["settings"].data)
