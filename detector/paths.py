"""Where the program's own files lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder of ``detector``, ``reports`` and ``webapp``: the sources, or where a wheel was installed."""

_INSTALLED = ROOT / "reelproof_files"  # of a wheel: pyproject.toml puts them there
FILES = _INSTALLED if _INSTALLED.is_dir() else ROOT
"""The folder of ``templates``, ``static``, ``models``, ``requirements.txt`` and of the bundles' verifier."""
