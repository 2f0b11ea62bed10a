"""Callbacks by which long operations report their progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

Progress = Callable[[str, float], None]
"""Called with a stage and the completed fraction of the whole, 0 to 1; an exception ends the operation."""

_Arguments = ParamSpec("_Arguments")

ReportShare = Callable[[float], None]
"""Called with the completed fraction of one stage, 0 to 1."""

ReportText = Callable[[str], None]
"""Called with a line of text for the user of the command line."""


class EndingReport(Generic[_Arguments]):
    """Calls ``report``, and keeps the exception by which it ends the operation.

    Whoever guards the operation against its own errors lets that one pass.
    """

    def __init__(self, report: Callable[_Arguments, None]) -> None:
        self._report = report
        self.ending: Exception | None = None

    def __call__(self, *arguments: _Arguments.args, **named: _Arguments.kwargs) -> None:
        try:
            self._report(*arguments, **named)
        except Exception as ending:
            self.ending = ending
            raise
