"""What long work tells of how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a stage and the fraction of the whole done, 0 to 1; what it raises ends the work."""
