"""A Python client of the REST API that needs the standard library alone."""

from __future__ import annotations

from webapp.client.calls import AnalysisCalls, ComparisonCalls, FindingCalls, ReviewCalls
from webapp.client.connection import (
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
from webapp.client.uploads import PART, UploadCalls

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
    """One Reelproof. ``address`` is that of its start page; ``token`` is needed where people sign in."""
