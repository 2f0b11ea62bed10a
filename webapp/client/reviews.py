"""The second review: its reviewers, their judgements, and how a difference is resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .connection import Connection, without_none


class ReviewCalls(Connection):
    """Second reviews."""

    def name_reviewers(
        self, case: int, first: str, second: str, third: str | None = None, *, blind: str = "judgements"
    ) -> dict[str, Any]:
        """Say who reviews the exhibits of a case; ``blind`` is ``judgements`` or ``findings``."""
        asked = without_none(first=first, second=second, third=third, blind=blind)
        named: dict[str, Any] = self._json("PUT", f"cases/{case}/reviewers", asked)
        return named

    def reviewers(self, case: int) -> dict[str, Any]:
        """Who reviews the exhibits of a case."""
        found: dict[str, Any] = self._get(f"cases/{case}/reviewers")
        return found

    def waiting_reviews(self) -> list[dict[str, Any]]:
        """The second reviews that wait for you."""
        found: list[dict[str, Any]] = self._get("reviews")["items"]
        return found

    def review(self, analysis_id: str) -> dict[str, Any]:
        """The second review of an analysis, as far as you may see it."""
        found: dict[str, Any] = self._get(f"analyses/{analysis_id}/review")
        return found

    def judge(
        self, analysis_id: str, conclusion: str, reasons: str, stretches: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any]:
        """Give your judgement: ``stretches`` have ``start`` and ``end`` in seconds, perhaps a ``note``."""
        asked = {"conclusion": conclusion, "reasons": reasons, "stretches": list(stretches)}
        return self._review(analysis_id, "judgement", asked)

    def say_in_review(self, analysis_id: str, text: str) -> dict[str, Any]:
        """Add to the recorded conversation about a difference."""
        return self._review(analysis_id, "messages", {"text": text})

    def propose(self, analysis_id: str, conclusion: str, reasons: str) -> dict[str, Any]:
        """Propose a joint conclusion."""
        return self._review(analysis_id, "proposal", {"conclusion": conclusion, "reasons": reasons})

    def accept(self, analysis_id: str, proposal: str) -> dict[str, Any]:
        """Accept what the other reviewer proposes, by the proposal's id."""
        return self._review(analysis_id, "acceptance", {"proposal": proposal})

    def decide(self, analysis_id: str, conclusion: str, reasons: str) -> dict[str, Any]:
        """Decide a difference as third reviewer."""
        return self._review(analysis_id, "decision", {"conclusion": conclusion, "reasons": reasons})

    def _review(self, analysis_id: str, act: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = self._once(
            lambda key: self._json("POST", f"analyses/{analysis_id}/review/{act}", asked, headers=key)
        )
        return told
