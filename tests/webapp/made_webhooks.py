"""Webhooks that tests make, and messages that are sent to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask

from webapp.storage.tables import now
from webapp.webhooks import delivery

API = "/api/v1"


def hook(app: Flask, url: str, **more: Any) -> dict[str, Any]:
    """A webhook made over REST; ``more`` is what else the request says."""
    answer = app.test_client().post(f"{API}/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    return answer.json


def trip(app: Flask) -> int:
    """Queue what ended and send what is due; how many messages were tried."""
    since = now() - timedelta(minutes=1)
    return delivery.deliver_round(app.extensions["settings"], app.extensions["database"], since)[0]
