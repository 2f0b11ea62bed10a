"""Comparisons with a reference that came along: their form, what they say, and that it is of this exhibit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from reports.file_names import REPORT_PDF
from reports.inputs.comparisons import FOLDER, RESULT, ComparisonFileError, files_of, parse_comparison
from reports.verification.comparison_words import contradictions
from reports.verification.problems import CheckResults
from reports.verification.sources import Source, Unreadable


def check_comparisons(
    source: Source, analysis: Analysis | None, attached: Mapping[str, bytes], results: CheckResults
) -> dict[str, Comparison]:
    """Each ``comparison.json``, what it says, its pictures, those in the report; the readable by name."""
    found: dict[str, Comparison] = {}
    texts: list[bytes] = []
    for name in names_in(source):
        try:
            text = source.read(name)
            comparison = parse_comparison(text, name)
        except Unreadable as error:
            results.add(name, "cannot be read", str(error))
            continue
        except ComparisonFileError as error:
            results.add(name, "cannot be read", str(error))
            continue
        texts.append(text)
        found[name] = comparison
        _check_one(name, comparison, analysis, results)
        for path in files_of(comparison):
            if (whole := name.removesuffix(RESULT) + path) not in source.names:
                results.add(whole, "missing", f"it is a picture of {name}")
    due = {hashlib.sha256(text).digest() for text in texts}
    if attached and {hashlib.sha256(data).digest() for data in carried(attached).values()} != due:
        results.add(REPORT_PDF, "does not fit", f"it carries other comparisons than those in {FOLDER}/")
    return found


def check_attached(
    file: str, attached: Mapping[str, bytes], analysis: Analysis | None, results: CheckResults
) -> None:
    """Each comparison that the report ``file`` carries where it came alone: its form, and its exhibit."""
    for name, text in carried(attached).items():
        try:
            comparison = parse_comparison(text, name)
        except ComparisonFileError as error:
            results.add(f"{file}/{name}", "cannot be read", str(error))
            continue
        _check_one(f"{file}/{name}", comparison, analysis, results)


def _check_one(file: str, comparison: Comparison, analysis: Analysis | None, results: CheckResults) -> None:
    """That it is about the exhibit, and that its words and its figures say the same."""
    if analysis is not None and comparison.exhibit.sha256 != analysis.media.sha256:
        results.add(file, "does not fit", "it compares another exhibit")
    for problem in contradictions(comparison):
        results.add(file, "does not fit", problem)


def carried(attached: Mapping[str, bytes]) -> dict[str, bytes]:
    """The comparisons among the attachments of a report, by name."""
    return {name: data for name, data in attached.items() if name.startswith("comparison-")}


def names_in(source: Source) -> list[str]:
    """Names of the files ``comparison.json``, in the order in which a report has them."""
    return sorted(
        name
        for name in source.names
        if name.startswith(f"{FOLDER}/") and name.endswith(f"/{RESULT}") and name.count("/") == 2
    )
