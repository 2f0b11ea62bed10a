"""The API from Python, with the standard library alone.

    from webapp.client import Client
    reelproof = Client("http://127.0.0.1:8000", token=None)
    analysis = reelproof.wait(reelproof.create("clip.mp4")["id"])
    for segment in reelproof.segments(analysis["id"]):
        print(segment["person"], segment["start"], segment["end"], segment["flagged"])

``Client`` is one class of parts, in the order in which a file passes them: :mod:`~webapp.client.uploads`,
:mod:`~webapp.client.analyses`, :mod:`~webapp.client.findings`, :mod:`~webapp.client.reviews`,
:mod:`~webapp.client.comparisons`. All ask by :mod:`~webapp.client.connection`, which asks again by
:mod:`~webapp.client.retries` and raises what :mod:`~webapp.client.errors` has.

This folder needs nothing else of Reelproof and may be copied to where it is needed: imports in it are
relative. Answers are JSON as ``/api/v1/openapi.json`` describes it. Errors are :class:`Problem` or one of its
kinds.
"""

from __future__ import annotations

from .analyses import AnalysisCalls
from .comparisons import ComparisonCalls
from .errors import (
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
from .findings import FindingCalls
from .reviews import ReviewCalls
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
    """One Reelproof. ``address`` is that of its start page; ``token`` is needed where people sign in."""
