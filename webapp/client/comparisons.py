"""Comparisons of an exhibit with a reference."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .connection import Connection, without_none
from .errors import ComparisonFailed


class ComparisonCalls(Connection):
    """Comparisons, by the SHA-256 of both exhibits."""

    def compare(self, exhibit: str, reference: str, *, priority: str | None = None) -> dict[str, Any]:
        """Compare two exhibits that are here, by their SHA-256; where the comparison stands."""
        asked = without_none(reference=reference, priority=priority)
        made: dict[str, Any] = self._once(
            lambda key: self._json("POST", f"exhibits/{exhibit}/comparisons", asked, headers=key)
        )
        return made

    def comparisons(self, exhibit: str) -> list[dict[str, Any]]:
        """The comparisons of an exhibit, by its SHA-256, with references, newest first."""
        found: list[dict[str, Any]] = self._get(f"exhibits/{exhibit}/comparisons")["comparisons"]
        return found

    def comparison(self, comparison_id: str) -> dict[str, Any]:
        """Where a comparison stands; once it is done ``outcome`` says what it amounts to."""
        found: dict[str, Any] = self._get(f"comparisons/{comparison_id}")
        return found

    def wait_for_comparison(
        self,
        comparison_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Wait until a comparison is done, through outages as :meth:`wait`; ``timeout`` is in seconds.

        Raises :class:`ComparisonFailed`, and ``TimeoutError``.
        """
        return self._wait_for_end(f"comparisons/{comparison_id}", ComparisonFailed, timeout, on_progress)

    def comparison_result(self, comparison_id: str) -> dict[str, Any]:
        """The whole result of a comparison (docs/comparison.schema.json)."""
        found: dict[str, Any] = self._get(f"comparisons/{comparison_id}/comparison.json")
        return found

    def download_picture(self, comparison_id: str, picture: str, to: str | os.PathLike[str]) -> Path:
        """Fetch a picture that the result of a comparison names, such as ``pictures/A1-1.png``."""
        return self._fetched(f"comparisons/{comparison_id}/{picture}", to)

    def cancel_comparison(self, comparison_id: str) -> dict[str, Any]:
        """Take a comparison out of the queue, or stop it."""
        stands: dict[str, Any] = self._json("POST", f"comparisons/{comparison_id}/cancel")
        return stands

    def delete_comparison(self, comparison_id: str) -> None:
        """Delete a comparison that has ended; both exhibits stay."""
        self._open("DELETE", f"comparisons/{comparison_id}").close()
