"""A live server that clients ask, and a file to hand in."""

from __future__ import annotations

from pathlib import Path

import pytest
from client_connections import CONTENT
from http_servers import served


@pytest.fixture
def live(app):
    with served(app) as address:
        yield address


@pytest.fixture
def clip(tmp_path) -> Path:
    path = tmp_path / "größe & co.mp4"
    path.write_bytes(CONTENT)
    return path
