"""The engine: from a file to an :class:`Analysis`. Usable with no web app.

from detector import analyze
analysis = analyze("clip.mp4")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.analysis import Analysis, Parameters, Verdict

if TYPE_CHECKING:
    from detector.engine import analyze as analyze

__version__ = "0.1.0"
__all__ = ["Analysis", "Parameters", "Verdict", "analyze"]


def __getattr__(name: str) -> object:
    # Torch takes a second to import; the web process and `--help` never need it.
    if name == "analyze":
        from detector.engine import analyze

        return analyze
    raise AttributeError(name)
