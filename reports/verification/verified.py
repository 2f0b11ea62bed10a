"""What verifying a path has shown, and what is raised for one that is nothing to be verified."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from reports.errors import ReportError
from reports.file_names import MANIFEST_SIGNATURE
from reports.verification.problems import CheckResults

if TYPE_CHECKING:
    from reports.verification.repeated.reanalysis import Reanalysis
    from reports.verification.repeated.recomparison import Recomparison

PathKind = Literal["bundle", "result", "report", "log"]


class VerifyError(ReportError):
    """What was named is nothing that can be verified."""


@dataclass
class Verified:
    """What was looked at and what was found; ``analysis`` and ``comparisons`` where they could be read.

    ``reanalysis`` and ``recomparisons`` are what :func:`~reports.verification.verify.verify_against`
    repeated.
    """

    path: Path
    kind: PathKind
    results: CheckResults = field(default_factory=CheckResults)
    analysis: Analysis | None = None
    comparisons: dict[str, Comparison] = field(default_factory=dict)  # by name of their file
    reanalysis: Reanalysis | None = None
    recomparisons: list[Recomparison] = field(default_factory=list)

    @property
    def unsigned(self) -> str:
        """What of it no signature holds, in words; empty where one holds all.

        A report signed by itself says nothing of the bundle around it: whoever changes other files takes
        ``manifest.sig`` away and leaves the report.
        """
        signed = self.results.signed
        if not signed:
            return "It is not signed: whoever could change all of it could make it fit again."
        if self.kind in ("bundle", "result") and MANIFEST_SIGNATURE not in signed:
            return f"Only {' and '.join(signed)} is signed; all other files could have been changed."
        return ""
