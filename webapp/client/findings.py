"""What an analysis found and what was said of it: segments, scores, annotations, downloads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .connection import Connection

_LONGEST_WAIT = 150.0  # seconds for a report that is being made


class FindingCalls(Connection):
    """The result of an analysis."""

    def analysis(self, analysis_id: str) -> dict[str, Any]:
        """The whole result (docs/analysis.schema.json)."""
        found: dict[str, Any] = self._get(f"analyses/{analysis_id}/analysis.json")
        return found

    def segments(self, analysis_id: str) -> list[dict[str, Any]]:
        """The segments; ``flagged`` of each says whether a finding rests on it, or it was looked at alone."""
        found: list[dict[str, Any]] = self._get(f"analyses/{analysis_id}/segments")["segments"]
        return found

    def scores(self, analysis_id: str, **search: object) -> Iterator[dict[str, Any]]:
        """Scores one after another: ``person``, ``start`` and ``end`` in seconds narrow them down."""
        yield from self._pages(f"analyses/{analysis_id}/scores", search, "items")

    def annotations(self, analysis_id: str) -> list[dict[str, Any]]:
        """What reviewers said."""
        found: list[dict[str, Any]] = self._get(f"analyses/{analysis_id}/annotations")["annotations"]
        return found

    def annotate(self, analysis_id: str, **said: object) -> dict[str, Any]:
        """Record what somebody says (docs/bundle.md), without ``id`` and ``made``."""
        made: dict[str, Any] = self._once(
            lambda key: self._json("POST", f"analyses/{analysis_id}/annotations", said, headers=key)
        )
        found: dict[str, Any] = made["annotation"]
        return found

    def download(self, analysis_id: str, what: str, to: str | os.PathLike[str]) -> Path:
        """Fetch ``report.pdf``, ``report.html``, ``bundle.zip``, ``manifest.json`` or ``exports/NAME``.

        The file appears whole or not at all. While the report is being made this waits for it, some minutes
        at most: also where that takes longer than this client waits for one answer.
        """
        return self._fetched(f"analyses/{analysis_id}/{what}", to, _LONGEST_WAIT)
