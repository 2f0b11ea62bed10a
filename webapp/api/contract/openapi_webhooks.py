"""Messages of webhooks, as ``openapi.json`` describes them; :mod:`webapp.webhooks.messages` writes them."""

from __future__ import annotations

from typing import Any

from detector.schema.comparison import Outcome
from webapp.api.contract.operation import JSON
from webapp.webhooks.registry import OF_ANALYSES, OF_COMPARISONS, OF_OPERATIONS
from webapp.webhooks.request import DEADLINE, STEP
from webapp.webhooks.signature import SIGNATURE

_TEXT: dict[str, Any] = {"type": "string"}
_SHA256 = {"type": "string", "description": "SHA-256"}
_WITHHELD = "withheld"  # the one property that is left out of most messages
_ARRIVED = (
    f"It arrived. Sent again after any other answer, {DEADLINE} seconds without one, or {STEP:.0f} seconds "
    "in which no connection is made, nothing is taken or nothing more is answered."
)


def webhooks() -> dict[str, Any]:
    """The object ``webhooks``: what is sent when a job ended, and when an alert begins or ends."""
    return {
        "analysisEnded": _message(
            "analysisEnded",
            "An analysis is done, failed or was cancelled",
            OF_ANALYSES,
            _of_job(
                "analysis",
                {
                    "verdict": {"type": ["string", "null"]},
                    "kind": {"type": ["string", "null"]},
                    "copies": {
                        "type": "integer",
                        "description": "How many other exhibits show the same or a part of it",
                    },
                },
            ),
        ),
        "comparisonEnded": _message(
            "comparisonEnded",
            "A comparison is done, failed or was cancelled",
            OF_COMPARISONS,
            _of_job(
                "comparison",
                {
                    "reference": _SHA256,
                    "related": {"type": ["boolean", "null"]},
                    "segments": {"type": ["integer", "null"]},
                    "outcome": {"enum": [*map(str, Outcome), None]},
                },
            ),
        ),
        "operationsAlert": _message(
            "operationsAlert",
            "A threshold is passed, or no longer",
            OF_OPERATIONS,
            {"alert": _TEXT, "words": _TEXT, "href": _TEXT},
        ),
    }


def _of_job(noun: str, findings: dict[str, Any]) -> dict[str, Any]:
    """Properties of the message that a job ended, which says ``findings`` unless they are withheld."""
    return {
        noun: _TEXT,
        "href": _TEXT,
        "state": _TEXT,
        "exhibit": _SHA256,
        **findings,
        _WITHHELD: {"const": True, "description": "Findings are hidden from a reviewer, and null"},
    }


def _message(
    operation_id: str, summary: str, events: tuple[str, ...], of_event: dict[str, Any]
) -> dict[str, Any]:
    """One message: when it is sent, how it is signed, and what it holds beside its id, event and moment."""
    properties = {
        "id": _TEXT,
        "event": {"enum": list(events)},
        "happened": {"type": "string", "format": "date-time"},
        **of_event,
    }
    always = [name for name in properties if name != _WITHHELD]
    schema = {"type": "object", "properties": properties, "required": always}
    signature = {
        "name": SIGNATURE,
        "in": "header",
        "required": True,
        "description": "t=seconds since 1970, v1=hexadecimal HMAC-SHA256 of “t.body”",
        "schema": _TEXT,
    }
    return {
        "post": {
            "operationId": operation_id,
            "summary": summary,
            "parameters": [signature],
            "requestBody": {"content": {JSON: {"schema": schema}}},
            "responses": {"2XX": {"description": _ARRIVED}},
        }
    }
