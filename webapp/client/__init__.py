"""A Python client of the REST API that needs the standard library alone.

    from webapp.client import Client
    reelproof = Client("http://127.0.0.1:8000", token=None)
    analysis = reelproof.wait(reelproof.create("clip.mp4")["id"])
    for segment in reelproof.segments(analysis["id"]):
        print(segment["person"], segment["start"], segment["end"], segment["flagged"])

This folder needs nothing else of Reelproof and may be copied elsewhere, so imports in it are relative.
Responses are JSON as ``/api/v1/openapi.json`` describes it. Errors are :class:`Problem` or a subclass.
"""

from __future__ import annotations

from .calls import AnalysisCalls, ComparisonCalls, FindingCalls, ReviewCalls
from .connection import (
    AnalysisFailed,
    ClientError,
    ComparisonFailed,
    Conflict,
    NotAllowed,
    NotFound,
    NotReached,
    Problem,
    TooOften,
    Unusable,
)
from .uploads import PART, UploadCalls

__all__ = [
    "PART",
    "AnalysisFailed",
    "Client",
    "ClientError",
    "ComparisonFailed",
    "Conflict",
    "NotAllowed",
    "NotFound",
    "NotReached",
    "Problem",
    "TooOften",
    "Unusable",
]


class Client(UploadCalls, AnalysisCalls, FindingCalls, ReviewCalls, ComparisonCalls):
    """A Reelproof at ``address``, that of its start page; ``token`` is needed where people sign in."""
