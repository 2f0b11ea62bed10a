"""Names of the files of a result, a report and a bundle."""

from __future__ import annotations

ANALYSIS = "analysis.json"
ANNOTATED = "annotated.mp4"  # a copy of the video with the findings drawn into it
ANNOTATIONS = "annotations.json"
CASE = "case.json"
CUSTODY = "custody.json"
LABORATORY = "laboratory.json"  # so in `detector.schema.laboratory`; a test compares
SECOND_REVIEW = "second-review.json"
REPORT_HTML, REPORT_PDF = "report.html", "report.pdf"
SCORES = "scores.csv"  # in the PDF alone
MANIFEST, MANIFEST_SUM, MANIFEST_SIGNATURE = "manifest.json", "manifest.sha256", "manifest.sig"
# Of a bundle alone
CHECKSUMS = "sha256sums.txt"
VERIFIER = "verify.py"
