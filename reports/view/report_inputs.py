"""What a report says beside the findings of the analysis, in one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detector.schema.laboratory.quoted import Laboratory
from reports.file_names import ANNOTATIONS, CUSTODY, LABORATORY, SECOND_REVIEW
from reports.inputs.case import CaseDetails
from reports.inputs.comparisons import KeptComparison
from reports.inputs.exhibit_check import ExhibitCheck
from reports.inputs.laboratory import parse_laboratory
from reports.review.annotations import Annotation
from reports.review.second_review import SecondReview, review_of
from reports.text.translation.languages import DEFAULT


@dataclass(frozen=True)
class ReportInputs:
    """Each as it was handed in; what is bytes is the text of its file, which goes with the report.

    ``annotation_file`` is the ``annotations.json`` that ``annotations`` were read from, if it is to be kept;
    ``custody`` is a ``custody.json``, ``laboratory`` a ``laboratory.json`` and ``second_review`` a
    ``second-review.json``. ``check`` is what hashing the exhibit again, just now, has shown. ``comparisons``
    are those of the exhibit with references. ``language_code`` is the language of the report.
    """

    annotations: Sequence[Annotation] = ()
    annotation_file: bytes | None = None
    case: CaseDetails | None = None
    custody: bytes | None = None
    check: ExhibitCheck | None = None
    comparisons: Sequence[KeptComparison] = ()
    laboratory: bytes | None = None
    second_review: bytes | None = None
    language_code: str = DEFAULT

    def files(self) -> dict[str, bytes]:
        """Those that are texts of files, by the names under which they lie beside the report."""
        texts = {
            ANNOTATIONS: self.annotation_file,
            CUSTODY: self.custody,
            LABORATORY: self.laboratory,
            SECOND_REVIEW: self.second_review,
        }
        return {name: text for name, text in texts.items() if text is not None}

    def quoted_laboratory(self) -> Laboratory | None:
        """The value of ``laboratory``, if given.

        Raises :class:`~reports.inputs.laboratory.LaboratoryError`.
        """
        return parse_laboratory(self.laboratory) if self.laboratory is not None else None

    def parsed_review(self, exhibit_sha256: str) -> SecondReview | None:
        """The value of ``second_review``, if given.

        Raises :class:`~reports.review.second_review.SecondReviewError`, also for one about another exhibit.
        """
        return review_of(self.second_review, exhibit_sha256)


ALONE = ReportInputs()
"""Nothing beside the findings."""
