"""A server that records messages, and an app that may send to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from http_servers import Receiver

from webapp import create_app


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path, receiver: Receiver, sent: list[str]) -> Iterator[Flask]:
    """An app that may send to the receiver."""
    allowed = f"{receiver.address}/hooks/ https://lab.example/in"
    app = create_app(
        {
            "TESTING": True,
            "REELPROOF_DATA": tmp_path / "data",
            "SEND": sent.append,
            "REELPROOF_WEBHOOKS": allowed,
        }
    )
    yield app
    app.extensions["database"].close()
