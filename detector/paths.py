"""Where the program's own files lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds ``detector``, ``reports``, ``webapp``, ``templates``, ``static`` and ``models``."""
