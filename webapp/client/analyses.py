"""Analyses: where they stand, their queue, further ones; the exhibits and models there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .connection import Connection, without_none
from .errors import AnalysisFailed


class AnalysisCalls(Connection):
    """Analyses, the exhibits they are of, and the models they can be made with."""

    def get(self, analysis_id: str) -> dict[str, Any]:
        """Where an analysis stands."""
        found: dict[str, Any] = self._get(f"analyses/{analysis_id}")
        return found

    def wait(
        self,
        analysis_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Wait until an analysis is done, through any pause; ``timeout`` is in seconds.

        An outage meanwhile is waited out as well, without a timeout ten minutes at most. Raises
        :class:`AnalysisFailed`, and ``TimeoutError``.
        """
        return self._wait_for_end(f"analyses/{analysis_id}", AnalysisFailed, timeout, on_progress)

    def analyses(self, **search: object) -> Iterator[dict[str, Any]]:
        """All analyses that fit, newest first: ``q``, ``state``, ``verdict``, ``model``, ``reviewer``.

        ``from_`` and ``to`` are the first and last day; ``like`` is the id of an analysis whose
        exhibit they are to show.
        """
        query = {name.rstrip("_"): value for name, value in search.items()}
        yield from self._pages("analyses", query, "items")

    def exhibits(self) -> Iterator[dict[str, Any]]:
        """All exhibits, newest first."""
        yield from self._pages("exhibits", {}, "items")

    def copies(self, sha256: str) -> list[dict[str, Any]]:
        """Other exhibits that show the same as one, or a part of it."""
        found: list[dict[str, Any]] = self._get(f"exhibits/{sha256}/copies")["copies"]
        return found

    def cancel(self, analysis_id: str) -> dict[str, Any]:
        """Take an analysis out of the queue, or stop it."""
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/cancel")
        return stands

    def retry(self, analysis_id: str) -> dict[str, Any]:
        """Queue an analysis that failed or was cancelled once more."""
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/retry")
        return stands

    def pause(self, analysis_id: str) -> dict[str, Any]:
        """Take an analysis out of the queue, or stop it, until it is resumed; it then begins anew."""
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/pause")
        return stands

    def resume(self, analysis_id: str) -> dict[str, Any]:
        """Queue a paused analysis again."""
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/resume")
        return stands

    def prioritise(self, analysis_id: str, priority: str) -> dict[str, Any]:
        """Have an analysis that waits begin earlier or later: ``low``, ``normal`` or ``high``."""
        asked = {"priority": priority}
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/priority", asked)
        return stands

    def again(
        self,
        analysis_id: str,
        *,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        also: Sequence[str] | None = None,
        joint: str | None = None,
        priority: str | None = None,
    ) -> dict[str, Any]:
        """Analyse the same exhibit with another model, several models or other parameters."""
        asked = without_none(model=model, parameters=parameters, also=also, joint=joint, priority=priority)
        made: dict[str, Any] = self._once(
            lambda key: self._json("POST", f"analyses/{analysis_id}/again", asked, headers=key)
        )
        return made

    def delete(self, analysis_id: str) -> None:
        """Delete an analysis that has ended or is paused."""
        self._open("DELETE", f"analyses/{analysis_id}").close()

    def models(self) -> list[dict[str, Any]]:
        """The models that can be chosen."""
        found: list[dict[str, Any]] = self._get("models")["models"]
        return found
