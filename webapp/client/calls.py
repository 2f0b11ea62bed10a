"""Calls about analyses, their findings and reviews, and comparisons."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from webapp.client.connection import AnalysisFailed, ComparisonFailed, Connection, without_none


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
