"""The files a report carries inside its PDF, and lists with their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from detector.schema.analysis import Analysis
from reports.exports.scores import scores_csv
from reports.inputs.comparisons import KeptComparison
from reports.inputs.laboratory import NAME as LABORATORY
from reports.review.annotation_file import file_text
from reports.review.annotations import Annotation, sort_key
from reports.review.second_review import NAME as SECOND_REVIEW
from reports.text.language import N_
from reports.text.numbers import plural


@dataclass(frozen=True)
class Attachment:
    """One file: its bytes, and what they are to the report (ISO 32000-2, 7.11.3)."""

    name: str
    data: bytes
    mimetype: str
    relationship: Literal["Source", "Data", "Supplement"]
    holds: str

    @property
    def sha256(self) -> str:
        """Fingerprint of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def size(self) -> str:
        """Number of bytes in words."""
        return plural(len(self.data), "byte", "bytes")


def attachments(
    analysis: Analysis,
    text: bytes,
    annotations: Iterable[Annotation] = (),
    custody: bytes | None = None,
    comparisons: Sequence[KeptComparison] = (),
    laboratory: bytes | None = None,
    second_review: bytes | None = None,
) -> tuple[Attachment, ...]:
    """What goes with the report of ``analysis``, sorted by name.

    ``text`` is the bytes of its ``analysis.json``, ``custody`` those of ``custody.json``,
    ``laboratory`` those of ``laboratory.json``, ``second_review`` those of ``second-review.json``.
    """
    found = [
        Attachment("analysis.json", text, "application/json", "Source", N_("all figures of this report")),
        Attachment("scores.csv", scores_csv(analysis), "text/csv", "Data", N_("every score as a table")),
    ]
    said = sorted(annotations, key=sort_key)
    if said:
        data = _annotation_file(analysis, text, said, said[-1].made)
        holds = N_("the reviewers' annotations")
        found.append(Attachment("annotations.json", data, "application/json", "Supplement", holds))
    if custody is not None:
        holds = N_("the custody log of the exhibit")
        found.append(Attachment("custody.json", custody, "application/json", "Supplement", holds))
    if laboratory is not None:
        holds = N_("what is quoted of the laboratory's own validation")
        found.append(Attachment(LABORATORY, laboratory, "application/json", "Supplement", holds))
    if second_review is not None:
        holds = N_("the second review of the exhibit")
        found.append(Attachment(SECOND_REVIEW, second_review, "application/json", "Supplement", holds))
    for number, each in enumerate(comparisons, start=1):
        holds = N_("the comparison with %(sha256)s…") % {"sha256": each.comparison.reference.sha256[:12]}
        name = f"comparison-{number}.json"
        found.append(Attachment(name, each.text, "application/json", "Supplement", holds))
    return tuple(sorted(found, key=lambda each: each.name))


def _annotation_file(analysis: Analysis, text: bytes, said: list[Annotation], saved: datetime) -> bytes:
    """As a review bundle holds them; dated by the newest, so the same annotations make the same bytes."""
    return file_text(
        said,
        analysis="",
        analysis_sha256=hashlib.sha256(text).hexdigest(),
        exhibit_sha256=analysis.media.sha256,
        saved=saved,
    ).encode()
