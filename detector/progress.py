"""Types of the callbacks by which long operations report their progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a stage and the fraction of the whole done, 0 to 1; what it raises ends the work."""

ReportShare = Callable[[float], None]
"""Called with the fraction of one stage done, 0 to 1."""

ReportText = Callable[[str], None]
"""Called with a line for who waits at a shell."""
