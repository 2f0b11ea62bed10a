"""Types of the callbacks by which long operations report their progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a stage and the completed fraction of the whole, 0 to 1; an exception ends the operation."""

ReportShare = Callable[[float], None]
"""Called with the completed fraction of one stage, 0 to 1."""

ReportText = Callable[[str], None]
"""Called with a line of text for the user of the command line."""
