"""What the files of a result, a report and a bundle are called, wherever they are written, read or checked.

docs/bundle.md says what each holds. Files of one comparison: :mod:`reports.inputs.comparisons`. Imports
nothing, as commands need it before they begin.
"""

from __future__ import annotations

ANALYSIS = "analysis.json"
ANNOTATIONS = "annotations.json"
CASE = "case.json"
CUSTODY = "custody.json"
LABORATORY = "laboratory.json"  # so in `detector.schema.laboratory.quoted`; a test compares
SECOND_REVIEW = "second-review.json"
REPORT_HTML, REPORT_PDF = "report.html", "report.pdf"
SCORES = "scores.csv"  # in the PDF alone
MANIFEST, MANIFEST_SUM, MANIFEST_SIGNATURE = "manifest.json", "manifest.sha256", "manifest.sig"
# Of a bundle alone
CHECKSUMS = "sha256sums.txt"
VERIFIER = "verify.py"
