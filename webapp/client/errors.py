"""What the client raises: nobody answered, the API refused, or what was waited for failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Root of everything that the client raises."""


class NotReached(ClientError):
    """Nobody answered, or the answer broke off."""


class Problem(ClientError):
    """The API refused: ``status``, ``detail``, what to do (``remedy``), and fields at fault (``errors``)."""

    def __init__(self, status: int, told: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.detail = str(told.get("detail") or told.get("title") or f"status {status}")
        self.remedy = str(told.get("remedy", ""))
        self.errors: list[dict[str, str]] = list(told.get("errors", ()))
        self.retry_after = retry_after
        fields = "".join(f"\n{each['where']}: {each['problem']}" for each in self.errors)
        super().__init__(f"{self.detail} {self.remedy}".strip() + fields)


class NotAllowed(Problem):
    """401 or 403: no token, one that does not work, or one without the scope."""


class NotFound(Problem):
    """404 or 410: there is no such thing, not for you, or not any more."""


class Conflict(Problem):
    """409: it does not fit how things stand, such as a result that is not there yet.

    With ``retry_after`` the first request under the same key is still being answered.
    """


class Unusable(Problem):
    """400, 413, 415 or 422: the request itself must be changed."""


class TooOften(Problem):
    """429: wait, at least ``retry_after`` seconds where it is said."""


class AnalysisFailed(ClientError):
    """What was waited for failed or was cancelled; ``analysis`` is where it stands."""

    def __init__(self, analysis: dict[str, Any]) -> None:
        self.analysis = analysis
        words = f"{analysis.get('error') or ''} {analysis.get('remedy') or ''}".strip()
        super().__init__(words or f"The analysis was {analysis['state']}.")


class ComparisonFailed(ClientError):
    """The same of a comparison; ``comparison`` is where it stands."""

    def __init__(self, comparison: dict[str, Any]) -> None:
        self.comparison = comparison
        words = f"{comparison.get('error') or ''} {comparison.get('remedy') or ''}".strip()
        super().__init__(words or f"The comparison was {comparison['state']}.")


KINDS: dict[int, type[Problem]] = {
    400: Unusable,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    410: NotFound,
    409: Conflict,
    413: Unusable,
    415: Unusable,
    422: Unusable,
    429: TooOften,
}
"""By status; any other is a :class:`Problem`."""
