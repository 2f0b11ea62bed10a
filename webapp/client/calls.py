"""Calls about analyses, their findings and reviews, and comparisons."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .connection import AnalysisFailed, ComparisonFailed, Connection, without_none

_REPORT_WAIT = 150.0  # seconds to wait for a report that is being rendered


class AnalysisCalls(Connection):
    """Analyses, their exhibits, and the models they can use."""

    def get(self, analysis_id: str) -> dict[str, Any]:
        """Return the status of an analysis."""
        return self._get(f"analyses/{analysis_id}")

    def wait(
        self,
        analysis_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Wait until an analysis is done, through pauses; ``timeout`` is in seconds.

        An outage is waited out as well, without a timeout for at most ten minutes. Raises
        :class:`AnalysisFailed` and ``TimeoutError``.
        """
        return self._wait_for_end(f"analyses/{analysis_id}", AnalysisFailed, timeout, on_progress)

    def analyses(self, **search: object) -> Iterator[dict[str, Any]]:
        """List matching analyses, newest first: ``q``, ``state``, ``verdict``, ``voice``,
        ``model``, ``reviewer``.

        ``from_`` and ``to`` are the first and last day; ``like`` is the id of an analysis: it selects
        analyses of exhibits that show the same.
        """
        query = {name.rstrip("_"): value for name, value in search.items()}
        yield from self._pages("analyses", query, "items")

    def exhibits(self) -> Iterator[dict[str, Any]]:
        """List all exhibits, newest first."""
        yield from self._pages("exhibits", {}, "items")

    def copies(self, sha256: str) -> list[dict[str, Any]]:
        """List other exhibits that show the same as one, or a part of it."""
        copies: list[dict[str, Any]] = self._get(f"exhibits/{sha256}/copies")["copies"]
        return copies

    def cancel(self, analysis_id: str) -> dict[str, Any]:
        """Take an analysis out of the queue, or stop it."""
        return self._json("POST", f"analyses/{analysis_id}/cancel")

    def retry(self, analysis_id: str) -> dict[str, Any]:
        """Queue an analysis that failed or was cancelled once more."""
        return self._json("POST", f"analyses/{analysis_id}/retry")

    def pause(self, analysis_id: str) -> dict[str, Any]:
        """Take an analysis out of the queue, or stop it, until it is resumed; it then begins anew."""
        return self._json("POST", f"analyses/{analysis_id}/pause")

    def resume(self, analysis_id: str) -> dict[str, Any]:
        """Queue a paused analysis again."""
        return self._json("POST", f"analyses/{analysis_id}/resume")

    def prioritise(self, analysis_id: str, priority: str) -> dict[str, Any]:
        """Change the priority of a waiting analysis: ``low``, ``normal`` or ``high``."""
        return self._json("POST", f"analyses/{analysis_id}/priority", {"priority": priority})

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
        body = without_none(model=model, parameters=parameters, also=also, joint=joint, priority=priority)
        return self._post_once(f"analyses/{analysis_id}/again", body)

    def delete(self, analysis_id: str) -> None:
        """Delete an analysis that has ended or is paused."""
        self._open("DELETE", f"analyses/{analysis_id}").close()

    def models(self) -> list[dict[str, Any]]:
        """List the available models."""
        models: list[dict[str, Any]] = self._get("models")["models"]
        return models


class FindingCalls(Connection):
    """The result of an analysis."""

    def analysis(self, analysis_id: str) -> dict[str, Any]:
        """Return the whole result (docs/analysis.schema.json)."""
        return self._get(f"analyses/{analysis_id}/analysis.json")

    def segments(self, analysis_id: str) -> list[dict[str, Any]]:
        """List the segments; ``flagged`` tells whether a finding rests on one, or it was only examined."""
        segments: list[dict[str, Any]] = self._get(f"analyses/{analysis_id}/segments")["segments"]
        return segments

    def scores(self, analysis_id: str, **search: object) -> Iterator[dict[str, Any]]:
        """List scores, limited by ``person``, ``start`` and ``end`` in seconds."""
        yield from self._pages(f"analyses/{analysis_id}/scores", search, "items")

    def voice_segments(self, analysis_id: str) -> list[dict[str, Any]]:
        """List the segments of the voice. Raises :class:`NotFound` if sound was not examined."""
        segments: list[dict[str, Any]] = self._get(f"analyses/{analysis_id}/voice/segments")["segments"]
        return segments

    def voice_scores(self, analysis_id: str, **search: object) -> Iterator[dict[str, Any]]:
        """List scores of the voice, limited by ``start`` and ``end`` in seconds, like :meth:`scores`.

        ``channel`` is the number of a channel that was judged for itself; without it, that of the verdict.
        Raises :class:`NotFound` if sound was not examined.
        """
        yield from self._pages(f"analyses/{analysis_id}/voice/scores", search, "items")

    def annotations(self, analysis_id: str) -> list[dict[str, Any]]:
        """List the annotations of reviewers."""
        annotations: list[dict[str, Any]] = self._get(f"analyses/{analysis_id}/annotations")["annotations"]
        return annotations

    def annotate(self, analysis_id: str, **fields: object) -> dict[str, Any]:
        """Record an annotation (docs/bundle.md), without ``id`` and ``made``."""
        response = self._post_once(f"analyses/{analysis_id}/annotations", fields)
        annotation: dict[str, Any] = response["annotation"]
        return annotation

    def download(self, analysis_id: str, what: str, to: str | os.PathLike[str]) -> Path:
        """Fetch ``report.pdf``, ``report.html``, ``bundle.zip``, ``manifest.json`` or ``exports/NAME``.

        The file appears complete or not at all. A report that is being rendered is waited for, for some
        minutes, even beyond this client's timeout.
        """
        return self._download(f"analyses/{analysis_id}/{what}", to, _REPORT_WAIT)


class ReviewCalls(Connection):
    """Second reviews."""

    def name_reviewers(
        self, case: int, first: str, second: str, third: str | None = None, *, blind: str = "judgements"
    ) -> dict[str, Any]:
        """Name the reviewers of a case's exhibits; ``blind`` is ``judgements`` or ``findings``."""
        body = without_none(first=first, second=second, third=third, blind=blind)
        return self._json("PUT", f"cases/{case}/reviewers", body)

    def reviewers(self, case: int) -> dict[str, Any]:
        """Return the reviewers of a case's exhibits."""
        return self._get(f"cases/{case}/reviewers")

    def waiting_reviews(self) -> list[dict[str, Any]]:
        """List the second reviews that wait for you."""
        reviews: list[dict[str, Any]] = self._get("reviews")["items"]
        return reviews

    def review(self, analysis_id: str) -> dict[str, Any]:
        """Return the second review of an analysis, as far as you may see it."""
        return self._get(f"analyses/{analysis_id}/review")

    def judge(
        self,
        analysis_id: str,
        conclusion: str,
        reasons: str,
        stretches: Sequence[Mapping[str, Any]] = (),
        *,
        voice: str | None = None,
    ) -> dict[str, Any]:
        """Give your judgement: ``stretches`` have ``start`` and ``end`` in seconds, perhaps a ``note``.

        ``voice`` is your conclusion on the voices, such as ``synthetic speech found``.
        """
        body = without_none(conclusion=conclusion, voice=voice, reasons=reasons, stretches=list(stretches))
        return self._post_once(f"analyses/{analysis_id}/review/judgement", body)

    def say_in_review(self, analysis_id: str, text: str) -> dict[str, Any]:
        """Add to the recorded conversation about a difference."""
        return self._post_once(f"analyses/{analysis_id}/review/messages", {"text": text})

    def propose(
        self, analysis_id: str, conclusion: str, reasons: str, *, voice: str | None = None
    ) -> dict[str, Any]:
        """Propose a joint conclusion, perhaps with one on the ``voice``."""
        body = without_none(conclusion=conclusion, voice=voice, reasons=reasons)
        return self._post_once(f"analyses/{analysis_id}/review/proposal", body)

    def accept(self, analysis_id: str, proposal: str) -> dict[str, Any]:
        """Accept a proposal of the other reviewer, by its id."""
        return self._post_once(f"analyses/{analysis_id}/review/acceptance", {"proposal": proposal})

    def decide(
        self, analysis_id: str, conclusion: str, reasons: str, *, voice: str | None = None
    ) -> dict[str, Any]:
        """Decide a difference as third reviewer, perhaps also on the ``voice``."""
        body = without_none(conclusion=conclusion, voice=voice, reasons=reasons)
        return self._post_once(f"analyses/{analysis_id}/review/decision", body)


class ComparisonCalls(Connection):
    """Comparisons, by the SHA-256 of both exhibits."""

    def compare(self, exhibit: str, reference: str, *, priority: str | None = None) -> dict[str, Any]:
        """Compare two exhibits by their SHA-256; return the status of the comparison."""
        body = without_none(reference=reference, priority=priority)
        return self._post_once(f"exhibits/{exhibit}/comparisons", body)

    def comparisons(self, exhibit: str) -> list[dict[str, Any]]:
        """List the comparisons of an exhibit with references, newest first."""
        comparisons: list[dict[str, Any]] = self._get(f"exhibits/{exhibit}/comparisons")["comparisons"]
        return comparisons

    def comparison(self, comparison_id: str) -> dict[str, Any]:
        """Return the status of a comparison, with its ``outcome`` once it is done."""
        return self._get(f"comparisons/{comparison_id}")

    def wait_for_comparison(
        self,
        comparison_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Wait until a comparison is done, as :meth:`wait`. Raises :class:`ComparisonFailed`."""
        return self._wait_for_end(f"comparisons/{comparison_id}", ComparisonFailed, timeout, on_progress)

    def comparison_result(self, comparison_id: str) -> dict[str, Any]:
        """Return the whole result of a comparison (docs/comparison.schema.json)."""
        return self._get(f"comparisons/{comparison_id}/comparison.json")

    def download_picture(self, comparison_id: str, picture: str, to: str | os.PathLike[str]) -> Path:
        """Fetch a picture that the result of a comparison names, such as ``pictures/A1-1.png``."""
        return self._download(f"comparisons/{comparison_id}/{picture}", to)

    def cancel_comparison(self, comparison_id: str) -> dict[str, Any]:
        """Take a comparison out of the queue, or stop it."""
        return self._json("POST", f"comparisons/{comparison_id}/cancel")

    def delete_comparison(self, comparison_id: str) -> None:
        """Delete a comparison that has ended; both exhibits stay."""
        self._open("DELETE", f"comparisons/{comparison_id}").close()
