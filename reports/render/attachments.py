"""Files embedded in the PDF, which the report lists with their SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from detector.schema.analysis import Analysis
from language.formatting import plural
from language.translation import N_
from reports.exports.tables import scores_csv
from reports.file_names import ANALYSIS, ANNOTATIONS, CUSTODY, LABORATORY, SCORES, SECOND_REVIEW
from reports.report_view import ReportInputs
from reports.review.annotation_file import file_text
from reports.review.annotations import sort_key

COMPARISON = "comparison-%d.json"  # counted from 1
HOLDS = {
    ANALYSIS: N_("all figures of this report"),
    ANNOTATIONS: N_("the reviewers' annotations"),
    CUSTODY: N_("the custody log of the exhibit"),
    LABORATORY: N_("the quoted results of the laboratory's own validation"),
    SCORES: N_("every score as a table"),
    SECOND_REVIEW: N_("the second review of the exhibit"),
}
"""Every file a report may carry beside its comparisons, and what each holds.

``reports verify`` finds missing those named here (:mod:`verification.pdf_checks`).
"""


@dataclass(frozen=True)
class Attachment:
    """One file: its bytes, and its relationship to the report (ISO 32000-2, 7.11.3)."""

    name: str
    data: bytes
    mimetype: str
    relationship: Literal["Source", "Data", "Supplement"]
    holds: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def size(self) -> str:
        """Number of bytes in words."""
        return plural(len(self.data), "byte", "bytes")


def attachments(analysis: Analysis, text: bytes, inputs: ReportInputs) -> tuple[Attachment, ...]:
    """Return the files that go with a report, sorted by name; ``text`` is its ``analysis.json``."""
    files = [
        Attachment(ANALYSIS, text, "application/json", "Source", HOLDS[ANALYSIS]),
        Attachment(SCORES, scores_csv(analysis), "text/csv", "Data", HOLDS[SCORES]),
    ]
    if annotations := sorted(inputs.annotations, key=sort_key):
        saved = file_text(
            annotations,
            analysis="",
            analysis_sha256=hashlib.sha256(text).hexdigest(),
            exhibit_sha256=analysis.media.sha256,
            saved=annotations[-1].made,  # not the current time: the same annotations give the same bytes
        )
        files.append(_supplement(ANNOTATIONS, saved.encode()))
    files += [_supplement(name, data) for name, data in inputs.files().items() if name != ANNOTATIONS]
    for number, kept in enumerate(inputs.comparisons, start=1):
        holds = N_("the comparison with %(sha256)s…") % {"sha256": kept.comparison.reference.sha256[:12]}
        files.append(_supplement(COMPARISON % number, kept.text, holds))
    return tuple(sorted(files, key=lambda file: file.name))


def _supplement(name: str, data: bytes, holds: str | None = None) -> Attachment:
    """Return a supplementary file, described by ``words`` or by :data:`HOLDS`."""
    return Attachment(name, data, "application/json", "Supplement", holds or HOLDS[name])
